//! The writer: groups, savepoints, limits.

use super::house::{House, add, at, create, outcome, titles};
use actix_web::rt;
use std::sync::mpsc;
use std::time::Duration;
use testkeep::kernel::access::*;
use testkeep::kernel::audit::{Audited, Quiet};
use testkeep::kernel::error::{Error, Kind};
use testkeep::kernel::sql::{self, FromRow, Row};

struct Nothing;
impl FromRow for Nothing {
    fn from_row(_: &Row<'_>) -> sql::Result<Nothing> {
        Ok(Nothing)
    }
}

/// Groups that close only when nobody waits, however slow the machine.
fn patient() -> Tuning {
    Tuning { write_group_hold: Duration::from_secs(60), ..Tuning::default() }
}

/// Holds the writer inside a job until told otherwise, so that others gather behind it.
async fn hold(gate: &Gate<CaseWrite>) -> (mpsc::Sender<()>, rt::task::JoinHandle<()>) {
    let (release, wait) = mpsc::channel();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let gate = gate.clone();
    let held = rt::spawn(async move {
        let job = gate.write(move |tx| {
            begun.send(()).unwrap();
            let _ = wait.recv();
            create(tx, "held")
        });
        let _ = job.await;
    });
    has_begun.await.unwrap();
    (release, held)
}

