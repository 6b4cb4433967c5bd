//! What goes wrong is an error, and leaves no backup that only looks like one.

use super::bench::{Bench, PASSWORD, files, identity, second_process};
use bytes::Bytes;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use testkeep::keeping::backup::storage::{Folder, Storage};
use testkeep::keeping::backup::{Engine, Ledger, Receipt, Target};
use testkeep::kernel::access::{Pin, ReadAt};
use testkeep::kernel::error::{Error, Result};
use testkeep::kernel::secret::Secret;

/// A disk with a will of its own: `act` sees the number of the call and may spoil what was read.
struct Disk<F> {
    inner: Arc<dyn ReadAt>,
    calls: AtomicU64,
    act: F,
}

impl<F: Fn(u64, u64, &mut [u8]) -> io::Result<()> + Send + Sync + 'static> ReadAt for Disk<F> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let got = self.inner.read_at(buf, offset)?;
        (self.act)(self.calls.fetch_add(1, SeqCst), offset, &mut buf[..got])?;
        Ok(got)
    }
}

fn spoil(pin: &mut Pin, act: impl Fn(u64, u64, &mut [u8]) -> io::Result<()> + Send + Sync + 'static) {
    pin.file = Arc::new(Disk { inner: Arc::clone(&pin.file), calls: AtomicU64::new(0), act });
}

fn nothing_was_kept(bench: &Bench) {
    assert_eq!(bench.snapshots(), 0);
    assert_eq!(bench.engine.chain().unwrap().receipts, []);
}

#[test]
fn f12_a_failing_read_fails_the_backup_and_leaves_no_snapshot() {
    let bench = Bench::new(1_500);
    let mut pin = bench.pin();
    // The first pass reads two slices; the engine hides what happens in the second.
    spoil(&mut pin, |call, _, _| if call < 5 { Ok(()) } else { Err(io::Error::other("the disk gave up")) });
    let refused = bench.backup_of(&pin, &Arc::default()).unwrap_err();
    assert!(refused.sentence().contains("pages: the disk gave up"), "{refused:?}");
    nothing_was_kept(&bench);
    drop(pin);
    bench.backup().unwrap();
}

#[test]
fn a_page_that_changes_under_the_pin_fails_the_backup() {
    let bench = Bench::new(100);
    let mut pin = bench.pin();
    spoil(&mut pin, |call, offset, read| {
        if offset == 0 && call > 0 {
            read[5_000] ^= 1;
        }
        Ok(())
    });
    let refused = bench.backup_of(&pin, &Arc::default()).unwrap_err();
    assert!(refused.sentence().contains("it changed while it was read"), "{refused:?}");
    nothing_was_kept(&bench);
}

#[test]
fn a_cancelled_backup_leaves_no_snapshot() {
    let bench = Bench::new(1_500);
    for at_call in [0, 1, 6] {
        let (mut pin, ledger) = (bench.pin(), Arc::new(Ledger::default()));
        let cancel = Arc::clone(&ledger);
        spoil(&mut pin, move |call, _, _| {
            if call == at_call {
                cancel.cancel();
            }
            Ok(())
        });
        let refused = bench.backup_of(&pin, &ledger).unwrap_err();
        assert_eq!(refused.sentence(), "The backup was cancelled.", "{refused:?}");
        nothing_was_kept(&bench);
    }
}

#[test]
fn f13_what_a_cut_backup_stored_is_not_stored_again() {
    let bench = Bench::new(3_000);
    let (mut pin, ledger) = (bench.pin(), Arc::new(Ledger::default()));
    let (cancel, late) = (Arc::clone(&ledger), 3 * bench.pin().bytes / 4);
    spoil(&mut pin, move |_, offset, _| {
        // The second pass, three quarters through: what lies before is stored already.
        if cancel.bytes_done.load(std::sync::atomic::Ordering::Relaxed) >= late && offset > 0 {
            cancel.cancel();
        }
        Ok(())
    });
    bench.backup_of(&pin, &ledger).unwrap_err();
    drop(pin);
    let again = bench.backup().unwrap();
    let whole = Bench::new(3_000).backup().unwrap().bytes_added;
    println!("whole {whole} bytes, after a cut at three quarters {}", again.bytes_added);
    assert!(again.bytes_added * 2 < whole, "{} of {whole} were stored again", again.bytes_added);
    assert!(bench.engine.verify_latest().unwrap().findings.errors.is_empty());
}

#[test]
fn a_flipped_bit_is_found_by_check_and_refused_by_restore() {
    let bench = Bench::new(600);
    let receipt = bench.backup().unwrap();
    let pack = bench.largest_pack();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    is_found_damaged(&bench, &receipt);
}

#[test]
fn a_missing_pack_is_found_by_check_and_refused_by_restore() {
    let bench = Bench::new(600);
    let receipt = bench.backup().unwrap();
    fs::remove_file(bench.largest_pack()).unwrap();
    is_found_damaged(&bench, &receipt);
}

fn is_found_damaged(bench: &Bench, receipt: &Receipt) {
    assert_ne!(bench.engine.verify_latest().unwrap().findings.errors, [""; 0]);
    let before = fs::read_dir(bench.path("")).unwrap().count();
    let refused = bench.restore(receipt).unwrap_err();
    assert!(refused.sentence().ends_with("so nothing was restored."), "{refused:?}");
    assert_eq!(
        fs::read_dir(bench.path("")).unwrap().count(),
        before,
        "neither destination nor staging stays"
    );
}

