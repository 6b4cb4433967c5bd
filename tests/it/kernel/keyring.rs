//! The keyring: what opens it, what does not, and what is said about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkeep::kernel::error::{Error, Kind};
use testkeep::kernel::keyring::{Keyring, RecoveryKit, RecoverySecret, SlotKind, Unlock, default_key_file};
use testkeep::kernel::layout;
use testkeep::kernel::time::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Home {
        Home { folder: TempDir::new().unwrap() }
    }
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    fn key_file(&self) -> PathBuf {
        default_key_file(&self.data())
    }
    fn unlock(&self) -> Unlock {
        Unlock::KeyFile(self.key_file())
    }
    fn create(&self) -> (Keyring, RecoveryKit) {
        Keyring::create(&self.data(), &self.unlock(), NOW).unwrap()
    }
    fn json(&self) -> Vec<u8> {
        fs::read(layout::keyring(&self.data())).unwrap()
    }
    /// Opens with the key file and tells what was said; nothing in the folders may have changed.
    fn refusal(&self) -> Error {
        refusal(self, &self.unlock())
    }
}

fn refusal(home: &Home, unlock: &Unlock) -> Error {
    let before = files(home.folder.path());
    let error = Keyring::open(&home.data(), unlock).expect_err("this does not open it");
    assert_eq!(files(home.folder.path()), before, "nothing is made and nothing is overwritten");
    assert!(error.hint_text().is_some(), "{error:?}");
    error
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

fn same(one: &Keyring, other: &Keyring) -> bool {
    one.uuid() == other.uuid()
        && one.created_at() == other.created_at()
        && one.database().0 == other.database().0
        && one.chain().0 == other.chain().0
        && one.tokens() == other.tokens()
        && one.blobs().names == other.blobs().names
        && one.blobs().generations == other.blobs().generations
        && one.backup_password() == other.backup_password()
        && one.backup_signing() == other.backup_signing()
}

#[test]
fn t_de_5_every_way_in_opens_the_same_keys() {
    let home = Home::new();
    let (mut keyring, kit) = home.create();
    let credential = home.folder.path().join("testkeep.key");
    fs::write(&credential, "0f".repeat(32)).unwrap();
    let passphrase = Unlock::Passphrase(String::from("correct horse battery").into());
    keyring.add_slot(&passphrase).unwrap();
    keyring.add_slot(&Unlock::Credential(credential.clone())).unwrap();
    keyring.save(&home.data()).unwrap();
    let typed = RecoverySecret::parse(kit.print("Shop").expose()).unwrap();
    for unlock in [home.unlock(), passphrase, Unlock::Credential(credential), Unlock::Kit(typed)] {
        let opened = Keyring::open(&home.data(), &unlock).unwrap();
        assert!(same(&opened, &keyring), "{unlock:?}");
    }
}

#[test]
fn a_key_file_that_the_service_manager_hands_over_opens_too() {
    let home = Home::new();
    home.create();
    Keyring::open(&home.data(), &Unlock::Credential(home.key_file())).unwrap();
}

#[test]
fn t_de_3_the_keyring_and_the_key_file_are_for_their_owner_and_hold_no_plain_key() {
    let home = Home::new();
    let (keyring, kit) = home.create();
    for path in [home.key_file(), layout::keyring(&home.data())] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(home.data()).unwrap().permissions().mode() & 0o777, 0o700);
    let json = String::from_utf8(home.json()).unwrap();
    let plain_keys = [keyring.database().0, keyring.chain().0, keyring.tokens()];
    for key in plain_keys {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!json.contains(&hex));
    }
    let password = keyring.backup_password();
    let hex: String = password.expose().bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!json.contains(&hex) && !json.contains(password.expose()));
    assert_eq!(password, kit.secret.repository_password(), "the kit and the repository are enough");
    let shown = format!("{keyring:?} {kit:?} {:?}", home.unlock());
    assert!(!shown.contains(password.expose()) && !shown.contains(kit.secret.print().expose()));
}

