//! Blobs: what comes out is what went in, or nothing; and the disk never sees it.

use futures_util::TryStreamExt as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkeep::kernel::blobs::{BlobName, Blobs, Stored, Verdict};
use testkeep::kernel::error::Kind;
use testkeep::kernel::keyring::BlobKeys;
use testkeep::kernel::secret::Secret;

const CHUNK: usize = 64 * 1024;
/// What stands before the chunks, and what each chunk has more than its content.
const HEAD: usize = 44;
const TAG: usize = 16;
const CANARY: &[u8] = b"canary-4711-in-a-file";

struct Home {
    folder: TempDir,
    blobs: Blobs,
}

fn keys(seed: u8) -> BlobKeys {
    BlobKeys { names: Secret::new([seed; 32]), generations: vec![(1, Secret::new([seed + 1; 32]))] }
}

impl Home {
    fn new() -> Home {
        let folder = TempDir::new().unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs"), keys(1)).unwrap();
        Home { folder, blobs }
    }
    fn store(&self, content: &[u8]) -> Stored {
        let mut writer = self.blobs.writer().unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }
    fn path(&self, name: &BlobName) -> PathBuf {
        let name = name.to_string();
        self.folder.path().join("blobs").join(&name[..2]).join(name)
    }
    fn read(&self, name: &BlobName) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let reader = self.blobs.reader(name).map_err(io::Error::other);
        reader?.read_to_end(&mut content).map(|_| content)
    }
    /// Writes these bytes in place of a blob and expects that nobody takes them for it.
    fn refuses(&self, name: &BlobName, damaged: &[u8], why: &str) {
        fs::write(self.path(name), damaged).unwrap();
        assert!(self.read(name).is_err(), "{why}");
        let verdict = self.blobs.verify(name).unwrap();
        assert!(matches!(verdict, Verdict::Damaged(_)), "{why}: {verdict:?}");
    }
}

/// Content that repeats nowhere, with the canary in each chunk.
fn content(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(length).collect();
    for chunk in bytes.chunks_mut(CHUNK / 2).filter(|chunk| chunk.len() > CANARY.len()) {
        chunk[..CANARY.len()].copy_from_slice(CANARY);
    }
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holds_canary(folder: &Path) -> bool {
    files(folder).iter().any(|path| fs::read(path).unwrap().windows(CANARY.len()).any(|w| w == CANARY))
}

#[test]
fn content_of_every_length_comes_back() {
    let home = Home::new();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7] {
        let content = content(length);
        let stored = home.store(&content);
        assert_eq!(home.read(&stored.name).unwrap(), content, "{length}");
        assert_eq!(stored.bytes, i64::try_from(length).unwrap());
        assert_eq!(home.blobs.reader(&stored.name).unwrap().length(), length as u64);
        assert_eq!(home.blobs.verify(&stored.name).unwrap(), Verdict::Whole);
        let chunks = length.div_ceil(CHUNK).max(1);
        let sealed = fs::metadata(home.path(&stored.name)).unwrap().len();
        assert_eq!(sealed, (HEAD + length + chunks * TAG) as u64);
    }
    let stored = home.store(b"abc");
    assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn the_same_content_is_kept_once_and_each_instance_names_it_differently() {
    let (home, other) = (Home::new(), TempDir::new().unwrap());
    let (first, before) = (home.store(&content(9_999)), files(home.folder.path()));
    let sealed = fs::read(&before[0]).unwrap();
    assert_eq!(home.store(&content(9_999)), first);
    assert_eq!(files(home.folder.path()), before, "one file, and nothing temporary");
    assert_eq!(fs::read(&before[0]).unwrap(), sealed, "it was not even written again");
    assert_eq!(home.blobs.names().unwrap(), std::slice::from_ref(&first.name));

    let other = Blobs::open(other.path(), keys(7)).unwrap();
    let mut writer = other.writer().unwrap();
    writer.write_all(&content(9_999)).unwrap();
    assert_ne!(writer.finish().unwrap().name, first.name);
}

#[test]
fn t_de_1_nothing_on_the_disk_tells_what_was_stored() {
    let home = Home::new();
    home.store(&content(3 * CHUNK));
    let mut writer = home.blobs.writer().unwrap();
    writer.write_all(&content(3 * CHUNK)).unwrap();
    let mut spool = home.blobs.spool(u64::MAX).unwrap();
    spool.push(&content(3 * CHUNK)).unwrap();
    let spool = spool.finish().unwrap();
    assert!(files(home.folder.path()).len() >= 2, "one is stored and one is on its way");
    assert!(!holds_canary(home.folder.path()));
    // A spool has no name, but this process can find it.
    let unnamed = fs::read_dir("/proc/self/fd").unwrap().filter_map(|open| {
        let open = open.unwrap().path();
        fs::read_link(&open).is_ok_and(|file| file.starts_with(home.folder.path())).then_some(open)
    });
    let unnamed: Vec<Vec<u8>> = unnamed.map(|open| fs::read(open).unwrap()).collect();
    assert!(unnamed.iter().any(|sealed| sealed.len() > 3 * CHUNK), "the spool is among them");
    assert!(!unnamed.iter().any(|sealed| sealed.windows(CANARY.len()).any(|window| window == CANARY)));
    for path in files(home.folder.path()) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
    }
    drop((writer, spool));
    assert_eq!(files(home.folder.path()).len(), 1, "what was not finished is gone");
}