/// A target that stops to answer after some objects.
struct Flaky {
    inner: Folder,
    left: AtomicU64,
}

impl Storage for Flaky {
    fn put(&self, name: &str, content: &[Bytes]) -> Result<()> {
        match self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => self.inner.put(name, content),
            Err(_) => Err(Error::busy("The line is dead.")),
        }
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }
    fn sweep(&self) -> Result<()> {
        self.inner.sweep()
    }
    fn get(&self, name: &str) -> Result<Bytes> {
        self.inner.get(name)
    }
    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes> {
        self.inner.get_range(name, offset, length)
    }
    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        self.inner.list(folder)
    }
    fn stat(&self, name: &str) -> Result<Option<u64>> {
        self.inner.stat(name)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name)
    }
}

#[test]
fn f13_a_target_that_dies_midway_gives_an_error_and_the_next_run_a_backup() {
    let bench = Bench::new(600);
    let master = Secret::new(fs::read(bench.path("master")).unwrap());
    let pin = bench.pin();
    // 0: no pack arrives. 2: no snapshot. 5: the index of what was cut, then data pack, tree pack, index and
    // snapshot, no receipt.
    for left in [0, 2, 5] {
        let target = Target::of(Flaky { inner: Folder::new(&bench.path("target")), left: left.into() });
        let password = Secret::new(PASSWORD.to_owned());
        let receipts = bench.path("home/receipts");
        let engine = Engine::new(target, password, Some(&master), identity("bench"), &receipts);
        let refused = bench.backup_with(&engine, &pin, &Arc::default()).unwrap_err();
        assert_eq!(refused.sentence(), "The line is dead.", "{refused:?}");
        assert_eq!(bench.engine.chain().unwrap().receipts, []);
        assert!(bench.engine.list().unwrap().iter().all(|found| found.receipt.is_none()));
    }
    assert_eq!(bench.snapshots(), 1, "the last of them died between snapshot and receipt");
    bench.backup_of(&pin, &Arc::default()).unwrap();
    assert_eq!(bench.engine.verify_latest().unwrap().findings.errors, [""; 0]);
}

#[test]
fn a_killed_backup_leaves_the_repository_usable() {
    if let Some(bench) = second_process() {
        let mut pin = bench.pin();
        // Stops in the middle of the second pass, so that the kill always finds it there.
        spoil(&mut pin, |call, offset, _| {
            if call > 4 && offset > 10 << 20 {
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            Ok(())
        });
        bench.backup_of(&pin, &Arc::default()).unwrap();
        return;
    }
    let bench = Bench::new(3_000);
    let mut other =
        bench.another_process("keeping::backup::broken::a_killed_backup_leaves_the_repository_usable");
    while bench.packs().is_empty() {
        other.must_live();
    }
    let refused = bench.backup().unwrap_err();
    assert_eq!(refused.sentence(), "Another backup job is at work on this target.");
    fs::write(bench.path("target/tmp/1-0"), b"half a pack").unwrap();
    assert_eq!(other.kill().signal(), Some(9));

    assert_eq!(bench.snapshots(), 0);
    let receipt = bench.backup().unwrap();
    assert_eq!(fs::read_dir(bench.path("target/tmp")).unwrap().count(), 0);
    let findings = bench.engine.verify_latest().unwrap().findings;
    assert_eq!(findings.errors, [""; 0]);
    assert_eq!(findings.warnings, [""; 0], "packs of the killed run are used");
    bench.restore(&receipt).unwrap();
    bench.restored();
}

#[test]
fn f13_a_repository_whose_making_was_cut_off_is_made_anew_with_one_key() {
    let bench = Bench::new(20);
    let place = bench.path("elsewhere");
    let engine = |target: Target| {
        let password = Secret::new(PASSWORD.to_owned());
        Engine::new(target, password, None, identity("bench"), &bench.path("home/elsewhere"))
    };
    for _ in 0..2 {
        // The key is stored first, then the config.
        let cut = engine(Target::of(Flaky { inner: Folder::new(&place), left: 1.into() }));
        assert_eq!(cut.init_if_absent().unwrap_err().sentence(), "The line is dead.");
    }
    fs::write(place.join("keys/of-somebody-else"), "words").unwrap();
    let whole = engine(Target::folder(&place));
    whole.init_if_absent().unwrap();
    assert_eq!(files(&place.join("keys")).len(), 2);
    fs::remove_file(place.join("keys/of-somebody-else")).unwrap();
    // By password alone, as whoever comes with the recovery kit.
    assert!(engine(Target::folder(&place)).list().unwrap().is_empty());

    bench.backup_with(&whole, &bench.pin(), &Arc::default()).unwrap();
    fs::rename(place.join("config"), bench.path("config")).unwrap();
    let refused = whole.init_if_absent().unwrap_err();
    assert!(refused.sentence().contains("without its file `config`"), "{refused:?}");
    fs::rename(bench.path("config"), place.join("config")).unwrap();
    assert_eq!(engine(Target::folder(&place)).list().unwrap().len(), 1);
}
