//! The page of the instance.

use crate::support::App;
use testkeep::kernel::access::Role;

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
        "Makes a backup, reads it back",
        "Checks the audit trail from its first entry",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
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
