//! Copies: the rule of 3-2-1, counted and not promised. Three copies of the data, the instance itself being one, on
//! two kinds of storage, one of them away from this machine.

use super::health::Standing;
use super::probe;
use crate::keeping::backup::storage::Place;
use std::collections::BTreeSet;
use std::path::Path;

const COPIES: usize = 3;
const STORES: usize = 2;

/// How many copies there are, and how far apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copies {
    /// The instance itself and each target with a good backup.
    pub copies: usize,
    /// Disks and servers that they lie on.
    pub stores: usize,
    /// How many of them lie away from this machine.
    pub away: usize,
}

impl Copies {
    /// Counts what there is of the instance in this data folder.
    pub fn count(standings: &[Standing], data: &Path) -> Copies {
        let good = standings.iter().filter(|standing| standing.target.is_enabled && standing.good.is_some());
        let places: Vec<Place> = good.filter_map(|standing| standing.target.address.parse().ok()).collect();
        let own = probe::disk(data).map(|disk| disk.to_string());
        let store = |place: &Place| match place.as_folder() {
            Some(folder) => probe::disk(folder).map(|disk| disk.to_string()),
            None => Some(place.server()),
        };
        let stores: BTreeSet<String> = places.iter().filter_map(store).chain(own).collect();
        let away = places.iter().filter(|place| probe::is_off_machine(place)).count();
        Copies { copies: 1 + places.len(), stores: stores.len(), away }
    }

    /// Whether the rule is kept.
    pub fn is_enough(&self) -> bool {
        self.copies >= COPIES && self.stores >= STORES && self.away > 0
    }

    /// What there is, in a sentence.
    pub fn sentence(&self) -> String {
        let Copies { copies, stores, away } = self;
        let some = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let (copies, stores) =
            (some(*copies, "copy", "copies"), some(*stores, "disk or server", "disks or servers"));
        let away = match away {
            0 => "none of them away from this machine".to_owned(),
            away => format!("{away} away from this machine"),
        };
        format!("{copies} on {stores}, {away}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_l5_5_one_target_alone_does_not_keep_the_rule() {
        let found = |copies, stores, away| Copies { copies, stores, away };
        assert!(found(3, 2, 1).is_enough() && found(4, 3, 2).is_enough());
        for lacking in [found(1, 1, 0), found(2, 2, 1), found(3, 1, 1), found(3, 2, 0)] {
            assert!(!lacking.is_enough(), "{lacking:?}");
        }
        assert_eq!(
            found(2, 1, 0).sentence(),
            "2 copies on 1 disk or server, none of them away from this machine."
        );
    }
}
