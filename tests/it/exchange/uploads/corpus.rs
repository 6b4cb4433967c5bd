//! Files of other people, through HTTP. Without the folder there is nothing to check, and the test says so.

use super::Shop;
use crate::exchange::junit::corpus::{agrees, folder, rows};

#[actix_web::test]
async fn reports_of_other_people_are_stored_with_the_counts_they_should_have() {
    let shop = Shop::open().await;
    let all = rows(|path| path.starts_with("junit/"));
    let mut good = 0;
    let mut apart = Vec::new();
    for row in &all {
        let sent = shop.bare("", std::fs::read(folder().join(&row.path)).unwrap()).await;
        let is_good = match sent.status {
            201 => agrees(row, &sent.counts().map(i64::unsigned_abs)),
            status => status == 422 && row.column("outcome") == "either",
        };
        good += u32::from(is_good);
        if !is_good {
            apart.push(format!("{}: {} {}", row.path, sent.status, sent.body));
        }
    }
    println!("{good} of {} reports are stored as they should be", all.len());
    assert!(apart.is_empty(), "{apart:#?}");
    shop.stop().await;
}

#[actix_web::test]
async fn odd_and_broken_files_are_stored_or_refused_and_leave_nothing_half() {
    let shop = Shop::open().await;
    let all =
        rows(|path| ["hostile/", "malformed/", "other-xml/"].iter().any(|folder| path.starts_with(folder)));
    for row in &all {
        let before = shop.rows().await;
        let sent = shop.bare("?file=x.xml", std::fs::read(folder().join(&row.path)).unwrap()).await;
        match sent.status {
            201 => assert_ne!(row.column("outcome"), "error", "{}", row.path),
            status => {
                assert!((400..500).contains(&status), "{}: {status}", row.path);
                assert_ne!(row.column("outcome"), "import", "{}: {}", row.path, sent.body);
                assert_eq!(shop.rows().await, before, "{}", row.path);
            }
        }
    }
    println!("{} odd files end as they should", all.len());
    shop.stop().await;
}
