//! Differences as people read them: only what changed with a little around it, and the words that did.

use crate::library::cases::diff::{Diff, LineChange, StepChange};

/// Unchanged lines shown before and after a change.
const AROUND: usize = 2;

/// What became of one field, or of the steps.
pub(super) struct Piece {
    pub name: &'static str,
    pub lines: Vec<Line>,
}

/// One line of it, with the part of it that changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub tag: Tag,
    pub before: String,
    pub changed: String,
    pub after: String,
}

/// In which of both a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tag {
    /// In both.
    Same,
    /// In the older one.
    Removed,
    /// In the newer one.
    Added,
    /// Lines of both that are left out here.
    Gap,
}

impl Piece {
    /// A field of one line that changed.
    pub fn of_line(name: &'static str, old: &str, new: &str) -> Piece {
        Piece { name, lines: changed(old, new).into() }
    }

    /// The lines on one side.
    pub fn side(&self, without: Tag) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.tag != without).collect()
    }
}

/// Everything that two revisions say differently.
pub(super) fn pieces(diff: &Diff) -> Vec<Piece> {
    let fields = diff.fields.iter().map(|field| Piece { name: field.name, lines: of_field(&field.lines) });
    let steps: Vec<Line> = diff.steps.iter().flat_map(of_step).collect();
    let steps = (!steps.is_empty()).then(|| Piece { name: "Steps", lines: folded(steps) });
    fields.chain(steps).collect()
}

fn of_field(changes: &[LineChange]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut changes = changes.iter().peekable();
    while let Some(change) = changes.next() {
        match (change, changes.peek()) {
            (LineChange::Removed(old), Some(LineChange::Added(new))) => {
                lines.extend(changed(old, new));
                changes.next();
            }
            (LineChange::Same(text), _) => lines.push(Line::whole(Tag::Same, text)),
            (LineChange::Removed(text), _) => lines.push(Line::whole(Tag::Removed, text)),
            (LineChange::Added(text), _) => lines.push(Line::whole(Tag::Added, text)),
        }
    }
    folded(lines)
}

fn of_step(change: &StepChange) -> Vec<Line> {
    let outcome = |text: &str| if text.is_empty() { String::new() } else { format!("→ {text}") };
    let whole = |tag, action: &str, expected: &str| {
        let lines = [action.to_owned(), outcome(expected)];
        lines.iter().filter(|line| !line.is_empty()).map(|line| Line::whole(tag, line)).collect()
    };
    match change {
        StepChange::Same(step) => whole(Tag::Same, &step.action, &step.expected),
        StepChange::Added(step) => whole(Tag::Added, &step.action, &step.expected),
        StepChange::Removed(step) => whole(Tag::Removed, &step.action, &step.expected),
        StepChange::Changed(old, new) => {
            let both =
                [(old.action.clone(), new.action.clone()), (outcome(&old.expected), outcome(&new.expected))];
            let lines = both.iter().flat_map(|(old, new)| {
                if old == new { vec![Line::whole(Tag::Same, old)] } else { changed(old, new).into() }
            });
            lines.filter(|line| !line.is_empty()).collect()
        }
    }
}

impl Line {
    fn whole(tag: Tag, text: &str) -> Line {
        Line { tag, before: text.to_owned(), changed: String::new(), after: String::new() }
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.changed.is_empty() && self.after.is_empty()
    }
}

/// Both lines, with the words between their common beginning and their common end as what changed.
fn changed(old: &str, new: &str) -> [Line; 2] {
    let (a, b) = (words(old), words(new));
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let line = |tag, words: &[&str]| Line {
        tag,
        before: words[..head].concat(),
        changed: words[head..words.len() - tail].concat(),
        after: words[words.len() - tail..].concat(),
    };
    [line(Tag::Removed, &a), line(Tag::Added, &b)]
}

/// Words with the spaces between them as words of their own.
fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace)
        .flat_map(|word| {
            let end = word.trim_end().len();
            [&word[..end], &word[end..]]
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Leaves out what is the same far from any change.
fn folded(lines: Vec<Line>) -> Vec<Line> {
    let is_near = |place: usize| {
        let around = place.saturating_sub(AROUND)..(place + AROUND + 1).min(lines.len());
        lines[around].iter().any(|line| line.tag != Tag::Same)
    };
    let mut shown: Vec<Line> = Vec::new();
    let mut place = 0;
    while place < lines.len() {
        let far = (place..lines.len()).take_while(|place| !is_near(*place)).count();
        match far {
            0 => shown.push(lines[place].clone()),
            // One line says more than the word that it is left out.
            1 => shown.push(lines[place].clone()),
            _ => shown.push(Line::whole(Tag::Gap, &format!("{far} lines are the same"))),
        }
        place += far.max(1);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::cases::Step;

    fn told(line: &Line) -> String {
        let sign = match line.tag {
            Tag::Same => ' ',
            Tag::Removed => '-',
            Tag::Added => '+',
            Tag::Gap => '…',
        };
        format!("{sign}{}[{}]{}", line.before, line.changed, line.after)
    }

    fn field(changes: &[LineChange]) -> Vec<String> {
        of_field(changes).iter().map(told).collect()
    }

    #[test]
    fn the_words_that_changed_are_marked() {
        let (old, new) = ("opens within 5 s.".to_owned(), "opens within 3 s.".to_owned());
        let shown = field(&[LineChange::Removed(old), LineChange::Added(new)]);
        assert_eq!(shown, ["-opens within [5] s.", "+opens within [3] s."]);
        let shown = field(&[LineChange::Removed("a".into()), LineChange::Added("a b".into())]);
        assert_eq!(shown, ["-a[]", "+a[ b]"]);
    }

    #[test]
    fn lines_far_from_a_change_are_left_out() {
        let same = |n: usize| LineChange::Same(format!("l{n}"));
        let mut changes: Vec<_> = (0..6).map(same).collect();
        changes.push(LineChange::Added("new".into()));
        changes.extend((6..9).map(same));
        let shown = field(&changes);
        assert_eq!(shown, ["…4 lines are the same[]", " l4[]", " l5[]", "+new[]", " l6[]", " l7[]", " l8[]"]);
    }

    #[test]
    fn of_a_step_only_the_half_that_changed_is_marked() {
        let step = |action: &str, expected: &str| Step { action: action.into(), expected: expected.into() };
        let change = StepChange::Changed(step("Press **Pay**", "Paid"), step("Press **Pay**", "Paid twice"));
        let shown: Vec<_> = of_step(&change).iter().map(told).collect();
        assert_eq!(shown, [" Press **Pay**[]", "-→ Paid[]", "+→ Paid[ twice]"]);
        let shown: Vec<_> = of_step(&StepChange::Added(step("Go", ""))).iter().map(told).collect();
        assert_eq!(shown, ["+Go[]"]);
    }
}
