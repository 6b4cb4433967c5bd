//! The tree of suites in memory: order, depth and sums.

use super::Suite;
use crate::kernel::id::SuiteId;
use std::collections::HashMap;

/// All suites of a project, parents before children.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    places: HashMap<SuiteId, usize>,
}

/// A suite at its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The suite.
    pub suite: Suite,
    /// How many suites lie above it, itself included: 1 at the root.
    pub depth: usize,
    /// Active cases in it and in all below it.
    pub total: i64,
    /// How many nodes follow that lie below it.
    pub below: usize,
}

impl Tree {
    /// Orders suites, given in the order of sisters, so that children follow their parent.
    pub fn of(suites: Vec<Suite>) -> Tree {
        let mut children: HashMap<Option<SuiteId>, Vec<Suite>> = HashMap::new();
        for suite in suites {
            children.entry(suite.parent).or_default().push(suite);
        }
        let mut tree = Tree::default();
        tree.hang(&mut children, None, 1);
        tree.places = tree.nodes.iter().enumerate().map(|(place, node)| (node.suite.id, place)).collect();
        tree
    }

    fn hang(
        &mut self,
        children: &mut HashMap<Option<SuiteId>, Vec<Suite>>,
        parent: Option<SuiteId>,
        depth: usize,
    ) -> i64 {
        let mut sum = 0;
        for suite in children.remove(&parent).unwrap_or_default() {
            let (place, id, own) = (self.nodes.len(), suite.id, suite.cases);
            self.nodes.push(Node { suite, depth, total: 0, below: 0 });
            let total = own + self.hang(children, Some(id), depth + 1);
            self.nodes[place].total = total;
            self.nodes[place].below = self.nodes.len() - place - 1;
            sum += total;
        }
        sum
    }

    /// The nodes, parents before children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many suites there are.
    pub fn len(&self) -> i64 {
        i64::try_from(self.nodes.len()).expect("a project has fewer suites than an i64 holds")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Active cases of the whole project.
    pub fn cases(&self) -> i64 {
        self.nodes.iter().map(|node| node.suite.cases).sum()
    }

    /// One node.
    pub fn node(&self, id: SuiteId) -> Option<&Node> {
        self.places.get(&id).map(|place| &self.nodes[*place])
    }

    /// A suite and all below it, in the order of the tree.
    pub fn branch(&self, id: SuiteId) -> &[Node] {
        self.places.get(&id).map_or(&[], |place| &self.nodes[*place..=*place + self.nodes[*place].below])
    }

    /// Depth of a suite; 1 at the root.
    pub fn depth(&self, id: SuiteId) -> Option<usize> {
        self.node(id).map(|node| node.depth)
    }

    /// How many levels a suite and those below it span.
    pub fn height(&self, id: SuiteId) -> usize {
        let top = self.depth(id).unwrap_or(1);
        self.branch(id).iter().map(|node| node.depth + 1 - top).max().unwrap_or(1)
    }

    /// Whether a suite is the other one or lies below it.
    pub fn is_within(&self, id: SuiteId, ancestor: SuiteId) -> bool {
        self.branch(ancestor).iter().any(|node| node.suite.id == id)
    }

    /// Names from the root down to a suite.
    pub fn path(&self, id: SuiteId) -> Vec<&Suite> {
        let mut path = Vec::new();
        let mut next = Some(id);
        while let Some(node) = next.and_then(|id| self.node(id)) {
            path.push(&node.suite);
            next = node.suite.parent;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(id: i64, parent: i64, cases: i64) -> Suite {
        let parent = (parent > 0).then_some(SuiteId(parent));
        Suite { id: SuiteId(id), parent, name: format!("s{id}"), cases }
    }

    #[test]
    fn children_follow_their_parent_and_counts_add_up() {
        let tree =
            Tree::of(vec![suite(1, 0, 1), suite(2, 0, 2), suite(3, 1, 4), suite(4, 3, 8), suite(5, 1, 16)]);
        let shown: Vec<_> = tree.nodes().iter().map(|n| (n.suite.id.0, n.depth, n.total, n.below)).collect();
        assert_eq!(shown, [(1, 1, 29, 3), (3, 2, 12, 1), (4, 3, 8, 0), (5, 2, 16, 0), (2, 1, 2, 0)]);
        assert!(tree.is_within(SuiteId(4), SuiteId(1)));
        assert!(!tree.is_within(SuiteId(2), SuiteId(1)));
        assert_eq!(tree.height(SuiteId(1)), 3);
        assert_eq!(tree.cases(), 31);
        let path: Vec<_> = tree.path(SuiteId(4)).iter().map(|s| s.name.as_str()).collect();
        assert_eq!(path, ["s1", "s3", "s4"]);
    }
}
