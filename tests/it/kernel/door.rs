//! The door: who is let in, and what those hear who are not.

use super::house::{HOUR_MS, House, add, at, create, outcome, titles};
use testkeep::kernel::access::*;
use testkeep::kernel::audit::{Quiet, Verdict};
use testkeep::kernel::error::Kind::{self, Forbidden, NotFound, Unauthenticated};
use testkeep::kernel::sql::named_params;

async fn entries(house: &House) -> i64 {
    let found = house.verdict(None).await;
    let Verdict::Whole(head) = found else { panic!("{found:?}") };
    head.seq
}

#[actix_web::test]
async fn each_role_may_do_what_the_matrix_says_and_no_more() {
    let house = House::start();
    let shop = Some(house.project("SHOP").await);
    house.project("BANK").await;
    house.person("none", None).await;
    house.person("viewer", Some((Role::Viewer, shop))).await;
    house.person("tester", Some((Role::Tester, shop))).await;
    house.person("manager", Some((Role::Manager, shop))).await;
    house.person("auditor", Some((Role::Auditor, None))).await;
    house.person("owner", Some((Role::Owner, None))).await;

    const YES: Option<Kind> = None;
    const NO: Option<Kind> = Some(Forbidden);
    const GONE: Option<Kind> = Some(NotFound);
    const WHO: Option<Kind> = Some(Unauthenticated);
    #[rustfmt::skip]
    let matrix = [
        //            SHOP: view  write  members  BANK: view  projects  audit  people
        ("stranger", [WHO,        WHO,   WHO,     WHO,        WHO,      WHO,   WHO]),
        ("none",     [GONE,       GONE,  GONE,    GONE,       YES,      NO,    NO]),
        ("viewer",   [YES,        NO,    NO,      GONE,       YES,      NO,    NO]),
        ("tester",   [YES,        YES,   NO,      GONE,       YES,      NO,    NO]),
        ("manager",  [YES,        YES,   YES,     GONE,       YES,      NO,    NO]),
        ("auditor",  [YES,        NO,    NO,      YES,        YES,      YES,   NO]),
        ("owner",    [YES,        YES,   YES,     YES,        YES,      YES,   YES]),
    ];
    for (who, expected) in matrix {
        let found = [
            outcome(&house.gate::<ProjectView>(who, at("SHOP")).admit().await),
            outcome(&add(&house.gate(who, at("SHOP")), "x").await),
            outcome(&house.gate::<MemberManage>(who, at("SHOP")).admit().await),
            outcome(&house.gate::<ProjectView>(who, at("BANK")).admit().await),
            outcome(&house.gate::<ProjectList>(who, ()).admit().await),
            outcome(&house.gate::<AuditView>(who, ()).admit().await),
            outcome(&house.gate::<PeopleManage>(who, ()).admit().await),
        ];
        assert_eq!(found, expected, "{who}");
    }
}

#[actix_web::test]
async fn a_foreign_project_looks_exactly_like_none() {
    let house = House::start();
    let shop = house.project("SHOP").await;
    house.project("BANK").await;
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    let (secret, _) = add(&house.operator(at("BANK")), "secret").await.unwrap();

    let says = async |place| format!("{:?}", house.gate::<ProjectView>("tester", place).admit().await);
    assert_eq!(says(at("BANK")).await, says(at("NOWHERE")).await);
    assert_eq!(says(Place::Case(secret)).await, says(at("NOWHERE")).await);
}

