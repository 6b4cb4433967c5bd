//! The audit trail as people and programs read it.

use super::targets::{folder_target, settled};
use crate::support::App;
use crate::support::people::Person;
use reqwest::Method;
use serde_json::{Value, json};
use testkeep::keeping::trail;
use testkeep::kernel::access::{Role, StorageKeep};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::sql::named_params;

async fn start() -> (App, Person) {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    (app, owner)
}

/// Something that happened in a project.
async fn add_suite(app: &App, person: &Person, key: &str) {
    let request = app.request(Method::POST, &format!("/api/v1/projects/{key}/suites"));
    let reply = request.bearer_auth(&person.token).json(&json!({"name": "Cart"})).send().await.unwrap();
    assert_eq!(reply.status(), 201);
}

#[actix_web::test]
async fn the_trail_names_who_did_what_and_opens_one_entry_beside_the_list() {
    let (app, owner) = start().await;
    let page = app.page(&owner, "/instance/audit").await;
    assert!(page.contains("A project was created</a>") && page.contains("Operator at the machine"), "{page}");
    assert!(!page.contains("<aside"), "{page}");
    let page = app.page(&owner, "/instance/audit?event=project.&entry=2").await;
    for part in ["<aside", "project.created", "<a href=\"/p/SHOP\">SHOP</a>", "aria-current=\"true\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = app.page(&owner, "/instance/audit?event=backup.").await;
    assert!(page.contains("No entry fits"), "{page}");
    add_suite(&app, &owner, "SHOP").await;
    let page = app.page(&owner, "/p/SHOP/audit?user=&since=2026-01-02&until=").await;
    assert!(page.contains("A suite was made</a> <span class=\"faint\">Cart"), "{page}");
    let page = app.page(&owner, "/p/SHOP/audit?until=2026-01-01").await;
    assert!(page.contains("No entry fits"), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn a_reader_of_one_project_sees_entries_and_people_of_that_project_only() {
    let (app, owner) = start().await;
    let bank = app.project("BANK").await;
    let auditor = app.as_role(Role::Auditor, Some(bank)).await;
    let manager = app.as_role(Role::Manager, Some(bank)).await;
    add_suite(&app, &manager, "BANK").await;
    add_suite(&app, &owner, "SHOP").await;
    let page = app.page(&auditor, "/p/BANK/audit").await;
    assert!(page.contains("A suite was made") && page.contains("manager 2</span>"), "{page}");
    assert!(!page.contains("SHOP") && !page.contains("owner 0"), "{page}");
    for hidden in ["/p/SHOP/audit", "/instance/audit"] {
        let reply = app.browse(&auditor, Method::GET, hidden).send().await.unwrap();
        assert!(matches!(reply.status().as_u16(), 403 | 404), "{hidden}: {}", reply.status());
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_check_by_hand_says_what_it_found_and_stays_on_the_page() {
    let (app, owner) = start().await;
    let page = app.submit_and_follow(&owner, "/instance/audit/verify", &[]).await;
    assert!(page.contains("The trail is whole: 2 entries, none missing, none changed."), "{page}");
    let page = app.page(&owner, "/instance/audit").await;
    assert!(page.contains("The trail is whole") && page.contains("The audit trail was checked"), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn an_export_holds_every_entry_up_to_itself_and_leaves_one() {
    let (app, owner) = start().await;
    for format in ["csv", "ndjson"] {
        let reply = app.submit(&owner, "/instance/audit/export", &[("format", format)]).await;
        assert_eq!(reply.status(), 200);
        let named = reply.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert_eq!(named, format!("attachment; filename=\"audit-2026-01-02.{format}\""));
        let text = reply.text().await.unwrap();
        let first = text.lines().rev().nth(1).unwrap();
        if format == "csv" {
            assert_eq!(
                text.lines().next().unwrap(),
                "entry,time,who,actor,event,about,project,address,request"
            );
            assert_eq!(
                first,
                "2,2026-01-02T03:04:05.000Z,Operator at the machine,operator,project.created,project=1,,console,"
            );
        } else {
            let entry: Value = serde_json::from_str(first).unwrap();
            assert_eq!((&entry["seq"], &entry["event"]), (&2.into(), &"project.created".into()));
        }
    }
    let newest = app.page(&owner, "/instance/audit?event=audit.exported").await;
    assert!(newest.contains("Entries of the audit trail were exported"), "{newest}");
    let narrow = [("format", "ndjson"), ("event", "backup.")];
    assert_eq!(app.submit(&owner, "/instance/audit/export", &narrow).await.text().await.unwrap(), "");
    app.stop().await;
}

#[actix_web::test]
async fn pages_of_the_trail_follow_one_another_without_a_gap() {
    let (app, owner) = start().await;
    for _ in 0..120 {
        app.submit(&owner, "/instance/audit/export", &[("format", "csv"), ("event", "backup.")]).await;
    }
    let ask = async |query: &str| -> Value {
        let request = app.request(Method::GET, &format!("/api/v1/audit{query}")).bearer_auth(&owner.token);
        request.send().await.unwrap().json().await.unwrap()
    };
    let seqs = |page: &Value| -> Vec<i64> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()).collect()
    };
    let first = ask("").await;
    let second = ask(&format!("?before={}", first["next"])).await;
    let all: Vec<i64> = seqs(&first).into_iter().chain(seqs(&second)).collect();
    assert_eq!(all, (1..=122).rev().collect::<Vec<i64>>());
    assert_eq!(second["next"], Value::Null);
    assert_eq!(ask(&format!("?user={}", owner.user.0)).await["entries"][0]["who"], "owner 0");
    assert_eq!(ask("?event=no%20such").await["code"], "invalid");
    let page = app.page(&owner, "/instance/audit").await;
    assert!(page.contains("/instance/audit?before=23\""), "{page}");
    app.stop().await;
}

/// Every event that stands in the source is listed, once, with its meaning.
#[test]
fn every_event_is_known_to_the_trail() {
    let pattern = regex_lite::Regex::new(r#"Event::new\(\s*"([a-z_.]+)""#).unwrap();
    let mut in_source: Vec<String> = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                let shipped = text.split("#[cfg(test)]").next().unwrap();
                in_source.extend(pattern.captures_iter(shipped).map(|found| found[1].to_owned()));
            }
        }
    }
    let mut listed: Vec<String> = trail::events().map(|event| event.name.to_owned()).collect();
    in_source.sort();
    listed.sort();
    assert_eq!(listed, in_source, "an EVENTS list lacks an event, or an area's `events()` lacks a list");
    for event in trail::events() {
        assert!(event.meaning.ends_with('.'), "{}", event.name);
    }
}

/// Entries are taken out at the end, as only somebody with the key can.
async fn cut(app: &App, from: i64) {
    let gate = app.house.shell.operator().gate::<StorageKeep>(());
    gate.write(move |tx| {
        tx.run("DELETE FROM audit_sources WHERE seq > :from", named_params! { ":from": from })?;
        tx.run("DELETE FROM audit WHERE seq > :from", named_params! { ":from": from })?;
        Ok(tx.quiet(Quiet::Unchanged, ()))
    })
    .await
    .unwrap();
}

#[actix_web::test]
async fn f36_a_trail_that_was_cut_short_is_told_by_the_newest_receipt_at_home() {
    let (app, owner) = start().await;
    for suite in ["One", "Two", "Three"] {
        let request = app.with_token(&owner.token, Method::POST, "/api/v1/projects/SHOP/suites");
        assert_eq!(request.json(&json!({ "name": suite })).send().await.unwrap().status(), 201);
    }
    let keep = app.folder().join("keep");
    let fields = folder_target("Keep", keep.to_str().unwrap(), "", "");
    app.submit_and_follow(&owner, "/instance/backups/targets", &fields).await;
    app.submit_and_follow(&owner, "/instance/backups", &[]).await;
    settled(&app, &owner).await;
    let whole = app.submit_and_follow(&owner, "/instance/audit/verify", &[]).await;
    assert!(whole.contains("The trail is whole"), "{whole}");

    let receipt = std::fs::read_to_string(keep.join("receipts/00000001.json")).unwrap();
    let body: Value = serde_json::from_str(&receipt).unwrap();
    let body: Value = serde_json::from_str(body["body"].as_str().unwrap()).unwrap();
    let end = body["audit"]["seq"].as_i64().unwrap();
    cut(&app, end - 3).await;
    let page = app.submit_and_follow(&owner, "/instance/audit/verify", &[]).await;
    assert!(page.contains(&format!("it once reached entry {end}")), "{page}");
    // The check itself left an entry; once as many came, one of them stands where another one stood.
    for suite in ["Four", "Five", "Six"] {
        let request = app.with_token(&owner.token, Method::POST, "/api/v1/projects/SHOP/suites");
        assert_eq!(request.json(&json!({ "name": suite })).send().await.unwrap().status(), 201);
    }
    let page = app.submit_and_follow(&owner, "/instance/audit/verify", &[]).await;
    assert!(page.contains(&format!("entry {end} was changed, moved or taken out")), "{page}");
    app.halt().await;
}
