//! Scheduled work, and the clock that it goes by.

use crate::support::{App, NOW};
use std::time::Duration;
use testkeep::kernel::access::{JobKeep, Role};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::declare::{Work, records};
use testkeep::kernel::sql::named_params;
use testkeep::kernel::time::Timestamp;

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// A job of which this is noted.
async fn noted(app: &App, name: &'static str, lease_until: i64, started_at: i64) {
    let gate = app.house.shell.operator().gate::<JobKeep>(());
    let noted = gate.write(move |tx| {
        tx.run(
            "INSERT INTO jobs (name, lease_until, started_at) VALUES (:name, :until, :started)
                 ON CONFLICT (name) DO UPDATE SET lease_until = :until, started_at = :started",
            named_params! { ":name": name, ":until": lease_until, ":started": started_at },
        )?;
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    noted.await.unwrap();
}

async fn known(app: &App, name: &str) -> Work {
    let gate = app.house.shell.operator().gate::<JobKeep>(());
    let all = gate.read(|tx| records(tx)).await.unwrap();
    all.into_iter().find(|work| work.name == name).unwrap()
}

/// Looks again until the job has ended, for as long as two looks at the table may take.
async fn ended(app: &App, name: &str) -> Work {
    for _ in 0..500 {
        let work = known(app, name).await;
        if work.finished_at.is_some() {
            return work;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} never ran: {:?}", known(app, name).await);
}

#[actix_web::test]
async fn f20_f02_work_goes_on_after_a_kill_and_after_the_clock_was_a_year_ahead() {
    let app = App::start().await;
    // Killed while it made backups; and it last looked at targets by a clock that was a year ahead.
    noted(&app, "backup", NOW.0 + 5 * 3_600_000, NOW.0 - 60_000).await;
    noted(&app, "backup-look", NOW.0 + YEAR_MS + 1_000, NOW.0 + YEAR_MS).await;
    let app = App::on(app.stop().await, &[]).await;
    assert_eq!(known(&app, "backup").await.lease_until, Timestamp(0));
    // The clock is set back while the server is up: no lease ends that late.
    noted(&app, "drill-watch", NOW.0 + YEAR_MS, NOW.0 + YEAR_MS).await;
    for name in ["backup", "backup-look", "drill-watch"] {
        let work = ended(&app, name).await;
        assert_eq!((work.started_at, work.outcome.as_deref()), (Some(NOW), Some("good")), "{work:?}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn f20_a_clock_that_went_back_raises_an_alarm() {
    let app = App::start().await;
    app.clock.advance(YEAR_MS);
    app.project("SHOP").await;
    let app = App::on(app.stop().await, &[]).await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance").await;
    assert!(page.contains("The clock was set back") && page.contains("2027-01-02"), "{page}");
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains(r#"testkeep_alarms{kind="clock_back"} 1"#), "{metrics}");
    app.stop().await;
}
