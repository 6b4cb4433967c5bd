//! The page of the instance.

use crate::support::App;
use testkeep::kernel::access::{InstanceKeep, Role};
use testkeep::kernel::alarms::{self, Alarm};
use testkeep::kernel::audit::Quiet;

#[actix_web::test]
async fn the_instance_says_what_it_is_and_how_it_is_kept() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance").await;
    let fingerprint = app.fingerprint().unwrap();
    for part in [
        env!("CARGO_PKG_VERSION"),
        &fingerprint,
        "Projects<b>1</b>",
        "Not protected",
        "not checked yet",
        "opens with",
        "Makes the backups that are due",
        "Checks database, files of evidence, audit trail, keys and counts",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn t_sm_6_the_instance_says_what_it_is_made_of() {
    let app = App::start().await;
    let auditor = app.as_role(Role::Auditor, None).await;
    assert!(app.page(&auditor, "/instance").await.contains("href=\"/instance/sbom.json\" download"));
    let list = app.page(&auditor, "/instance/sbom.json").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(list["components"].as_array().unwrap().len() > 100);
    app.stop().await;
}

#[actix_web::test]
async fn an_owner_names_the_instance_and_an_auditor_does_not() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let auditor = app.as_role(Role::Auditor, None).await;
    let page = app.submit_and_follow(&owner, "/instance/name", &[("name", " Tests of <Acme> ")]).await;
    assert!(page.contains("<h1>Tests of &#60;Acme&#62;</h1>"), "{page}");
    let refused = app.submit(&owner, "/instance/name", &[("name", "  ")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("This name does not fit."));
    assert_eq!(app.submit(&auditor, "/instance/name", &[("name", "Mine")]).await.status(), 403);
    let page = app.page(&auditor, "/instance").await;
    assert!(!page.contains("action=\"/instance/name\""), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn t_kf_1_an_alarm_stands_on_every_page_of_an_owner_until_it_is_over() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let raised = async |sentence: &'static str| {
        let gate = app.house.shell.operator().gate::<InstanceKeep>(());
        let raised = gate.write(move |tx| {
            alarms::raise(tx, Alarm::JobFailed, "backup", sentence)?;
            Ok(tx.quiet(Quiet::Nothing, ()))
        });
        raised.await.unwrap();
    };
    assert!(!app.page(&owner, "/instance/people").await.contains("href=\"/instance#alarms\""));
    raised("The disk is full.").await;
    raised("The disk is still full.").await;
    assert!(app.page(&owner, "/instance/people").await.contains("href=\"/instance#alarms\""));
    let page = app.page(&owner, "/instance").await;
    assert!(page.contains("One thing needs you") && page.contains("The disk is still full."), "{page}");
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains(r#"testkeep_alarms{kind="job_failed"} 1"#), "{metrics}");
    let gate = app.house.shell.operator().gate::<InstanceKeep>(());
    let cleared = gate.write(|tx| {
        alarms::clear(tx, Alarm::JobFailed, "backup")?;
        Ok(tx.quiet(Quiet::Nothing, ()))
    });
    cleared.await.unwrap();
    assert!(!app.page(&owner, "/instance").await.contains("needs you"));
    let trail = app.page(&owner, "/instance/audit").await;
    assert_eq!(trail.matches("alarm.raised").count(), trail.matches("alarm.cleared").count(), "{trail}");
    app.stop().await;
}
