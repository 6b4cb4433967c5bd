//! Things that were lost come back out of a backup: a project, a case, a run, the whole instance.

use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use crate::support::site::{self, Site};
use crate::support::trusting_pem;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkeep::kernel::access::{InstanceKeep, Role, Write};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::error::Result;
use testkeep::kernel::instance::Instance;
use testkeep::kernel::keyring::Unlock;
use testkeep::kernel::time::Clock;

/// Rows in the order in which they may go.
pub const GONE: [&str; 11] = [
    "DELETE FROM evidence WHERE project_id = 1",
    "DELETE FROM case_summaries WHERE project_id = 1",
    "DELETE FROM results WHERE run_id IN (SELECT id FROM runs WHERE project_id = 1)",
    "DELETE FROM items WHERE run_id IN (SELECT id FROM runs WHERE project_id = 1)",
    "DELETE FROM uploads WHERE project_id = 1",
    "DELETE FROM runs WHERE project_id = 1",
    "DELETE FROM revisions WHERE case_id IN (SELECT id FROM cases WHERE project_id = 1)",
    "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
     SELECT 'delete', id, title, automation_key FROM cases WHERE project_id = 1",
    "DELETE FROM cases WHERE project_id = 1",
    "DELETE FROM suites WHERE project_id = 1",
    "DELETE FROM projects WHERE id = 1",
];

/// Changes the tables of a machine behind the back of the product.
pub async fn change(machine: &Machine, statements: &'static [&'static str]) {
    let unlock = Unlock::KeyFile(machine.path("data.key"));
    let (instance, shell) = Instance::open(&machine.path("data"), &unlock, Clock::System).unwrap();
    let gate = shell.operator().gate::<InstanceKeep>(());
    let run = move |tx: Write<'_, InstanceKeep>| -> Result<()> {
        statements.iter().try_for_each(|statement| tx.run(statement, []).map(drop))
    };
    gate.write(move |tx| run(tx).map(|()| tx.quiet(Quiet::Nothing, ()))).await.unwrap();
    instance.door.shut_down().await;
}

/// A machine with a project of cases, runs and results, and a backup of it in `keep`.
fn backed_up() -> Machine {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "60", "--results", "900", "--seed", "5"]);
    machine.json(&["backup", "--to", &machine.text("keep")]);
    machine
}

fn restore(machine: &Machine, arguments: &[&str]) -> Value {
    let keep = machine.text("keep");
    let all: Vec<&str> = ["restore", "--from", &keep].iter().chain(arguments).copied().collect();
    machine.json(&all)
}

fn counted(told: &Value, kind: &str, fate: &str) -> i64 {
    told["counts"][kind][fate].as_i64().unwrap_or(0)
}

#[actix_web::test]
async fn b04_c13_f11_a_deleted_project_comes_back_as_it_was() {
    let machine = backed_up();
    let digest = machine.json(&["digest"])["digest"].clone();
    change(&machine, &GONE).await;
    assert_ne!(machine.json(&["digest"])["digest"], digest);

    let told = restore(&machine, &["--project", "SHOP", "--dry-run"]);
    assert_eq!((&told["applied"], counted(&told, "cases", "created")), (&json!(false), 60), "{told}");
    assert_eq!(machine.run(&["project", "show", "SHOP"]).code, 66, "a dry run changes nothing");

    let done = restore(&machine, &["--project", "shop"]);
    assert_eq!(done["counts"], told["counts"], "what was shown is what is done");
    assert!(counted(&done, "results", "created") >= 900, "{done}");
    assert_eq!(machine.json(&["digest"])["digest"], digest);

    let again = restore(&machine, &["--project", "SHOP"]);
    assert_eq!((counted(&again, "cases", "created"), counted(&again, "cases", "same")), (0, 60), "{again}");
    assert_eq!(machine.json(&["digest"])["digest"], digest, "the second time changes nothing");
    assert_eq!(machine.json(&["audit", "verify"])["whole"], json!(true));
    let doctor = machine.json(&["doctor"]);
    assert_eq!(doctor["good"], json!(true), "{doctor}");
}