#[actix_web::test]
async fn a_gate_in_hand_is_worth_nothing_once_the_credential_falls() {
    let house = House::start();
    let shop = house.project("SHOP").await;
    let user = house.person("tester", Some((Role::Tester, Some(shop)))).await;
    let gate = house.gate::<CaseWrite>("tester", at("SHOP"));
    assert_eq!(outcome(&add(&gate, "in time").await), None);

    house.clock.advance(HOUR_MS);
    assert_eq!(outcome(&add(&gate, "expired").await), Some(Unauthenticated));
    house.clock.advance(-HOUR_MS);
    assert_eq!(outcome(&add(&gate, "in time").await), None);

    let manage = house.operator::<PeopleManage>(());
    let suspending = manage.write(move |tx| {
        tx.run("UPDATE users SET state = 'suspended' WHERE id = :user", named_params! { ":user": user })
            .map(|_| tx.quiet(Quiet::LastSeen, ()))
    });
    suspending.await.unwrap();
    assert_eq!(outcome(&add(&gate, "suspended").await), Some(Unauthenticated));
}

#[actix_web::test]
async fn a_token_and_a_job_may_do_less_than_their_owner() {
    let house = House::start();
    let shop = house.project("SHOP").await;
    house.project("BANK").await;
    let tester = Some((Role::Tester, Some(shop)));
    house.person_with("reader", tester, Some("project.list project.view"), None).await;
    assert_eq!(outcome(&house.gate::<ProjectView>("reader", at("SHOP")).admit().await), None);
    assert_eq!(outcome(&add(&house.gate("reader", at("SHOP")), "x").await), Some(Forbidden));

    house.person_with("pipeline", Some((Role::Owner, None)), None, Some(shop)).await;
    assert_eq!(outcome(&add(&house.gate("pipeline", at("SHOP")), "x").await), None);
    assert_eq!(outcome(&add(&house.gate("pipeline", at("BANK")), "x").await), Some(NotFound));
    assert_eq!(outcome(&house.gate::<AccountWrite>("pipeline", ()).admit().await), Some(Forbidden));

    static TIDY: Job = Job { name: "tidy", meaning: "Tidies up.", may: &[ProjectView::INFO] };
    let job = house.door.job(&TIDY);
    assert_eq!(outcome(&job.gate::<ProjectView>(at("SHOP")).admit().await), None);
    assert_eq!(outcome(&add(&job.gate(at("SHOP")), "x").await), Some(Forbidden));
}

#[actix_web::test]
async fn a_visitor_may_sign_in_and_nothing_else() {
    let house = House::start();
    house.project("SHOP").await;
    let visitor = house.door.visitor(Origin::default());
    assert_eq!(outcome(&visitor.gate::<SignIn>(()).admit().await), None);
    assert_eq!(outcome(&visitor.gate::<ProjectList>(()).admit().await), Some(Forbidden));
    assert!(visitor.gate::<ProjectView>(at("SHOP")).admit().await.is_err());
}

#[actix_web::test]
async fn a_refusal_is_remembered_once_a_minute_whether_reading_or_writing() {
    let house = House::start();
    house.person("none", None).await;
    let start = entries(&house).await;
    let (read, write) = (house.gate::<AuditView>("none", ()), house.gate::<PeopleManage>("none", ()));
    for _ in 0..5 {
        assert_eq!(outcome(&read.admit().await), Some(Forbidden));
        let change = write.write(|tx| Ok(tx.quiet(Quiet::LastSeen, ()))).await;
        assert_eq!(outcome(&change), Some(Forbidden));
    }
    assert_eq!(entries(&house).await - start, 2);
    house.clock.advance(60_000);
    assert_eq!(outcome(&read.admit().await), Some(Forbidden));
    assert_eq!(entries(&house).await - start, 3);
}

#[actix_web::test]
async fn a_wide_permission_lends_a_narrow_one_and_may_asks_without_opening() {
    let house = House::start();
    let shop = house.project("SHOP").await;
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    let gate = house.operator::<UploadWrite>(at("SHOP"));
    gate.write(|tx| create(tx.narrow(), "lent")).await.unwrap();
    assert_eq!(titles(&house.operator(at("SHOP"))).await, ["lent"]);

    let tester = house.gate::<ProjectView>("tester", at("SHOP"));
    let may = tester.read(|tx| Ok((tx.may::<CaseWrite>(), tx.may::<ProjectKeep>()))).await;
    assert_eq!(may.unwrap(), (true, false));
}
