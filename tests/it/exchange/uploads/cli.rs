//! `testkeep upload`, the real program, against an instance that speaks TLS with a certificate of its own.

use super::{FAILED, Shop, report};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Shop {
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.app.folder().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn upload(&self, trust: [&str; 2], more: &[&str], files: &[&PathBuf]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testkeep"));
        command.env_clear().env("TESTKEEP_TOKEN", &self.robot).args(more);
        command.args(["upload", "--url", &self.app.url(), "--project", "SHOP"]).args(trust).args(files);
        let ended = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: ended.status.code().unwrap(), out: text(ended.stdout), err: text(ended.stderr) }
    }
}

#[actix_web::test]
async fn the_program_uploads_files_as_one_run_and_a_second_time_nothing() {
    let shop = Shop::open().await;
    let one = shop.file("one.xml", &report("A", &[("x", "")]));
    let two = shop.file("two.xml", &report("B", &[("y", FAILED)]));
    let print = shop.app.fingerprint().unwrap();
    let by_print = ["--fingerprint", &print];
    let sent = shop.upload(by_print, &[], &[&one, &two]);
    let first = sent.out.lines().next();
    assert_eq!(
        (sent.code, first),
        (0, Some("SHOP-R1: 2 results, 1 passed, 1 failed, 0 errored, 0 skipped.")),
        "{}",
        sent.err
    );
    assert!(sent.out.contains(&format!("{}/p/SHOP/runs/1", shop.app.url())), "{}", sent.out);
    let again = shop.upload(by_print, &["--json"], &[&one, &two]);
    let answer: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&answer["replayed"], &answer["run"]["reference"]), (&json!(true), &json!("SHOP-R1")));
    assert_eq!(again.err, "", "a script that reads JSON sees no bar");

    let certificate = shop.app.data().join("tls/certificate.pem");
    let by_file = ["--cacert", certificate.to_str().unwrap()];
    let empty = shop.file("empty.xml", "<testsuites/>");
    let sent = shop.upload(by_file, &[], &[&empty]);
    assert_eq!(sent.code, 0, "{}", sent.err);
    assert!(
        sent.out.contains("SHOP-R2: 0 results") && sent.out.contains("Note: The report holds no results."),
        "{}",
        sent.out
    );
    shop.stop().await;
}

#[actix_web::test]
async fn the_program_tells_what_is_wrong_and_ends_with_a_code() {
    let shop = Shop::open().await;
    let cut = shop.file("cut.xml", "<testsuite>\n<testcase");
    let good = shop.file("good.xml", &report("A", &[("x", "")]));
    let print = shop.app.fingerprint().unwrap();
    let refused = shop.upload(["--fingerprint", &print], &[], &[&good, &cut]);
    assert_eq!(refused.code, 65);
    assert!(
        refused.err.contains("cut.xml, line 2, column 1") && refused.err.contains("cut off"),
        "{}",
        refused.err
    );
    let other = shop.upload(["--fingerprint", &"ab".repeat(32)], &[], &[&good]);
    assert!(other.code == 75 && other.err.contains("--fingerprint"), "{} {}", other.code, other.err);
    let gone = shop.upload(["--fingerprint", &print], &[], &[&shop.app.folder().join("none.xml")]);
    assert_eq!(gone.code, 66);
    assert_eq!(shop.rows().await[0], ("uploads", 0));
    shop.stop().await;
}