#[actix_web::test]
async fn b04_t_inf_5_a_deleted_suite_comes_back_alone_with_the_ids_it_had() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "30", "--results", "100", "--seed", "5"]);
    let site = Site::start(&machine).await;
    let post = async |path: &str, body: Value| {
        let (status, made) = site.json(Method::POST, &format!("/api/v1/projects/SHOP/{path}"), body).await;
        assert_eq!(status, 201, "{made}");
        made
    };
    let suite = post("suites", json!({"name": "Goodwill"})).await["id"].clone();
    let mut cases = Vec::new();
    for title in ["Sent back", "Paid back"] {
        cases.push(post("cases", json!({"title": title, "suite": suite})).await["reference"].clone());
    }
    site.server.stop();
    machine.json(&["backup", "--to", &machine.text("keep")]);
    let digest = machine.json(&["digest"])["digest"].clone();
    let whose = "suite_id = (SELECT id FROM suites WHERE name = 'Goodwill')";
    let statements = [
        format!("DELETE FROM revisions WHERE case_id IN (SELECT id FROM cases WHERE {whose})"),
        format!(
            "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
             SELECT 'delete', id, title, automation_key FROM cases WHERE {whose}"
        ),
        format!("DELETE FROM cases WHERE {whose}"),
        "DELETE FROM suites WHERE name = 'Goodwill'".to_owned(),
    ];
    let statements: Vec<&'static str> = statements.into_iter().map(|one| &*one.leak()).collect();
    change(&machine, statements.leak()).await;
    assert_ne!(machine.json(&["digest"])["digest"], digest);

    let told = restore(&machine, &["--project", "SHOP", "--dry-run"]);
    let created = |kind| counted(&told, kind, "created");
    assert_eq!(
        (created("suites"), created("cases"), created("runs"), created("results")),
        (1, 2, 0, 0),
        "{told}"
    );
    // One of its cases alone brings its suite along.
    let first = restore(&machine, &["--case", cases[0].as_str().unwrap()]);
    assert_eq!(
        (counted(&first, "suites", "created"), counted(&first, "cases", "created")),
        (1, 1),
        "{first}"
    );
    restore(&machine, &["--project", "SHOP"]);
    assert_eq!(machine.json(&["digest"])["digest"], digest, "numbers, references and all");
}

/// Where numbers inside were given to others meanwhile, things come back under the references they had.
#[actix_web::test]
async fn a_deleted_project_comes_back_beside_one_that_took_its_numbers() {
    let machine = backed_up();
    change(&machine, &GONE).await;
    machine.json(&["demo", "--project", "BANK", "--cases", "10", "--results", "50", "--seed", "6"]);
    let bank = machine.json(&["project", "show", "BANK"]);
    assert_eq!(bank["id"], json!(1), "it took the number of the one that is gone");
    let done = restore(&machine, &["--project", "SHOP"]);
    assert_eq!(counted(&done, "cases", "created"), 60, "{done}");
    let shop = machine.json(&["project", "show", "SHOP"]);
    assert_eq!((&shop["cases"], machine.json(&["project", "show", "BANK"])), (&json!(60), bank));
    let again = restore(&machine, &["--project", "SHOP"]);
    for kind in ["projects", "suites", "cases", "runs", "items", "results"] {
        assert_eq!(counted(&again, kind, "created"), 0, "{kind}: {again}");
    }
    let doctor = machine.json(&["doctor"]);
    assert_eq!(doctor["good"], json!(true), "{doctor}");
}

#[actix_web::test]
async fn a_case_and_a_run_come_back_alone_and_conflicts_are_told() {
    let machine = backed_up();
    let missing = machine.run(&["restore", "--from", &machine.text("keep"), "--case", "SHOP-C999"]);
    assert!(missing.code == 66 && missing.err.contains("does not hold SHOP-C999"), "{missing:?}");
    assert_eq!(machine.run(&["restore", "--from", &machine.text("keep"), "--case", "no-thing"]).code, 65);

    // A case that says something else now stays, unless it is asked to be as it was.
    change(
        &machine,
        &[
            "INSERT INTO revisions (case_id, number, title, priority, created_at)
             SELECT id, revision + 1, 'Changed since', 'low', 5 FROM cases WHERE number = 7",
            "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
             SELECT 'delete', id, title, automation_key FROM cases WHERE number = 7",
            "UPDATE cases SET title = 'Changed since', priority = 'low', revision = revision + 1 WHERE number = 7",
            "INSERT INTO cases_search (rowid, title, automation_key)
             SELECT id, title, automation_key FROM cases WHERE number = 7",
        ],
    )
    .await;
    let told = restore(&machine, &["--case", "SHOP-C7"]);
    assert_eq!((counted(&told, "cases", "changed"), counted(&told, "cases", "created")), (1, 0), "{told}");
    let field = &told["changed"][0]["fields"][0];
    assert_eq!((&field["name"], &field["now"]), (&json!("title"), &json!("Changed since")), "{told}");
    let then = field["then"].as_str().unwrap().to_owned();
    let replaced = restore(&machine, &["--case", "SHOP-C7", "--replace"]);
    assert_eq!(replaced["applied"], json!(true));
    let again = restore(&machine, &["--case", "SHOP-C7", "--dry-run"]);
    assert_eq!(counted(&again, "cases", "same"), 1, "it says “{then}” again: {again}");

    // A run that is gone comes back with its results; one that stands in its place is left alone.
    change(
        &machine,
        &[
            "DELETE FROM results WHERE run_id = 1",
            "DELETE FROM items WHERE run_id = 1",
            "DELETE FROM uploads WHERE run_id = 1",
            "DELETE FROM runs WHERE id = 1",
        ],
    )
    .await;
    let done = restore(&machine, &["--run", "SHOP-R1"]);
    assert_eq!((counted(&done, "runs", "created"), &done["created"][0]), (1, &json!("SHOP-R1")), "{done}");
    assert!(counted(&done, "results", "created") > 0, "{done}");
    change(&machine, &["UPDATE runs SET created_at = created_at + 1, title = 'Another' WHERE number = 1"])
        .await;
    let other = restore(&machine, &["--run", "SHOP-R1"]);
    assert_eq!(counted(&other, "runs", "created"), 0);
    assert!(other["conflicts"][0].as_str().unwrap().contains("SHOP-R1 is another run by now"), "{other}");
}

