//! Cut and damaged files: an answer always, a panic never.

use super::{read_all, sample, samples};
use std::io::{BufReader, Read};
use testkeep::exchange::ingest::{Format, detect, read};
use testkeep::kernel::error::Kind;

/// Hands out a few bytes at a time, so that every token is torn somewhere.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(3);
        self.0.read(&mut into[..count])
    }
}

#[test]
fn a_report_that_is_cut_anywhere_is_refused() {
    for (name, bytes) in samples() {
        let whole = read_all(&bytes).is_ok();
        let body = bytes.trim_ascii_end().len();
        for end in 0..body {
            let _ = detect(&bytes[..end]);
            let cut = read_all(&bytes[..end]);
            assert!(cut.is_err(), "{name} is cut after {end} bytes");
            assert_ne!(cut.err().map(|error| error.kind()), Some(Kind::Internal), "{name}, {end}");
        }
        assert_eq!(read_all(&bytes[..body]).is_ok(), whole, "{name}");
    }
}

#[test]
fn damaged_bytes_never_stop_the_program() {
    // Any generator does: what matters is that a failure can be repeated.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let telling = b"<>&;\"'/!-[]?=#x \n\0\x1B\x80\xC3\xE2\xFF";
    for (_, bytes) in samples() {
        for _ in 0..150 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random(4) {
                let place = random(damaged.len());
                match random(3) {
                    0 => damaged[place] ^= 1 << random(8),
                    1 => damaged[place] = telling[random(telling.len())],
                    _ => {
                        damaged.remove(place);
                    }
                }
            }
            let _ = detect(&damaged);
            let _ = read_all(&damaged);
        }
    }
}

#[test]
fn the_way_bytes_arrive_changes_nothing() {
    for (name, bytes) in samples() {
        let mut all = Vec::new();
        let input = BufReader::with_capacity(2, Drip(&bytes));
        let summary = read(Format::Junit, "report.xml", input, &mut |found| {
            all.push(found);
            Ok(())
        });
        match read_all(&bytes) {
            Ok(whole) => assert_eq!((all, summary.unwrap()), whole, "{name}"),
            Err(error) => assert_eq!(summary.unwrap_err().sentence(), error.sentence(), "{name}"),
        }
    }
}

#[test]
fn an_error_of_the_source_is_ours_not_the_files() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    struct TooLarge;
    impl Read for TooLarge {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other(testkeep::kernel::error::Error::too_large("This is too large.")))
        }
    }
    let start = &sample("surefire")[..1200];
    let broken = BufReader::new(start.chain(Broken));
    let error = read(Format::Junit, "report.xml", broken, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    let too_large = BufReader::new(start.chain(TooLarge));
    let error = read(Format::Junit, "report.xml", too_large, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.sentence(), "This is too large.");
}