#[test]
fn no_two_keys_are_equal() {
    let (one, _) = Home::new().create();
    let (other, _) = Home::new().create();
    let mut keys: Vec<[u8; 32]> = Vec::new();
    for keyring in [&one, &other] {
        keys.extend([keyring.database().0, keyring.chain().0, keyring.tokens()]);
        keys.extend([*keyring.blobs().names.expose(), *keyring.backup_signing().expose()]);
        keys.extend(keyring.blobs().generations.iter().map(|(_, key)| *key.expose()));
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn f16_a_missing_key_file_is_said_and_not_made() {
    let home = Home::new();
    home.create();
    fs::remove_file(home.key_file()).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.sentence().ends_with("data.key is missing."), "{error}");
}

#[test]
fn f16_the_key_file_of_another_instance_is_told_from_a_damaged_one() {
    let (home, other) = (Home::new(), Home::new());
    let (_, kit) = home.create();
    other.create();
    fs::copy(other.key_file(), home.key_file()).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert!(error.sentence().contains("is not the one of this instance"), "{error}");
    assert!(error.hint_text().unwrap().contains("fingerprint"));

    for damaged in ["", "0f0f", "not a key", &"0f".repeat(33), &"zz".repeat(32), &"x".repeat(9_999)] {
        fs::write(home.key_file(), damaged).unwrap();
        let error = home.refusal();
        assert_eq!(error.kind(), Kind::Unauthenticated);
        assert!(error.sentence().contains("64 hex digits"), "{error}");
    }
    Keyring::open(&home.data(), &Unlock::Kit(kit.secret)).expect("the kit opens what the key file does not");
}

#[test]
fn f16_a_wrong_passphrase_a_foreign_kit_and_a_missing_slot_have_their_sentences() {
    let home = Home::new();
    let right = Unlock::Passphrase(String::from("correct horse battery").into());
    Keyring::create(&home.data(), &right, NOW).unwrap();
    let wrong = Unlock::Passphrase(String::from("correct horse batterz").into());
    assert_eq!(refusal(&home, &wrong).sentence(), "This passphrase does not open the instance.");
    let (_, foreign) = Home::new().create();
    let foreign = refusal(&home, &Unlock::Kit(foreign.secret));
    assert_eq!(foreign.sentence(), "This recovery kit belongs to another instance.");
    fs::write(home.key_file(), "0f".repeat(32)).unwrap();
    fs::set_permissions(home.key_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let none = home.refusal();
    assert_eq!(none.sentence(), "This instance does not open with a key file.");
    assert_eq!(none.hint_text(), Some("It opens with a passphrase or the recovery kit."));
}

#[test]
fn f16_a_key_file_that_others_may_read_is_refused() {
    let home = Home::new();
    home.create();
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(home.key_file(), fs::Permissions::from_mode(mode)).unwrap();
        let error = home.refusal();
        assert!(error.hint_text().unwrap().contains("chmod 600"), "{error:?}");
    }
}

#[test]
fn f16_a_keyring_that_is_missing_beside_a_database_is_not_made_anew() {
    let home = Home::new();
    home.create();
    fs::write(layout::database(&home.data()), "a database").unwrap();
    fs::remove_file(layout::keyring(&home.data())).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().ends_with("keyring.json is missing."), "{error}");
    let error = Keyring::create(&home.data(), &home.unlock(), NOW).expect_err("a database is there");
    assert!(error.sentence().contains("it holds testkeep.db"), "{error}");
    assert!(!layout::keyring(&home.data()).exists());
}

#[test]
fn f16_an_empty_folder_is_no_instance() {
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    assert!(home.refusal().sentence().starts_with("There is no Testkeep instance in"));
}

#[test]
fn f16_an_instance_is_never_made_over_another() {
    let home = Home::new();
    home.create();
    let before = files(home.folder.path());
    let error = Keyring::create(&home.data(), &home.unlock(), NOW).expect_err("one is there");
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(files(home.folder.path()), before);
}

#[test]
fn f16_a_damaged_keyring_is_refused_wherever_the_damage_is() {
    let home = Home::new();
    let (keyring, _) = home.create();
    let whole = home.json();
    let path = layout::keyring(&home.data());
    for length in (0..whole.len() - 2).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = home.refusal();
        assert_eq!(error.kind(), Kind::Invalid, "cut after {length}");
        assert!(error.sentence().starts_with("keyring.json is damaged"), "{error}");
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&path, &damaged).unwrap();
        // Some places hold no secret: a gap, the date, a fingerprint, the kit's slot. Whatever opens is true.
        if let Ok(opened) = Keyring::open(&home.data(), &home.unlock()) {
            assert_eq!(opened.database().0, keyring.database().0, "at {place}");
            assert_eq!(opened.blobs().generations, keyring.blobs().generations, "at {place}");
        }
    }
}