async fn settled(site: &Site, id: &Value) -> Value {
    loop {
        let (_, restore) = site.json(Method::GET, &format!("/api/v1/restores/{id}"), Value::Null).await;
        if !["reading", "applying"].contains(&restore["state"].as_str().unwrap()) {
            return restore;
        }
    }
}

fn plan(keep: &str) -> Vec<(&str, &str)> {
    super::targets::folder_target("Keep", keep, "", "")
}

#[actix_web::test]
async fn a_project_comes_back_over_https_after_a_preview_and_a_fresh_proof() {
    let machine = backed_up();
    let site = Site::start(&machine).await;
    site.submit("/instance/backups/targets", &plan(&machine.text("keep"))).await;
    site.server.stop();
    change(&machine, &GONE).await;
    let site = Site { server: machine.serve(), ..site };

    let page = site.page("/instance/backups/restore?list=now").await;
    assert!(page.contains("A part of it") && page.contains("Backup 1 of"), "{page}");
    let (status, page) =
        site.submit("/instance/backups/restore", &[("what", "SHOP-X"), ("backup", "1")]).await;
    assert!(status == 422 && page.contains("names no project, no case and no run"), "{status}: {page}");
    assert_eq!(site.json(Method::POST, "/api/v1/restores/1/apply", json!({})).await.0, 404);

    let (status, begun) = site.json(Method::POST, "/api/v1/restores", json!({"what": "SHOP"})).await;
    assert_eq!(status, 202, "{begun}");
    let told = settled(&site, &begun["id"]).await;
    assert_eq!(
        (&told["state"], &told["preview"]["counts"]["cases"]["created"]),
        (&json!("previewed"), &json!(60))
    );
    let page = site.page(&format!("/instance/backups/restore/{}", begun["id"])).await;
    assert!(page.contains("What would come back") && page.contains("Bring it back</button>"), "{page}");
    let at = format!("/instance/backups/restore/{}/apply", begun["id"]);
    assert_eq!(site.submit(&at, &[("replace", "off")]).await.0, 200);
    let done = settled(&site, &begun["id"]).await;
    assert_eq!(
        (&done["state"], &done["outcome"]["counts"]["cases"]["created"]),
        (&json!("done"), &json!(60)),
        "{done}"
    );
    let page = site.page(&format!("/instance/backups/restore/{}", begun["id"])).await;
    assert!(page.contains("It came back"), "{page}");
    site.page("/p/SHOP/cases").await;
    site.server.stop();
    let auditor = site::person(&machine, Role::Auditor).await;
    let site = Site { server: machine.serve(), person: auditor, ..site };
    assert_eq!(site.json(Method::POST, "/api/v1/restores", json!({"what": "SHOP"})).await.0, 403);
    let page = site.page("/instance/backups/restore").await;
    assert!(!page.contains("A part of it"), "{page}");
    site.server.stop();
}

pub fn serve_at(machine: &Machine, port: u16) -> Server {
    let mut command = machine.command("data");
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--log", "warn"]);
    Server::start(command)
}

pub async fn kept(data: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("before-restore")).collect()
}

