//! What two revisions say differently: fields, lines of text, steps. Pure.

use super::{Revision, Step};

/// The difference of two revisions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diff {
    /// Fields that changed.
    pub fields: Vec<FieldChange>,
    /// All steps, each with what became of it; empty if no step changed.
    pub steps: Vec<StepChange>,
}

/// A field that changed, line by line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldChange {
    /// What the field is called.
    pub name: &'static str,
    /// Its lines.
    pub lines: Vec<LineChange>,
}

/// What became of one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineChange {
    /// In both.
    Same(String),
    /// In the newer one only.
    Added(String),
    /// In the older one only.
    Removed(String),
}

/// What became of one step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StepChange {
    /// In both.
    Same(Step),
    /// In the newer one only.
    Added(Step),
    /// In the older one only.
    Removed(Step),
    /// Said otherwise.
    Changed(Step, Step),
}

impl Diff {
    /// Whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.steps.is_empty()
    }
}

/// What the newer revision says differently from the older one.
pub fn diff(old: &Revision, new: &Revision) -> Diff {
    let fields = [
        ("Title", old.title.as_str(), new.title.as_str()),
        ("Priority", old.priority.word(), new.priority.word()),
        ("Precondition", &old.precondition, &new.precondition),
        ("Text", &old.body, &new.body),
    ];
    let changed = fields.into_iter().filter(|(_, old, new)| old != new);
    let fields = changed.map(|(name, old, new)| FieldChange { name, lines: lines(old, new) }).collect();
    let steps = if old.steps == new.steps { Vec::new() } else { steps(&old.steps, &new.steps) };
    Diff { fields, steps }
}

fn lines(old: &str, new: &str) -> Vec<LineChange> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let said = |line: &str| line.to_owned();
    let change = |pair: Pair| match pair {
        Pair::Both(a, _) => LineChange::Same(said(old[a])),
        Pair::Old(a) => LineChange::Removed(said(old[a])),
        Pair::New(b) => LineChange::Added(said(new[b])),
    };
    align(&old, &new).into_iter().map(change).collect()
}

/// A removed step followed by an added one is a step said otherwise.
fn steps(old: &[Step], new: &[Step]) -> Vec<StepChange> {
    let mut changes = Vec::new();
    let mut pairs = align(old, new).into_iter().peekable();
    while pairs.peek().is_some() {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        while let Some(pair) = pairs.next_if(|pair| !matches!(pair, Pair::Both(..))) {
            match pair {
                Pair::Old(a) => gone.push(old[a].clone()),
                Pair::New(b) => come.push(new[b].clone()),
                Pair::Both(..) => {}
            }
        }
        let both = gone.len().min(come.len());
        let (left, rest) = (gone.split_off(both), come.split_off(both));
        changes.extend(gone.into_iter().zip(come).map(|(old, new)| StepChange::Changed(old, new)));
        changes.extend(left.into_iter().map(StepChange::Removed));
        changes.extend(rest.into_iter().map(StepChange::Added));
        if let Some(Pair::Both(a, _)) = pairs.next() {
            changes.push(StepChange::Same(old[a].clone()));
        }
    }
    changes
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pair {
    Both(usize, usize),
    Old(usize),
    New(usize),
}

/// Cells of the table of common parts at most; beyond, everything in the middle counts as replaced.
const CELLS_MAX: usize = 1_000_000;

/// The longest common part of both, and what stands around it: old before new.
fn align<T: PartialEq>(old: &[T], new: &[T]) -> Vec<Pair> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut pairs: Vec<Pair> = (0..head).map(|at| Pair::Both(at, at)).collect();
    pairs.extend(align_middle(a, b).into_iter().map(|pair| match pair {
        Pair::Both(x, y) => Pair::Both(head + x, head + y),
        Pair::Old(x) => Pair::Old(head + x),
        Pair::New(y) => Pair::New(head + y),
    }));
    pairs.extend((0..tail).rev().map(|back| Pair::Both(old.len() - 1 - back, new.len() - 1 - back)));
    pairs
}

