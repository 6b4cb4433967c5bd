//! Lines and servers that fail: a clear error in bounded time, nothing half visible, and the next run works.

use super::proxy::Proxy;
use super::servers::{self, Server};
use crate::keeping::backup::bench::files;
use crate::support::port::free_port;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use testkeep::keeping::backup::storage::{Limits, Place, Storage};
use testkeep::keeping::backup::{Ledger, Target};
use testkeep::kernel::error::Error;

/// Impatient, so that the tests are quick; the bounds below follow from these.
pub const QUICK: Limits = Limits {
    bytes_per_second: None,
    connect_wait: Duration::from_secs(2),
    silence_max: Duration::from_millis(1_500),
    tries_max: 3,
    tries_for: Duration::from_secs(60),
    retry_pause: Duration::from_millis(50),
};
/// Three attempts, each silent for its time, and some air for a busy machine.
const BOUND: Duration = Duration::from_secs(12);

/// The kinds behind a network.
fn networked() -> Vec<Server> {
    servers::every().into_iter().filter(|server| server.port != 0).collect()
}

/// At the same time on all of them: most of it is waiting.
fn on_each(servers: Vec<Server>, act: impl Fn(&Server) + Sync) {
    scope(|scope| servers.iter().for_each(|server| drop(scope.spawn(|| act(server)))));
}

/// The target as it is reached over a line that can be spoiled.
pub fn through(server: &Server, proxy: &Proxy, limits: Limits) -> Target {
    let place = server.place.replace(&format!(":{}", server.port), &format!(":{}", proxy.port));
    place.parse::<Place>().unwrap().open(&server.access, limits).unwrap()
}

fn pack() -> (String, Vec<Bytes>) {
    let content: Vec<Bytes> = (0..16_u8).map(|part| Bytes::from(vec![part; 512 << 10])).collect();
    (format!("data/cd/cd{}", "1".repeat(62)), content)
}

/// What a server keeps, other than what `sweep` removes.
fn nothing_is_left(server: &Server, storage: &dyn Storage) {
    storage.sweep().unwrap();
    assert_eq!(large_files(&server.folder), Vec::<PathBuf>::new(), "{}", server.kind);
}

/// Files in which content could be; some servers drop folders that became empty.
pub fn large_files(folder: &Path) -> Vec<PathBuf> {
    let found = if folder.exists() { files(folder) } else { Vec::new() };
    found.into_iter().filter(|path| path.metadata().is_ok_and(|found| found.len() > 1_000)).collect()
}

fn refused_in_time<T>(kind: &str, act: impl FnOnce() -> Result<T, Error>) -> Error {
    let began = Instant::now();
    let error = act().err().unwrap_or_else(|| panic!("{kind}: it should have failed"));
    let took = began.elapsed();
    println!("{kind}: {took:?}: {error:?}");
    assert!(took < BOUND, "{kind}: {took:?}");
    assert!(error.hint_text().is_some(), "{kind}: {error:?}");
    error
}

#[test]
fn f13_a_line_that_is_cut_once_costs_another_attempt_and_nothing_else() {
    on_each(networked(), |server| {
        let proxy = Proxy::before(server.port);
        let target = through(server, &proxy, QUICK);
        let (storage, (name, content)) = (target.storage(), pack());
        storage.prepare().unwrap();
        proxy.cut_once_after(3 << 20);
        storage.put(&name, &content).unwrap();
        assert_eq!(proxy.cuts(), 1, "{}", server.kind);
        assert_eq!(storage.get(&name).unwrap(), content.concat(), "{}", server.kind);
        proxy.delay(3);
        assert_eq!(storage.get_range(&name, 512 << 10, 1).unwrap(), &[1][..], "a slow line is no failure");
        proxy.mend();
        storage.delete(&name).unwrap();
        nothing_is_left(server, storage);
    });
}