/// The present is backed up first, everybody is signed out, and one can go back.
#[actix_web::test]
async fn b04_c13_the_whole_instance_comes_back_from_a_page_and_starts_again_by_itself() {
    let machine = backed_up();
    let person = site::person(&machine, Role::Owner).await;
    machine.json(&["ca", "init"]);
    machine.json(&["ca", "issue", "Mara's machine", "--out", &machine.text("mara.pem")]);
    machine.json(&["backup", "--to", &machine.text("keep")]);
    machine.json(&["ca", "revoke", "1"]);
    let root = machine.json(&["ca", "show"])["certificate"].as_str().unwrap().to_owned();
    let digest = machine.json(&["digest"])["digest"].clone();
    let server = serve_at(&machine, free_port());
    let site = Site { client: trusting_pem(&root).build().unwrap(), server, person };
    site.submit("/instance/backups/targets", &plan(&machine.text("keep"))).await;
    machine.json(&["project", "create", "LATER"]);

    let page = site.page("/instance/backups/whole?backup=2").await;
    assert!(
        page.contains("and the present") && page.contains("Type Testkeep to show that you mean it."),
        "{page}"
    );
    let (status, page) =
        site.submit("/instance/backups/whole", &[("backup", "2"), ("name", "Nonsense")]).await;
    assert!(status == 422 && page.contains("Type the name of this instance"), "{status}: {page}");
    let (status, _) = site.submit("/instance/backups/whole", &[("backup", "2"), ("name", "Testkeep")]).await;
    assert_eq!(status, 200);
    // It ends with the session of then, which is none: the page leads to signing in.
    let data = machine.path("data");
    while kept(&data).await.is_empty() || data.join("swap.json").exists() {
        if let Ok(answer) = site.api(Method::GET, "/api/v1/drills").send().await {
            assert!(answer.status() != 500);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answered = loop {
        match site
            .client
            .get(site.server.at("/instance/backups/whole"))
            .header("Accept", "text/html")
            .send()
            .await
        {
            Ok(answer) if answer.status() != 503 => break answer,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(answered.url().path(), "/signin", "everybody signs in anew");
    site.server.stop();
    assert_eq!(machine.json(&["digest"])["digest"], digest);
    let clients = machine.json(&["ca", "list"]).to_string();
    assert!(clients.contains("revoked") && !clients.contains("\"revoked_at\":null"), "{clients}");
    assert_eq!(machine.run(&["project", "show", "LATER"]).code, 66);
    let verified = machine.json(&["verify", "--from", &machine.text("keep")]);
    assert_eq!(verified["newest"]["number"], json!(3), "the present was backed up first: {verified}");
    assert_eq!(machine.json(&["audit", "verify"])["whole"], json!(true));
    let trail = machine.json(&["audit", "list"]).to_string();
    assert!(trail.contains("instance.restored"), "{trail}");

    // Back to what was put aside.
    let person = again(&machine).await;
    let site = Site { server: serve_at(&machine, free_port()), person, ..site };
    let name = kept(&data).await.remove(0);
    assert!(site.page("/instance/backups/whole").await.contains(&name));
    site.submit("/instance/backups/whole/return", &[("kept", &name)]).await;
    while data.join(&name).exists() || data.join("swap.json").exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    site.server.stop();
    assert_eq!(machine.run(&["project", "show", "LATER"]).code, 0);
}

/// A new session of somebody who is there already.
pub async fn again(machine: &Machine) -> crate::support::people::Person {
    change(
        machine,
        &[
            "UPDATE users SET email = 'before@shop.example' WHERE name = 'owner of all'",
            "DELETE FROM tokens WHERE name = 'owner of all'",
        ],
    )
    .await;
    site::person(machine, Role::Owner).await
}

/// Printed, kept elsewhere, and without a secret.
#[actix_web::test]
async fn b04_the_runbook_names_the_values_of_this_instance_and_no_secret() {
    let machine = backed_up();
    let site = Site::start(&machine).await;
    site.submit("/instance/backups/targets", &plan(&machine.text("keep"))).await;
    let (status, page) = site.submit("/instance/backups/runbook", &[("contact", "Mara, 555 0100")]).await;
    assert!(
        status == 200 && page.contains("Mara, 555 0100") && page.contains("The machine is lost"),
        "{page}"
    );
    site.server.stop();
    let told = machine.run(&["runbook"]);
    let command = format!("testkeep restore --from {} --into {}", machine.text("keep"), machine.text("data"));
    assert!(told.code == 0 && told.out.contains(&command) && told.out.contains("Mara"), "{told:?}");
    let key = std::fs::read_to_string(machine.path("data.key")).unwrap();
    assert!(!told.out.contains(key.trim()) && !page.contains(key.trim()));
}
