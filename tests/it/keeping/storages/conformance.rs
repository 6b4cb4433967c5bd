//! What the engine relies on, asked of every kind of target.

use super::servers::{self, Server};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::thread;
use testkeep::keeping::backup::storage::{Storage, protection};
use testkeep::kernel::error::Kind;

/// More than one page of any protocol.
const MANY: usize = 1_050;

fn conforms(server: Option<Server>) {
    let Some(server) = server else { return };
    let target = server.open();
    let storage = target.storage();
    assert_eq!(storage.stat("config").unwrap(), None, "an empty place has nothing, whether it exists or not");
    storage.prepare().unwrap();
    storage.prepare().unwrap();
    one_object(storage);
    storage.sweep().unwrap();
    many_objects(storage);
    let proof = protection::probe(storage).unwrap();
    assert_eq!(proof.may_delete, Some(true), "{proof:?}");
    assert_eq!(storage.stat("testkeep-probe").unwrap(), None);
    assert!(!storage.location().contains("secret"));
}

fn one_object(storage: &dyn Storage) {
    let name = format!("data/ab/ab{}", "0".repeat(62));
    let parts = [Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b", two")];
    storage.put(&name, &parts).unwrap();
    assert_eq!(storage.get(&name).unwrap(), "one, two");
    assert_eq!(storage.stat(&name).unwrap(), Some(8));
    assert_eq!(storage.get_range(&name, 5, 3).unwrap(), "two");
    assert_eq!(storage.get_range(&name, 0, 8).unwrap(), "one, two");
    assert_eq!(storage.get_range(&name, 3, 0).unwrap(), "");
    assert!(storage.get_range(&name, 5, 4).is_err(), "shorter than asked for is an error");
    assert!(storage.get_range(&name, 9, 1).is_err());
    assert_eq!(storage.list("data").unwrap(), [(name.clone(), 8)]);
    assert_eq!(storage.list("data/ab").unwrap(), [(name.clone(), 8)]);

    storage.put(&name, &[Bytes::from_static(b"anew")]).unwrap();
    assert_eq!((storage.get(&name).unwrap(), storage.stat(&name).unwrap()), ("anew".into(), Some(4)));
    storage.put(&name, &[]).unwrap();
    assert_eq!((storage.get(&name).unwrap(), storage.stat(&name).unwrap()), (Bytes::new(), Some(0)));

    // A pack and more, in pieces that fit nothing.
    let large: Vec<Bytes> = (0..9_u8).map(|part| Bytes::from(vec![part; 1_000_003])).collect();
    storage.put(&name, &large).unwrap();
    assert_eq!(storage.get(&name).unwrap(), large.concat());
    assert_eq!(storage.get_range(&name, 1_000_002, 2).unwrap(), &[0, 1][..]);
    storage.delete(&name).unwrap();
    assert_eq!(storage.stat(&name).unwrap(), None);
    assert_eq!(storage.get(&name).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(storage.list("data").unwrap(), []);

    for name in ["testkeep.json", "receipts/00000001.json", "log/a-b_c/1.seg"] {
        storage.put(name, &[Bytes::from_static(b"{}")]).unwrap();
        assert_eq!(storage.get(name).unwrap(), "{}", "{name}");
    }
    assert_eq!(storage.list("receipts").unwrap(), [("receipts/00000001.json".to_owned(), 2)]);
    assert_eq!(storage.list("nowhere").unwrap(), []);
    for name in ["../up", "a//b", "/a", "a/", "", "a/./b", "a b", "a%2fb"] {
        assert_eq!(storage.put(name, &[]).unwrap_err().kind(), Kind::Internal, "{name}");
    }
}

fn many_objects(storage: &dyn Storage) {
    let name = |number: usize| format!("index/{number:064x}");
    thread::scope(|scope| {
        for worker in 0..6 {
            let put = move |number| storage.put(&name(number), &[vec![1; number % 3].into()]).unwrap();
            scope.spawn(move || (worker..MANY).step_by(6).for_each(put));
        }
    });
    let found = storage.list("index").unwrap();
    let expected: BTreeSet<_> = (0..MANY).map(|number| (name(number), (number % 3) as u64)).collect();
    assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (MANY, expected));
}

#[test]
fn a_folder_keeps_objects() {
    conforms(servers::folder());
}

#[test]
fn an_s3_bucket_keeps_objects() {
    conforms(servers::s3());
}

#[test]
fn an_account_on_an_ssh_server_keeps_objects() {
    conforms(servers::sftp());
}

#[test]
fn a_webdav_collection_keeps_objects() {
    conforms(servers::webdav());
}

#[test]
fn another_webdav_server_keeps_objects() {
    conforms(servers::webdav_of_rclone());
}

#[test]
fn a_rest_server_keeps_objects() {
    conforms(servers::rest(&[]));
}
