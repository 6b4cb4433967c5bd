//! Every kind of entry there is, gathered from the areas, with its meaning.

use crate::kernel::audit::Event;
use crate::{exchange, keeping, library, people, running};

/// What the door itself notes.
const OF_THE_DOOR: &[Event] =
    &[Event::new("access.denied", "Something was asked for that the actor may not do.")];

/// All events of all areas.
pub fn all() -> impl Iterator<Item = &'static Event> {
    let areas =
        [people::events(), library::events(), running::events(), exchange::events(), keeping::events()];
    OF_THE_DOOR.iter().chain(areas.into_iter().flatten())
}

/// What an event means, in one sentence.
pub(super) fn meaning(name: &str) -> &'static str {
    let known = all().find(|event| event.name == name);
    known.map_or("Something that another version noted.", |event| event.meaning)
}

/// What a filter offers: the first words of event names, and `chosen` if it is longer than that.
pub(super) fn kinds(chosen: &str) -> Vec<(String, String)> {
    let mut words: Vec<&str> = all().filter_map(|event| event.name.split('.').next()).collect();
    words.sort_unstable();
    words.dedup();
    let everything = (String::new(), "Everything".to_owned());
    let kinds = words.into_iter().map(|word| (format!("{word}."), word.replace('_', " ")));
    let mut kinds: Vec<_> = [everything].into_iter().chain(kinds).collect();
    if !kinds.iter().any(|(value, _)| value == chosen) {
        kinds.push((chosen.to_owned(), chosen.to_owned()));
    }
    kinds
}