#[actix_web::test]
async fn concurrent_writers_get_their_own_result_and_find_it_stored() {
    let house = House::start();
    house.project("SHOP").await;
    let writers = (0..64).map(|n| {
        let (gate, title) = (house.operator(at("SHOP")), format!("case {n}"));
        rt::spawn(async move {
            let (_, number) = add(&gate, &title).await.unwrap();
            number
        })
    });
    let mut numbers = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        numbers.push(writer.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    assert_eq!(titles(&house.restart().await.operator(at("SHOP"))).await.len(), 64);
}

#[actix_web::test]
async fn an_error_or_a_panic_in_a_job_costs_nobody_else_in_its_group() {
    let house = House::with(&patient());
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let (release, held) = hold(&gate).await;
    let good = add(&gate, "good");
    let failing = gate.write(|tx| {
        let _ = create(tx, "never seen")?;
        Err::<Audited<'_, ()>, _>(Error::conflict("No."))
    });
    let panicking = gate.write(|tx| {
        let _ = create(tx, "never seen either")?;
        if tx.now().0 > 0 {
            panic!("on purpose");
        }
        Ok(tx.quiet(Quiet::LastSeen, ()))
    });
    let better = add(&gate, "better");
    let let_go = async { drop(release) };
    let (good, failing, panicking, better, ()) = tokio::join!(good, failing, panicking, better, let_go);
    held.await.unwrap();

    assert_eq!(outcome(&good), None);
    assert_eq!(outcome(&failing), Some(Kind::Conflict));
    assert!(format!("{:?}", panicking.unwrap_err()).contains("on purpose"));
    assert_eq!(outcome(&better), None);
    assert_eq!(titles(&house.operator(at("SHOP"))).await, ["held", "good", "better"]);
}

#[actix_web::test]
async fn a_commit_that_fails_answers_everyone_in_its_group() {
    let house = House::with(&patient());
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let (release, held) = hold(&gate).await;
    let innocent = add(&gate, "innocent");
    let breaking = gate.write(|tx| {
        // The one kind of failure that shows only at the commit; migrations may not declare it.
        tx.run("PRAGMA defer_foreign_keys = ON", [])?;
        tx.run("INSERT INTO grants (user_id, role, created_at) VALUES (99, 'viewer', 0)", [])?;
        Ok(tx.quiet(Quiet::LastSeen, ()))
    });
    let let_go = async { drop(release) };
    let (innocent, breaking, ()) = tokio::join!(innocent, breaking, let_go);
    held.await.unwrap();

    assert_eq!(outcome(&innocent), Some(Kind::Internal));
    assert_eq!(outcome(&breaking), Some(Kind::Internal));
    assert_eq!(outcome(&add(&gate, "afterwards").await), None);
    assert_eq!(titles(&house.operator(at("SHOP"))).await, ["afterwards"]);
}

#[actix_web::test]
async fn a_full_disk_answers_everyone_whose_change_it_took_along() {
    let house = House::with(&patient());
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let (release, held) = hold(&gate).await;
    let innocent = add(&gate, "innocent");
    let filling = gate.write(|tx| {
        // Here SQLite gives up the whole transaction, not only the statement.
        tx.row::<Nothing>("PRAGMA max_page_count = 1", [])?;
        tx.run("INSERT INTO users (name, created_at) VALUES (hex(zeroblob(1000000)), 0)", [])?;
        Ok(tx.quiet(Quiet::LastSeen, ()))
    });
    let let_go = async { drop(release) };
    let (innocent, filling, ()) = tokio::join!(innocent, filling, let_go);
    held.await.unwrap();
    assert_eq!((outcome(&innocent), outcome(&filling)), (Some(Kind::Full), Some(Kind::Full)));
    assert!(format!("{:?}", filling.unwrap_err()).contains("full"));
    assert!(format!("{:?}", innocent.unwrap_err()).contains("abandoned"));

    let room = "PRAGMA max_page_count = 1000000";
    let more = gate.write(move |tx| {
        let more = tx.row::<Nothing>(room, [])?;
        Ok(tx.quiet(Quiet::LastSeen, more.is_some()))
    });
    assert!(more.await.unwrap());
    assert_eq!(outcome(&add(&gate, "afterwards").await), None);
}

#[actix_web::test]
async fn a_job_cannot_end_the_transaction_it_was_lent() {
    let house = House::start();
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    for sly in ["COMMIT", "ROLLBACK", "RELEASE job", "ROLLBACK TO job", "SAVEPOINT own"] {
        let change = gate.write(move |tx| {
            let _ = create(tx, "never seen")?;
            tx.run(sly, []).map(|_| tx.quiet(Quiet::LastSeen, ()))
        });
        assert!(format!("{:?}", change.await.unwrap_err()).contains("not authorized"), "{sly}");
    }
    add(&gate, "afterwards").await.unwrap();
    assert_eq!(titles(&house.operator(at("SHOP"))).await, ["afterwards"]);
}

#[actix_web::test]
async fn a_full_queue_answers_busy() {
    let house = House::with(&Tuning { write_queue: 1, ..Tuning::default() });
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let (release, held) = hold(&gate).await;
    let let_go = async { drop(release) };
    let (first, second, ()) = tokio::join!(add(&gate, "first"), add(&gate, "second"), let_go);
    held.await.unwrap();
    assert_eq!((outcome(&first), outcome(&second)), (None, Some(Kind::Busy)));
}

#[actix_web::test]
async fn shutting_down_finishes_what_waits_and_takes_no_more() {
    let house = House::start();
    house.project("SHOP").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let (release, held) = hold(&gate).await;
    let waiting = add(&gate, "waiting");
    let closing = house.door.shut_down();
    let let_go = async { drop(release) };
    let (waiting, (), ()) = tokio::join!(waiting, closing, let_go);
    held.await.unwrap();
    assert_eq!(outcome(&waiting), None);
    assert_eq!(outcome(&add(&gate, "late").await), Some(Kind::Busy));
    assert_eq!(titles(&house.restart().await.operator(at("SHOP"))).await, ["held", "waiting"]);
}

#[actix_web::test]
async fn a_read_that_takes_too_long_is_interrupted_and_the_connection_lives_on() {
    let deadline = Duration::from_millis(30);
    let house = House::with(&Tuning { readers: 1, read_deadline: deadline, ..Tuning::default() });
    let gate = house.operator::<ProjectList>(());
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                   SELECT max(i) FROM n";
    let read = gate.read(move |tx| tx.row::<Nothing>(endless, []).map(drop)).await;
    assert_eq!(outcome(&read), Some(Kind::Busy));
    assert_eq!(outcome(&gate.admit().await), None);
}

#[actix_web::test]
async fn a_reader_cannot_write_and_a_panic_does_not_use_it_up() {
    let house = House::with(&Tuning { readers: 1, ..Tuning::default() });
    let gate = house.operator::<ProjectList>(());
    let sly = "INSERT INTO projects (key, name, created_at) VALUES ('XX', 'X', 0) RETURNING id";
    let read = gate.read(move |tx| tx.row::<Nothing>(sly, []).map(drop)).await;
    assert!(format!("{:?}", read.unwrap_err()).contains("readonly"));
    let read = gate.read(|tx| if tx.now().0 > 0 { panic!("on purpose") } else { Ok(()) }).await;
    assert_eq!(outcome(&read), Some(Kind::Internal));
    assert_eq!(outcome(&gate.admit().await), None);
}
