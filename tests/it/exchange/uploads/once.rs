//! The same upload again changes nothing.

use super::{FAILED, Shop, many, report};
use futures_util::future::join_all;
use serde_json::json;

#[actix_web::test]
async fn the_same_key_gets_the_same_answer_and_another_content_a_conflict() {
    let shop = Shop::open().await;
    let xml = report("A", &[("x", FAILED)]);
    let first = shop.bare_with("", Some("job-1"), xml.clone()).await;
    let before = shop.rows().await;
    let again = shop.bare_with("", Some("job-1"), xml.clone()).await;
    assert_eq!((again.run(), again.is_replayed, &again.body["replayed"]), (1, true, &json!(true)));
    for part in ["upload", "run", "counts"] {
        assert_eq!(again.body[part], first.body[part], "{part}");
    }
    let other = shop.bare_with("", Some("job-1"), report("B", &[("x", "")])).await;
    assert_eq!((other.status, &other.body["code"]), (409, &json!("conflict")));
    let elsewhere = shop.bare_with("?run=Nightly", Some("job-1"), xml.clone()).await;
    assert_eq!(elsewhere.status, 409, "another run is another upload");
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.bare_with("", Some("job-2"), xml).await.run(), 2, "another key is another upload");
    shop.stop().await;
}

#[actix_web::test]
async fn the_same_content_without_a_key_is_stored_once_a_run() {
    let shop = Shop::open().await;
    let xml = report("A", &[("x", FAILED)]);
    shop.bare("?file=one.xml", xml.clone()).await;
    let before = shop.rows().await;
    let again = shop.bare("?file=other.xml", xml.clone()).await;
    assert_eq!((again.run(), again.is_replayed), (1, true));
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.bare("?run=Nightly", xml).await.run(), 2);
    shop.stop().await;
}

#[actix_web::test]
async fn of_parallel_identical_uploads_exactly_one_stores() {
    let shop = Shop::open().await;
    for (query, key) in [("", None), ("?run=Nightly", Some("job-7"))] {
        let xml = many(query, 50);
        let all = join_all((0..8).map(|_| shop.bare_with(query, key, xml.clone()))).await;
        assert_eq!(all.iter().filter(|sent| !sent.is_replayed).count(), 1);
        assert!(all.iter().all(|sent| sent.run() == all[0].run() && sent.counts()[0] == 50));
    }
    assert_eq!(&shop.rows().await[..4], [("uploads", 2), ("runs", 2), ("items", 100), ("results", 100)]);
    shop.stop().await;
}

#[actix_web::test]
async fn parallel_shards_of_one_title_share_one_run() {
    let shop = Shop::open().await;
    let shards: Vec<String> = (0..6).map(|shard| many(&format!("shard{shard}"), 20)).collect();
    let all = join_all(shards.into_iter().map(|xml| shop.bare("?run=Release%204.8", xml))).await;
    assert!(all.iter().all(|sent| sent.run() == 1));
    assert_eq!(shop.get("runs/1").await["counts"]["passed"], 120);
    shop.stop().await;
}
