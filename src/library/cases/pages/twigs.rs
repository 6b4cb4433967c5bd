//! The tree of suites as a list of what to open and close: a template cannot call itself.

use crate::kernel::id::SuiteId;
use crate::library::suites::{Node, Tree};

/// Trees of more suites are drawn along the way to the chosen one only; the others open by a click.
const DRAWN_WHOLE_MAX: i64 = 300;

/// One piece of the drawing.
pub(super) enum Twig {
    /// A suite without others in it, or with those left out.
    Leaf(Suite),
    /// A suite; what follows stands in it.
    Begin(Suite),
    /// The suite that was begun last is complete.
    End,
}

/// A line of the tree.
pub(super) struct Suite {
    pub id: i64,
    pub name: String,
    /// Active cases in it and below it.
    pub total: i64,
    /// Whether it is the chosen one.
    pub is_current: bool,
    /// Whether it or one below it is the chosen one.
    pub is_open: bool,
    /// Whether it holds suites.
    pub is_branch: bool,
}

/// The drawing of a tree, open along the way to the chosen suite.
pub(super) fn twigs(tree: &Tree, chosen: Option<SuiteId>) -> Vec<Twig> {
    let path: Vec<SuiteId> =
        chosen.map_or_else(Vec::new, |id| tree.path(id).iter().map(|suite| suite.id).collect());
    let is_whole = tree.len() <= DRAWN_WHOLE_MAX;
    let (nodes, mut twigs, mut open) = (tree.nodes(), Vec::new(), Vec::new());
    let mut place = 0;
    while place < nodes.len() {
        while open.last().is_some_and(|end| *end <= place) {
            open.pop();
            twigs.push(Twig::End);
        }
        let node = &nodes[place];
        let suite = Suite::of(node, chosen, &path);
        if suite.is_branch && (is_whole || suite.is_open) {
            open.push(place + node.below + 1);
            twigs.push(Twig::Begin(suite));
            place += 1;
        } else {
            twigs.push(Twig::Leaf(suite));
            place += node.below + 1;
        }
    }
    twigs.extend(open.iter().map(|_| Twig::End));
    twigs
}

impl Suite {
    fn of(node: &Node, chosen: Option<SuiteId>, path: &[SuiteId]) -> Suite {
        let id = node.suite.id;
        Suite {
            id: id.0,
            name: node.suite.name.clone(),
            total: node.total,
            is_current: chosen == Some(id),
            is_open: path.contains(&id),
            is_branch: node.below > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::suites;

    fn suite(id: i64, parent: i64) -> suites::Suite {
        let parent = (parent > 0).then_some(SuiteId(parent));
        suites::Suite { id: SuiteId(id), parent, name: format!("s{id}"), cases: 1 }
    }

    fn drawn(tree: &Tree, chosen: Option<i64>) -> String {
        let word = |twig: &Twig| match twig {
            Twig::Leaf(suite) => suite.id.to_string(),
            Twig::Begin(suite) => format!("{}{}", suite.id, if suite.is_open { "(" } else { "[" }),
            Twig::End => ")".to_owned(),
        };
        twigs(tree, chosen.map(SuiteId)).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_opened_is_closed_again() {
        let tree = Tree::of(vec![suite(1, 0), suite(2, 1), suite(3, 2), suite(4, 0), suite(5, 4)]);
        assert_eq!(drawn(&tree, None), "1[ 2[ 3 ) ) 4[ 5 )");
        assert_eq!(drawn(&tree, Some(2)), "1( 2( 3 ) ) 4[ 5 )");
        assert_eq!(drawn(&Tree::default(), None), "");
    }

    #[test]
    fn a_huge_tree_is_drawn_along_the_way_only() {
        let roots = (1..=200).map(|id| suite(id, 0));
        let tree = Tree::of(roots.chain((1..=200).map(|id| suite(1_000 + id, id))).collect());
        assert_eq!(twigs(&tree, None).len(), 200);
        assert_eq!(twigs(&tree, Some(SuiteId(1_007))).len(), 202);
    }
}