#[test]
fn f13_a_lost_line_is_told_in_time_and_leaves_nothing_half_visible() {
    on_each(networked(), |server| {
        let proxy = Proxy::before(server.port);
        let target = through(server, &proxy, QUICK);
        let (storage, (name, content)) = (target.storage(), pack());
        storage.prepare().unwrap();
        proxy.lose_after(3 << 20);
        let error = refused_in_time(server.kind, || storage.put(&name, &content));
        assert!(error.sentence().ends_with(" was cut."), "{error:?}");
        let direct = server.open();
        assert_eq!(direct.storage().stat(&name).unwrap(), None, "{}", server.kind);
        assert_eq!(direct.storage().list("data").unwrap(), [], "{}", server.kind);
        proxy.mend();
        nothing_is_left(server, storage);
        storage.put(&name, &content).unwrap();
        assert_eq!(storage.get(&name).unwrap(), content.concat(), "{}", server.kind);
    });
}

#[test]
fn f13_a_target_that_says_nothing_is_given_up_in_time() {
    on_each(networked(), |server| {
        let proxy = Proxy::before(server.port);
        let target = through(server, &proxy, QUICK);
        let (storage, (name, content)) = (target.storage(), pack());
        storage.prepare().unwrap();
        proxy.swallow();
        let error = refused_in_time(server.kind, || storage.put(&name, &content));
        let is_told = error.sentence().contains(" was silent for ")
            || error.sentence().contains(" did not answer within ");
        assert!(is_told, "{error:?}");
        refused_in_time(server.kind, || storage.stat(&name));
        proxy.mend();
        assert_eq!(storage.stat(&name).unwrap(), None, "{}", server.kind);
        storage.put(&name, &content).unwrap();
        assert_eq!(storage.get(&name).unwrap(), content.concat(), "{}", server.kind);
    });
}

#[test]
fn the_stop_button_works_in_the_middle_of_an_object() {
    on_each(networked(), |server| {
        let proxy = Proxy::before(server.port);
        let target = through(server, &proxy, Limits::default());
        let (name, content) = pack();
        target.storage().prepare().unwrap();
        let ledger = Arc::new(Ledger::default());
        let storage = target.storage().with_ledger(&ledger).unwrap();
        proxy.swallow();
        scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(300));
                ledger.cancel();
            });
            let began = Instant::now();
            let error = storage.put(&name, &content).unwrap_err();
            assert_eq!(error.sentence(), "The backup was cancelled.");
            assert!(began.elapsed() < Duration::from_secs(2), "{}: {:?}", server.kind, began.elapsed());
        });
        proxy.mend();
        assert_eq!(target.storage().stat(&name).unwrap(), None, "{}", server.kind);
        nothing_is_left(server, target.storage());
    });
}

#[test]
fn a_bandwidth_cap_holds_in_both_directions() {
    on_each(servers::every(), |server| {
        let direct = server.open();
        direct.storage().prepare().unwrap();
        let target = server.open_with(Limits::capped(Some(1 << 20)));
        let (storage, content) = (target.storage(), [Bytes::from(vec![7; 1 << 20])]);
        let began = Instant::now();
        storage.put("index/capped", &content).unwrap();
        let put = began.elapsed();
        assert_eq!(storage.get("index/capped").unwrap().len(), 1 << 20);
        let both = began.elapsed();
        println!("{}: 1 MiB up in {put:?}, down in {:?}", server.kind, both - put);
        assert!(put > Duration::from_millis(850), "{}: {put:?}", server.kind);
        // The last piece that comes down may be large, and is not waited for.
        assert!(both > Duration::from_millis(1_350), "{}: {both:?}", server.kind);
    });
}

#[test]
fn nobody_listens_and_nobody_is_called_so() {
    let port = free_port();
    on_each(networked(), |server| {
        let place = server.place.replace(&format!(":{}", server.port), &format!(":{port}"));
        let target = place.parse::<Place>().unwrap().open(&server.access, QUICK).unwrap();
        let error = refused_in_time(server.kind, || target.storage().stat("config"));
        assert!(error.sentence().ends_with(" refused the connection."), "{error:?}");
    });
}
