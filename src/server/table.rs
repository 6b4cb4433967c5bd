//! The table of all routes: one line per slice, and the tests walk the same list.

use super::{openapi, status};
use crate::exchange::uploads;
use crate::keeping::{
    backups, certificates, drills, integrity, keys, maintenance, overview, restores, retention, runbook,
    shipping, storage, trail,
};
use crate::library::{cases, evidence, projects, suites};
use crate::people;
use crate::running::{home, results, runs, trash};
use crate::web::assets;
use crate::web::routes::Route;

/// Every route of the product.
pub fn table() -> Vec<Route> {
    [
        assets::routes(),
        status::routes(),
        openapi::routes(),
        people::routes(),
        projects::routes(),
        suites::routes(),
        cases::routes(),
        evidence::routes(),
        runs::routes(),
        results::routes(),
        trash::routes(),
        home::routes(),
        uploads::routes(),
        backups::routes(),
        keys::routes(),
        drills::routes(),
        restores::routes(),
        runbook::routes(),
        certificates::routes(),
        shipping::routes(),
        trail::routes(),
        integrity::routes(),
        retention::routes(),
        storage::routes(),
        overview::routes(),
        maintenance::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
