//! What the compiler refuses, and in which words. Each line differs from code that compiles by one
//! thing, so a refusal cannot come from a typing error.

use std::path::{Path, PathBuf};
use std::process::Command;

const PRELUDE: &str = "
#![allow(unused)]
use testkeep::kernel::{access::*, audit::*, error::*, id::*};
use testkeep::web::routes::*;
const ADDED: Event = Event::new(\"case.created\", \"A case was written.\");
fn create(tx: Write<'_, CaseWrite>) -> Result<Audited<'_, CaseId>> { tx.audited(ADDED.of(CaseId(1)), CaseId(1)) }
";

fn compile(code: &str) -> Result<(), String> {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("snippet.rs");
    std::fs::write(&source, format!("{PRELUDE}{code}")).unwrap();
    let rustc = Command::new(std::env::var("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir"])
        .arg(folder.path())
        .arg(format!("--extern=testkeep={}", newest_library(&deps).display()))
        .arg(format!("-Ldependency={}", deps.display()))
        .arg(&source)
        .output()
        .unwrap();
    let words = String::from_utf8(rustc.stderr).unwrap();
    if rustc.status.success() { Ok(()) } else { Err(words) }
}

fn newest_library(deps: &Path) -> PathBuf {
    let files = std::fs::read_dir(deps).unwrap().map(|file| file.unwrap().path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libtestkeep-") && name.ends_with(".rlib")
    };
    let age = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
    files.filter(is_ours).max_by_key(age).expect("the library is built before its tests")
}

#[track_caller]
fn check(refused: &str, words: &str, accepted: &str) {
    compile(accepted).unwrap_or_else(|words| panic!("should compile: {accepted}\n{words}"));
    let said = compile(refused).expect_err("should be refused");
    let said = said.replace("testkeep::kernel::access::", "");
    assert!(said.contains(words), "expected {words:?} in\n{said}");
}

#[test]
fn a_change_without_its_proof() {
    check(
        "async fn f(gate: Gate<CaseWrite>) -> Result<()> { gate.write(|tx| Ok(())).await }",
        "expected `Audited<'_, _>`, found `()`",
        "async fn f(gate: Gate<CaseWrite>) -> Result<()> {
             gate.write(|tx| Ok(tx.quiet(Quiet::LastSeen, ()))).await
         }",
    );
}

#[test]
fn a_proof_of_ones_own_making() {
    check(
        "fn f<'t>(tx: Write<'t, CaseWrite>) -> Audited<'t, ()> {
             Audited { value: (), brand: Default::default() }
         }",
        "field `brand` of struct `testkeep::kernel::audit::Audited` is private",
        "fn f<'t>(tx: Write<'t, CaseWrite>) -> Audited<'t, ()> { tx.quiet(Quiet::LastSeen, ()) }",
    );
}

#[test]
fn a_proof_kept_for_another_transaction() {
    let keep = |kept: &str| {
        format!(
            "async fn f(gate: Gate<CaseWrite>) {{
                 let stash = std::sync::Arc::new(std::sync::Mutex::new(None));
                 let (put, take) = (stash.clone(), stash.clone());
                 let _ = gate.write(move |tx| {{
                     let proof = create(tx)?;
                     *put.lock().unwrap() = Some({kept});
                     Ok(tx.quiet(Quiet::LastSeen, ()))
                 }}).await;
             }}"
        )
    };
    check(&keep("proof"), "borrowed data escapes outside of closure", &keep("proof.value"));
}

#[test]
fn a_proof_passed_from_one_transaction_to_another() {
    let swap = |answer: &str| {
        format!(
            "fn f<'a, 'b: 'a>(a: Write<'a, CaseWrite>, b: Write<'b, CaseWrite>)
                 -> Result<Audited<'a, CaseId>> {{ create({answer}) }}"
        )
    };
    check(&swap("b"), "lifetime may not live long enough", &swap("a"));
}

#[test]
fn a_transaction_carried_out_of_its_closure() {
    check(
        "async fn f(gate: Gate<ProjectView>) { let _ = gate.read(|tx| Ok(tx)).await; }",
        "cannot be shared between threads safely",
        "async fn f(gate: Gate<ProjectView>) { let _ = gate.read(|tx| Ok(tx.project())).await; }",
    );
}

#[test]
fn writing_under_a_permission_that_only_views() {
    check(
        "async fn f(gate: Gate<ProjectView>) {
             let _ = gate.write(|tx| Ok(tx.quiet(Quiet::LastSeen, ()))).await;
         }",
        "exists for struct `Gate<ProjectView>`, but its trait bounds were not",
        "async fn f(gate: Gate<CaseWrite>) {
             let _ = gate.write(|tx| Ok(tx.quiet(Quiet::LastSeen, ()))).await;
         }",
    );
}

#[test]
fn a_permission_lent_to_a_wider_one() {
    check(
        "fn f(tx: Write<'_, CaseWrite>) -> Write<'_, UploadWrite> { tx.narrow() }",
        "`CaseWrite` does not imply `UploadWrite`",
        "fn f(tx: Write<'_, UploadWrite>) -> Write<'_, CaseWrite> { tx.narrow() }",
    );
}

#[test]
fn a_project_in_a_transaction_of_the_instance() {
    check(
        "fn f(tx: Read<'_, ProjectList>) -> ProjectId { tx.project() }",
        "the method `project` exists for struct",
        "fn f(tx: Read<'_, ProjectView>) -> ProjectId { tx.project() }",
    );
}

#[test]
fn a_handler_that_asks_for_nothing() {
    check(
        "async fn h(body: String) -> String { body }
         fn routes() -> Vec<Route> { vec![post(\"/\", h)] }",
        "a handler must take a `Gate<P>` or a `Caller<E>` first, not `String`",
        "async fn h(gate: Gate<CaseWrite>, body: String) -> String { body }
         fn routes() -> Vec<Route> { vec![post(\"/\", h)] }",
    );
}

#[test]
fn a_get_that_could_change_something() {
    let mount = |first: &str| {
        format!(
            "async fn h(_: {first}) -> String {{ String::new() }}
             fn routes() -> Vec<Route> {{ vec![get(\"/\", h)] }}"
        )
    };
    check(&mount("Gate<CaseWrite>"), "expected `Views`, found `Changes`", &mount("Gate<ProjectView>"));
    check(&mount("Caller<Changes>"), "expected `Views`, found `Changes`", &mount("Caller<Views>"));
}

#[test]
fn a_viewing_caller_that_opens_a_changing_gate() {
    check(
        "fn f(caller: Caller<Views>) { caller.gate::<CaseWrite>(Place::Case(CaseId(1))); }",
        "the trait bound `Views: Admits<Changes>` is not satisfied",
        "fn f(caller: Caller<Views>) { caller.gate::<ProjectView>(Place::Case(CaseId(1))); }",
    );
}

#[test]
fn a_permission_of_ones_own_making() {
    check(
        "#[derive(Clone, Copy)] struct Root;
         impl Permission for Root {
             type Scope = Instance; type Effect = Changes; const INFO: Info = ProjectView::INFO;
         }",
        "permission::sealed::Listed` is not satisfied",
        "#[derive(Clone, Copy)] struct Root;",
    );
}

#[test]
fn a_way_to_the_connection() {
    check(
        "fn f(tx: Read<'_, ProjectView>) { tx.opened().conn; }",
        "tx::Opened` is private",
        "fn f(tx: Read<'_, ProjectView>) { tx.now(); }",
    );
    check("use testkeep::kernel::db::Database;", "module `db` is private", "use testkeep::kernel::id;");
}