#[test]
fn f19_a_keyring_of_a_newer_version_is_refused() {
    let home = Home::new();
    home.create();
    let json = String::from_utf8(home.json()).unwrap();
    let newer = json.replace("\"version\": 2", "\"version\": 3, \"more\": true");
    fs::write(layout::keyring(&home.data()), newer).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().contains("has version 3"), "{error}");
}

#[test]
fn a_key_file_that_is_there_is_used_and_never_overwritten() {
    let home = Home::new();
    let text = "0F".repeat(32) + " \n";
    fs::write(home.key_file(), &text).unwrap();
    fs::set_permissions(home.key_file(), fs::Permissions::from_mode(0o600)).unwrap();
    home.create();
    assert_eq!(fs::read_to_string(home.key_file()).unwrap(), text);

    let other = Home::new();
    fs::write(other.key_file(), "my notes").unwrap();
    fs::set_permissions(other.key_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let error = Keyring::create(&other.data(), &other.unlock(), NOW).expect_err("it is not a key");
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert_eq!(fs::read_to_string(other.key_file()).unwrap(), "my notes");
    assert!(!layout::keyring(&other.data()).exists());
}

#[test]
fn t_de_3_the_key_file_may_not_lie_in_the_data_folder() {
    let home = Home::new();
    let inside = Unlock::KeyFile(home.data().join("testkeep.key"));
    let error = Keyring::create(&home.data(), &inside, NOW).expect_err("this is inside");
    assert!(error.sentence().contains("must not lie inside"), "{error}");
    assert!(files(home.folder.path()).is_empty());
}

#[test]
fn the_key_file_lies_beside_the_data_folder() {
    for (data, expected) in [
        ("/var/lib/testkeep", "/var/lib/testkeep.key"),
        ("/var/lib/testkeep/", "/var/lib/testkeep.key"),
        ("/var/lib/testkeep//", "/var/lib/testkeep.key"),
        ("data.v1", "data.v1.key"),
        ("./data", "./data.key"),
    ] {
        assert_eq!(default_key_file(Path::new(data)), Path::new(expected), "{data}");
    }
    let here = std::env::current_dir().unwrap();
    let mut beside = here.clone().into_os_string();
    beside.push(".key");
    assert_eq!(default_key_file(Path::new(".")), Path::new(&beside));
    assert_eq!(default_key_file(&here.join("src/..")), Path::new(&beside));
}

#[test]
fn ways_in_can_be_exchanged_and_the_last_one_stays() {
    let home = Home::new();
    let (mut keyring, _) = home.create();
    let passphrase = |text: &str| Unlock::Passphrase(String::from(text).into());
    assert!(keyring.remove_slot(SlotKind::KeyFile).is_err(), "nothing else but the kit would be left");
    assert!(keyring.add_slot(&passphrase("too short")).is_err());
    assert!(keyring.add_slot(&home.unlock()).is_err(), "there is one");

    let exchanged = Unlock::KeyFile(home.folder.path().join("second.key"));
    keyring.replace_slot(&exchanged).unwrap();
    keyring.save(&home.data()).unwrap();
    assert!(Keyring::open(&home.data(), &exchanged).is_ok());
    assert!(home.refusal().sentence().contains("is not the one of this instance"));

    keyring.add_slot(&passphrase("long enough for us")).unwrap();
    keyring.remove_slot(SlotKind::KeyFile).unwrap();
    assert!(keyring.remove_slot(SlotKind::Recovery).is_err());
    assert!(keyring.remove_slot(SlotKind::Credential).is_err(), "there is none");
    assert_eq!(keyring.slots().collect::<Vec<_>>(), [SlotKind::Recovery, SlotKind::Passphrase]);
}

#[test]
fn the_master_key_of_the_backup_repository_is_kept_with_the_others() {
    let home = Home::new();
    let (mut keyring, _) = home.create();
    assert!(keyring.backup_master().is_none());
    keyring.put_backup_master(b"{\"mac\":1}");
    keyring.put_backup_master(b"{\"mac\":2}");
    keyring.save(&home.data()).unwrap();
    let opened = Keyring::open(&home.data(), &home.unlock()).unwrap();
    assert_eq!(opened.backup_master().unwrap().expose(), b"{\"mac\":2}");
    let moved = Keyring::open_bytes(&keyring.to_json(), &home.unlock()).unwrap();
    assert!(same(&moved, &opened));
}