#[test]
fn f09_t_de_4_a_flipped_byte_is_found_wherever_it_is() {
    let home = Home::new();
    let stored = home.store(&content(CHUNK + 100));
    let sealed = fs::read(home.path(&stored.name)).unwrap();
    let places = (0..HEAD + 40).chain((HEAD + 40..sealed.len()).step_by(4_099));
    for place in places.chain([HEAD + CHUNK, HEAD + CHUNK + TAG, sealed.len() - 1]) {
        let mut damaged = sealed.clone();
        damaged[place] ^= 1;
        home.refuses(&stored.name, &damaged, &format!("byte {place}"));
    }
}

#[test]
fn f09_a_blob_cut_short_or_lengthened_is_refused() {
    let home = Home::new();
    let stored = home.store(&content(3 * CHUNK));
    let sealed = fs::read(home.path(&stored.name)).unwrap();
    let step = CHUNK + TAG;
    for length in [0, 1, 28, HEAD, HEAD + 1, HEAD + TAG, HEAD + step, HEAD + 2 * step, sealed.len() - 1] {
        home.refuses(&stored.name, &sealed[..length], &format!("cut after {length}"));
    }
    for more in [1, TAG, step] {
        let longer = [&sealed[..], &sealed[HEAD..HEAD + more]].concat();
        home.refuses(&stored.name, &longer, &format!("{more} more"));
    }
}

#[test]
fn f09_chunks_and_files_that_changed_places_are_refused() {
    let home = Home::new();
    let stored = home.store(&content(3 * CHUNK));
    let sealed = fs::read(home.path(&stored.name)).unwrap();
    let (head, chunks) = sealed.split_at(HEAD);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + TAG).collect();
    for order in [[1, 0, 2], [0, 2, 1], [0, 0, 2], [2, 1, 0]] {
        let moved = [head, chunks[order[0]], chunks[order[1]], chunks[order[2]]].concat();
        home.refuses(&stored.name, &moved, &format!("{order:?}"));
    }
    // Both files are whole and sealed with the right key; only their names changed.
    let other = home.store(b"another");
    let foreign = fs::read(home.path(&other.name)).unwrap();
    home.refuses(&stored.name, &foreign, "another blob under this name");
}

#[test]
fn f09_storing_the_content_again_mends_a_damaged_blob() {
    let home = Home::new();
    let stored = home.store(&content(500));
    home.refuses(&stored.name, b"TKB1 and rubbish", "rubbish");
    assert_eq!(home.store(&content(500)), stored);
    assert_eq!(home.read(&stored.name).unwrap(), content(500));
}