fn align_middle<T: PartialEq>(a: &[T], b: &[T]) -> Vec<Pair> {
    let width = b.len() + 1;
    if (a.len() + 1).saturating_mul(width) > CELLS_MAX {
        return (0..a.len()).map(Pair::Old).chain((0..b.len()).map(Pair::New)).collect();
    }
    // common[x][y]: length of the longest common part of a[x..] and b[y..].
    let mut common = vec![0_u32; (a.len() + 1) * width];
    for x in (0..a.len()).rev() {
        for y in (0..b.len()).rev() {
            let (right, down) = (common[x * width + y + 1], common[(x + 1) * width + y]);
            common[x * width + y] =
                if a[x] == b[y] { common[(x + 1) * width + y + 1] + 1 } else { right.max(down) };
        }
    }
    let (mut x, mut y, mut pairs) = (0, 0, Vec::new());
    while x < a.len() || y < b.len() {
        if x < a.len() && y < b.len() && a[x] == b[y] {
            pairs.push(Pair::Both(x, y));
            (x, y) = (x + 1, y + 1);
        } else if y == b.len() || x < a.len() && common[(x + 1) * width + y] >= common[x * width + y + 1] {
            pairs.push(Pair::Old(x));
            x += 1;
        } else {
            pairs.push(Pair::New(y));
            y += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Timestamp;
    use crate::library::cases::Priority;
    use crate::library::text::Title;

    fn revision(title: &str, body: &str, steps: &[&str]) -> Revision {
        let steps = steps.iter().map(|s| Step { action: (*s).to_owned(), expected: String::new() }).collect();
        Revision {
            number: 1,
            title: Title::stored(title.to_owned()),
            priority: Priority::Normal,
            precondition: String::new(),
            body: body.to_owned(),
            steps,
            author: None,
            created_at: Timestamp(0),
        }
    }

    fn shown(old: &[&str], new: &[&str]) -> String {
        let diff = diff(&revision("t", "", old), &revision("t", "", new));
        let word = |change: &StepChange| match change {
            StepChange::Same(step) => format!("={}", step.action),
            StepChange::Added(step) => format!("+{}", step.action),
            StepChange::Removed(step) => format!("-{}", step.action),
            StepChange::Changed(old, new) => format!("{}>{}", old.action, new.action),
        };
        diff.steps.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn steps_are_compared_as_a_reader_would() {
        assert_eq!(shown(&["a", "b"], &["a", "b"]), "");
        assert_eq!(shown(&["a", "b"], &["a", "x", "b"]), "=a +x =b");
        assert_eq!(shown(&["a", "b", "c"], &["a", "c"]), "=a -b =c");
        assert_eq!(shown(&["a", "b", "c"], &["a", "x", "c"]), "=a b>x =c");
        assert_eq!(shown(&["a", "b", "c", "d"], &["c", "d", "e"]), "-a -b =c =d +e");
        assert_eq!(shown(&[], &["a"]), "+a");
    }

    #[test]
    fn fields_are_compared_line_by_line() {
        let diff = diff(&revision("Pay", "one\ntwo", &[]), &revision("Pay now", "one\nthree", &[]));
        let lines = |name| diff.fields.iter().find(|field| field.name == name).unwrap().lines.clone();
        assert_eq!(lines("Title"), [LineChange::Removed("Pay".into()), LineChange::Added("Pay now".into())]);
        assert_eq!(
            lines("Text"),
            [
                LineChange::Same("one".into()),
                LineChange::Removed("two".into()),
                LineChange::Added("three".into())
            ]
        );
        assert!(super::diff(&revision("a", "b", &["c"]), &revision("a", "b", &["c"])).is_empty());
    }

    #[test]
    fn long_texts_cost_bounded_memory() {
        let old: Vec<String> = (0..5_000).map(|n| format!("a{n}")).collect();
        let new: Vec<String> = (0..5_000).map(|n| format!("b{n}")).collect();
        assert_eq!(align(&old, &new).len(), 10_000);
    }
}
