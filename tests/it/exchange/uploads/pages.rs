//! The upload page, in a browser without script.

use super::{FAILED, report};
use crate::support::App;
use crate::support::browser::{Browser, between};

/// A browser in which the owner of a new instance is signed in.
async fn owner(app: &App) -> Browser<'_> {
    let mut browser = Browser::new(app);
    let code = app.setup_code.as_ref().expect("a new instance has a link").expose().clone();
    browser.get(&format!("/setup/owner?code={code}")).await;
    let passphrase = "kettle orbit walnut copper";
    let fields = [
        ("code", &*code),
        ("name", "Owner"),
        ("email", "owner@shop.example"),
        ("passphrase", passphrase),
        ("again", passphrase),
    ];
    browser.post("/setup/owner", &fields).await;
    browser.enrol("/setup/factor").await;
    browser
}

#[actix_web::test]
async fn people_upload_in_a_form_and_see_the_newest_below_it() {
    let app = App::start().await;
    app.project("SHOP").await;
    let mut browser = owner(&app).await;
    let page = browser.get("/p/SHOP/upload").await;
    assert_eq!(page.status, 200);
    for part in
        ["Upload a report", "enctype=\"multipart/form-data\"", "data-progress", "multiple", "No upload yet"]
    {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }

    let (one, two) = (report("A", &[("x", "")]), report("B", &[("y", FAILED)]));
    let files: [(&str, &[u8]); 2] = [("a.xml", one.as_bytes()), ("b.xml", two.as_bytes())];
    let sent = browser.post_files("/p/SHOP/upload", &[("run", "Nightly")], "file", &files).await;
    assert_eq!((sent.status.as_u16(), sent.location.as_str()), (303, "/p/SHOP/runs/1"), "{}", sent.body);

    let page = browser.get("/p/SHOP/upload").await;
    for part in [
        "Nightly",
        "SHOP-R1",
        "href=\"/p/SHOP/runs/1\"",
        "2 results are stored in SHOP-R1: 1 failed, 0 errored.",
    ] {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    let again = browser.post_files("/p/SHOP/upload", &[("run", "Nightly")], "file", &files).await;
    assert_eq!((again.status.as_u16(), again.location.as_str()), (303, "/p/SHOP/runs/1"));
    let page = browser.get("/p/SHOP/upload").await;
    assert!(page.body.contains("nothing was changed"), "{}", page.body);
    app.stop().await;
}

#[actix_web::test]
async fn a_refused_upload_shows_the_form_again_with_the_place_and_what_was_typed() {
    let app = App::start().await;
    app.project("SHOP").await;
    let mut browser = owner(&app).await;
    browser.get("/p/SHOP/upload").await;
    let cut: (&str, &[u8]) = ("<cut>.xml", b"<testsuite>\n<testcase");
    let sent = browser.post_files("/p/SHOP/upload", &[("run", "Night & day")], "file", &[cut]).await;
    assert_eq!(sent.status, 422);
    let notice = between(&sent.body, "role=\"alert\"", "</div>").unwrap();
    assert!(notice.contains("&#60;cut&#62;.xml, line 2, column 1") && notice.contains("cut off"), "{notice}");
    assert!(sent.body.contains("value=\"Night &#38; day\""), "{}", sent.body);

    let closed =
        browser.post_files("/p/SHOP/upload", &[("run", "7")], "file", &[("a.xml", b"<testsuite/>")]).await;
    assert_eq!(closed.status, 404);
    assert!(closed.body.contains("There is no run R7") && closed.body.contains("Nothing was stored"));
    let none = browser.post_files("/p/SHOP/upload", &[("run", "")], "file", &[("", b"")]).await;
    assert_eq!(none.status, 422);
    assert!(none.body.contains("holds no file"));
    app.stop().await;
}

#[actix_web::test]
async fn a_file_from_another_site_is_not_taken() {
    let app = App::start().await;
    app.project("SHOP").await;
    let mut browser = owner(&app).await;
    browser.get("/p/SHOP/upload").await;
    browser.forget_form();
    let sent = browser.post_files("/p/SHOP/upload", &[], "file", &[("a.xml", b"<testsuite/>")]).await;
    assert_eq!(sent.status, 403);
    assert!(browser.get("/p/SHOP/upload").await.body.contains("No upload yet"));
    app.stop().await;
}