#[test]
fn a_missing_blob_is_said() {
    let home = Home::new();
    let name: BlobName = "0f".repeat(32).parse().unwrap();
    assert_eq!(home.blobs.reader(&name).err().unwrap().kind(), Kind::NotFound);
    assert_eq!(home.blobs.verify(&name).unwrap(), Verdict::Missing);
    for odd in ["", "../../etc/passwd", &"0F".repeat(32), &"0f".repeat(33)] {
        odd.parse::<BlobName>().expect_err("this names no blob");
    }
}

#[test]
fn an_older_key_opens_what_it_sealed() {
    let home = Home::new();
    let stored = home.store(&content(500));
    let mut rotated = keys(1);
    rotated.generations.push((2, Secret::new([99; 32])));
    let blobs = Blobs::open(&home.folder.path().join("blobs"), rotated).unwrap();
    assert_eq!(blobs.verify(&stored.name).unwrap(), Verdict::Whole);
    let mut writer = blobs.writer().unwrap();
    writer.write_all(b"new").unwrap();
    let new = writer.finish().unwrap();
    assert_eq!(
        home.blobs.verify(&new.name).unwrap(),
        Verdict::Damaged("the keyring has no key 2 for it".into())
    );
}

#[test]
fn f1_what_a_killed_process_left_is_swept() {
    let home = Home::new();
    let stored = home.store(b"kept");
    fs::write(home.folder.path().join("blobs/tmp/.tmpABC"), "half").unwrap();
    assert_eq!(home.blobs.sweep().unwrap(), 1);
    assert_eq!(files(home.folder.path()), [home.path(&stored.name)]);
}

#[actix_web::test]
async fn a_spool_is_read_as_often_as_wanted_and_stored() {
    let home = Home::new();
    let mut spool = home.blobs.spool(1 << 20).unwrap();
    for piece in content(3 * CHUNK).chunks(1_000) {
        spool.push(piece).unwrap();
    }
    let spool = spool.finish().unwrap();
    let (mut one, mut two) = (spool.reader().unwrap(), spool.reader().unwrap());
    let (mut first, mut second) = (vec![0; 100_000], Vec::new());
    one.read_exact(&mut first).unwrap();
    two.read_to_end(&mut second).unwrap();
    one.read_to_end(&mut first).unwrap();
    assert!(first == content(3 * CHUNK) && second == first);

    let stored = home.blobs.keep(&spool).await.unwrap();
    assert_eq!((stored.sha256, stored.bytes), (spool.sha256(), spool.bytes().cast_signed()));
    let (bytes, pieces) = home.blobs.download(&stored.name).await.unwrap();
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    assert_eq!(bytes, spool.bytes());
    assert!(pieces.concat() == content(3 * CHUNK));
    let pieces: Vec<_> = spool.stream().unwrap().try_collect().await.unwrap();
    assert!(pieces.concat() == content(3 * CHUNK));
}

#[actix_web::test]
async fn f09_a_download_of_a_damaged_blob_is_refused_before_its_first_byte() {
    let home = Home::new();
    let stored = home.store(&content(3 * CHUNK));
    let mut sealed = fs::read(home.path(&stored.name)).unwrap();
    sealed[HEAD + CHUNK + TAG + 5] ^= 1;
    fs::write(home.path(&stored.name), sealed).unwrap();
    let error = home.blobs.download(&stored.name).await.err().expect("it is damaged");
    assert_eq!(error.kind(), Kind::Damaged);
    let told = home.blobs.distress().taken().await;
    assert!(told.contains(&testkeep::kernel::distress::Damage::Blob(stored.name)));
}

#[test]
fn f25_a_spool_takes_no_more_than_its_bound() {
    let home = Home::new();
    let mut spool = home.blobs.spool(2 << 20).unwrap();
    spool.push(&content(2 << 20)).unwrap();
    let error = spool.push(b"x").unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(error.sentence(), "This file is larger than 2 MiB.");
}
