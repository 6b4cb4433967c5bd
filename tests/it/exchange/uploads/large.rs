//! Large uploads: in chunks, seen by nobody before they are whole, and gone when they break off.

use super::{Shop, many, report};
use crate::kernel::house::at;
use reqwest::Method;
use serde_json::json;
use testkeep::exchange::uploads::{Leftover, sweep};
use testkeep::kernel::access::{InProject, ResultWrite, Tx, UploadWrite};
use testkeep::kernel::id::UploadId;
use testkeep::kernel::sql::named_params;
use testkeep::library::text::Title;
use testkeep::library::verdicts::Status;
use testkeep::running::results::{CaseOf, NewResult, Recorder, Source};
use testkeep::running::runs::{self, Kind};

const MANY: usize = 20_500;

#[actix_web::test]
async fn a_large_report_is_stored_in_chunks_and_seen_only_when_it_is_whole() {
    let shop = Shop::open().await;
    let xml = many("Big", MANY);
    let sending = async {
        let [one, other] = futures_util::future::join_all([
            shop.bare("?run=Nightly", xml.clone()),
            shop.bare("?run=Nightly", xml.clone()),
        ])
        .await
        .try_into()
        .ok()
        .unwrap();
        (one, other)
    };
    let watching = async {
        // Whoever looks meanwhile sees no run, or a whole one.
        let mut looks = 0;
        loop {
            // In this order: between the two answers it may become whole.
            let uploads = shop.get("uploads").await;
            let runs = shop.get("runs").await;
            looks += 1;
            match runs["runs"].as_array().unwrap().first() {
                Some(run) => {
                    assert_eq!(run["counts"]["passed"], MANY);
                    return looks;
                }
                None => assert_eq!(uploads["uploads"], json!([])),
            }
            let hidden = shop.app.with_token(&shop.viewer, Method::GET, "/api/v1/projects/SHOP/runs/1");
            let status = hidden.send().await.unwrap().status();
            assert!(status == 404 || status == 200);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let ((one, other), looks) = futures_util::future::join(sending, watching).await;
    println!("{looks} looks while {MANY} results came in");
    assert_eq!((one.run(), other.run()), (1, 1));
    assert_eq!([one.is_replayed, other.is_replayed].iter().filter(|is| **is).count(), 1);
    assert_eq!(one.counts()[0], MANY as i64);
    let rows: Vec<i64> = shop.rows().await.into_iter().map(|(_, count)| count).collect();
    let count = MANY as i64;
    assert_eq!(rows, [1, 1, count, count, count, count, count]);
    // A small one joins it, and more than a run takes at once does not.
    assert_eq!(shop.bare("?run=Nightly", report("A", &[("x", "")])).await.run(), 1);
    let before = shop.rows().await;
    let sent = shop.bare("?run=1", many("More", 50_001)).await;
    assert_eq!(sent.status, 413);
    assert!(sent.body["hint"].as_str().unwrap().contains("without `run`"), "{}", sent.body);
    assert_eq!(shop.rows().await, before);
    shop.stop().await;
}

#[actix_web::test]
async fn who_hangs_up_while_a_large_upload_is_stored_finds_it_whole_later() {
    let shop = Shop::open().await;
    let xml = many("Big", MANY);
    let sending = shop.bare_with("", Some("job-9"), xml.clone());
    // Waits until the first chunk is in, then hangs up.
    let hanging_up = async {
        while shop.rows().await[3].1 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    futures_util::future::select(Box::pin(sending), Box::pin(hanging_up)).await;
    let again = shop.bare_with("", Some("job-9"), xml).await;
    assert_eq!((again.run(), again.is_replayed, again.counts()[0]), (1, true, MANY as i64));
    shop.stop().await;
}

/// What a server leaves that was killed while a large upload came in.
async fn half_an_upload(shop: &Shop) -> UploadId {
    let operator = || shop.app.house.shell.operator();
    let gate = operator().gate::<UploadWrite>(at("SHOP"));
    let begun = gate.write(|tx| {
        let run = runs::receive(tx.narrow(), &Title::from_machine("Half"))?.value;
        tx.run(
            "INSERT INTO uploads (project_id, run_id, state, content, format, files, bytes, created_at)
             VALUES (:project, :run, 'receiving', 'half', 'junit', 1, 1, :now)",
            named_params! { ":project": tx.project(), ":run": run.id, ":now": tx.now() },
        )?;
        let upload = tx.only::<crate::kernel::house::Number>("SELECT max(id) FROM uploads", [])?.0;
        let source = Source { kind: Kind::Automated, upload: Some(UploadId(upload)) };
        let mut recorder = Recorder::open(tx.narrow::<ResultWrite>(), run, source)?;
        for n in 0..4_500 {
            let key = CaseOf::key(&format!("half.Test.check{n}"), None);
            recorder.push(NewResult::new(key, Status::Failed))?;
        }
        recorder.push(NewResult::new(CaseOf::key("A > x", None), Status::Failed))?;
        Ok(recorder.finish()?.map(|_| UploadId(upload)))
    });
    begun.await.unwrap()
}

#[actix_web::test]
async fn what_a_killed_server_left_of_an_upload_is_gone_when_it_starts_again() {
    let shop = Shop::open().await;
    shop.bare("", report("A", &[("x", "")])).await;
    half_an_upload(&shop).await;
    assert_eq!(shop.rows().await[3], ("results", 4_502));
    assert_eq!(shop.get("runs").await["runs"].as_array().unwrap().len(), 1);
    let refused = shop.bare("?run=2", report("B", &[("x", "")])).await;
    assert_eq!(refused.status, 404, "nobody sees a run that is coming in: {}", refused.body);

    let Shop { app, robot, viewer } = shop;
    let app = crate::support::App::on(app.stop().await, &[]).await;
    let shop = Shop { app, robot, viewer };
    let rows = shop.rows().await;
    assert_eq!(&rows[..4], [("uploads", 1), ("runs", 1), ("items", 1), ("results", 1)]);
    // Its cases stay, as cases that never ran; the next try finds them, and A > x is as it was.
    assert_eq!(&rows[4..], [("cases", 4_501), ("revisions", 4_501), ("case_summaries", 1)]);
    let never: i64 = {
        let gate = shop.app.house.shell.operator().gate::<UploadWrite>(at("SHOP"));
        let sql = "SELECT count(*) FROM cases WHERE has_result = 0";
        gate.read(move |tx| tx.only::<crate::kernel::house::Number>(sql, [])).await.unwrap().0
    };
    assert_eq!(never, 4_500);
    assert_eq!(shop.bare("", report("C", &[("x", "")])).await.run(), 3, "a number is never given twice");
    shop.stop().await;
}

#[actix_web::test]
async fn the_job_takes_away_only_what_nobody_can_still_be_sending() {
    let shop = Shop::open().await;
    half_an_upload(&shop).await;
    let door = &shop.app.house.instance.door;
    assert_eq!(sweep(door, Leftover::Stale).await.unwrap(), 0);
    shop.app.clock.advance(3_600_001);
    assert_eq!(sweep(door, Leftover::Stale).await.unwrap(), 1);
    assert_eq!(&shop.rows().await[..4], [("uploads", 0), ("runs", 0), ("items", 0), ("results", 0)]);
    shop.stop().await;
}
