//! The tree of suites as nested boxes to tick, and how many cases a choice of them comes to.

use crate::kernel::id::SuiteId;
use crate::library::suites::Tree;
use std::collections::HashSet;

/// A suite to tick.
pub struct Twig {
    /// The suite.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Active cases in it and in all below it.
    pub total: i64,
    /// Whether it is ticked.
    pub is_chosen: bool,
    /// Whether suites below it follow.
    pub has_children: bool,
    /// How many lists end after it.
    pub closes: usize,
}

/// All suites, each with where the lists around it begin and end.
pub fn twigs(tree: &Tree, chosen: &[SuiteId]) -> Vec<Twig> {
    let nodes = tree.nodes();
    let depth_after = |place: usize| nodes.get(place + 1).map_or(1, |next| next.depth);
    nodes
        .iter()
        .enumerate()
        .map(|(place, node)| Twig {
            id: node.suite.id.0,
            name: node.suite.name.clone(),
            total: node.total,
            is_chosen: chosen.contains(&node.suite.id),
            has_children: node.below > 0,
            closes: if node.below > 0 { 0 } else { node.depth - depth_after(place).min(node.depth) },
        })
        .collect()
}

/// Active cases of these suites and of those below them, each once.
pub fn cases_of(tree: &Tree, chosen: &[SuiteId]) -> i64 {
    let mut counted = HashSet::new();
    let all = chosen.iter().flat_map(|suite| tree.branch(*suite));
    all.filter(|node| counted.insert(node.suite.id)).map(|node| node.suite.cases).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::suites::Suite;

    fn tree() -> Tree {
        let suite = |id, parent: i64, cases| {
            let parent = (parent > 0).then_some(SuiteId(parent));
            Suite { id: SuiteId(id), parent, name: format!("s{id}"), cases }
        };
        Tree::of(vec![suite(1, 0, 1), suite(2, 0, 2), suite(3, 1, 4), suite(4, 3, 8), suite(5, 1, 16)])
    }

    #[test]
    fn lists_that_begin_also_end() {
        let twigs = twigs(&tree(), &[SuiteId(3)]);
        let shown: Vec<_> = twigs.iter().map(|t| (t.id, t.has_children, t.closes, t.is_chosen)).collect();
        let expected = [
            (1, true, 0, false),
            (3, true, 0, true),
            (4, false, 1, false),
            (5, false, 1, false),
            (2, false, 0, false),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_case_counts_once_however_often_its_suite_is_chosen() {
        assert_eq!(cases_of(&tree(), &[SuiteId(1), SuiteId(3), SuiteId(4), SuiteId(2)]), 31);
        assert_eq!(cases_of(&tree(), &[SuiteId(4), SuiteId(99)]), 8);
    }
}
