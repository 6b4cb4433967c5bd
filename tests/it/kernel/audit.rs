//! The audit trail: whole, and it shows when it is not.

use super::house::{House, add, at};
use testkeep::kernel::access::*;
use testkeep::kernel::audit::{Quiet, Verdict};

async fn tampered(house: &House, sql: &'static str) {
    let gate = house.operator::<ProjectAdmin>(());
    gate.write(move |tx| tx.run(sql, []).map(|n| tx.quiet(Quiet::LastSeen, n))).await.unwrap();
}

async fn trail_of_six() -> House {
    let house = House::start();
    house.project("SHOP").await;
    for n in 0..5 {
        add(&house.operator(at("SHOP")), &format!("case {n}")).await.unwrap();
    }
    house
}

#[actix_web::test]
async fn an_untouched_trail_verifies_and_holds_one_entry_a_change() {
    let verdict = trail_of_six().await.verdict(None).await;
    assert!(matches!(&verdict, Verdict::Whole(head) if head.seq == 6), "{verdict:?}");
}

#[actix_web::test]
async fn a_changed_a_missing_and_a_swapped_row_are_found() {
    let changes = [
        ("UPDATE audit SET facts = 'case=9' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE seq = 6", 6),
        ("UPDATE audit SET project_id = NULL WHERE seq = 2", 2),
        ("UPDATE audit SET source = NULL WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("UPDATE audit SET seq = 100 WHERE seq = 5", 5),
        ("UPDATE audit_sources SET address = '127.0.0.9' WHERE seq = 3", 3),
    ];
    for (sql, broken_at) in changes {
        let house = trail_of_six().await;
        tampered(&house, sql).await;
        assert_eq!(house.verdict(None).await, Verdict::BrokenAt(broken_at), "{sql}");
    }
}

#[actix_web::test]
async fn erasing_where_an_entry_came_from_leaves_the_trail_whole() {
    let house = trail_of_six().await;
    tampered(&house, "DELETE FROM audit_sources WHERE seq = 3").await;
    assert!(matches!(house.verdict(None).await, Verdict::Whole(_)));
}

#[actix_web::test]
async fn a_trail_cut_short_is_found_with_a_head_kept_elsewhere() {
    let house = trail_of_six().await;
    let Verdict::Whole(head) = house.verdict(None).await else { panic!("the trail is whole") };
    tampered(&house, "DELETE FROM audit WHERE seq = 6").await;
    assert!(matches!(house.verdict(None).await, Verdict::Whole(_)));
    assert_eq!(house.verdict(Some(head)).await, Verdict::CutShort { should_reach: 6 });
}
