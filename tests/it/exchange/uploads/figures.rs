//! Figures of uploads, for whoever measures: not part of the gate. Ask for them with `--ignored --nocapture`, in a
//! release build.

use super::{Shop, report};
use std::io::Write as _;
use std::time::Instant;

/// Clock ticks a second of `/proc/self/stat`: 100 on every Linux that runs us.
const TICKS_A_SECOND: f64 = 100.0;

/// Processor time of this process so far, user and system, in seconds. Server and client share it.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_A_SECOND
}

/// Memory of this process, in KiB: `VmRSS` now, `VmHWM` at its highest.
fn memory(what: &str) -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn checks(class: &str, count: usize, run: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("pays with card number {n} at the till")).collect();
    let inside = |n: usize| if (n + run).is_multiple_of(50) { super::FAILED } else { "" };
    report(class, &names.iter().enumerate().map(|(n, name)| (name.as_str(), inside(n))).collect::<Vec<_>>())
}

#[actix_web::test]
#[ignore = "measures; meaningful in a release build only"]
async fn a_thousand_results() {
    let shop = Shop::open().await;
    for (what, reuses) in [("new", false), ("known", true)] {
        let reports: Vec<String> =
            (0..20).map(|n| checks(&format!("shop.Test{}", if reuses { 0 } else { n }), 1_000, n)).collect();
        let (began, before) = (Instant::now(), cpu());
        for xml in reports {
            assert_eq!(shop.bare(&format!("?run={what}%20{}", xml.len()), xml).await.status, 201);
        }
        let each = |seconds: f64| seconds * 1e6 / 20_000.0;
        println!(
            "{what}: {:.0} us a result, {:.0} us CPU",
            each(began.elapsed().as_secs_f64()),
            each(cpu() - before)
        );
    }
    shop.stop().await;
}

#[actix_web::test]
#[ignore = "measures; meaningful in a release build only"]
async fn fifty_megabytes() {
    let shop = Shop::open().await;
    shop.bare("", checks("warm", 500, 0)).await;
    let (file, count) = (shop.app.folder().join("big.xml"), 480 * 500);
    // Class by class, so that the memory of making it does not count as idle.
    let mut writer = std::fs::File::create(&file).unwrap();
    let mut put = |text: &str| writer.write_all(text.as_bytes()).unwrap();
    put("<testsuites>");
    (0..480).for_each(|n| put(&checks(&format!("shop.area{}.Test{n}", n % 20), 500, n)));
    put("</testsuites>");
    let size = std::fs::metadata(&file).unwrap().len();
    let body = tokio::fs::File::open(&file).await.unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (idle, began, before) = (memory("VmRSS:"), Instant::now(), cpu());
    let request = shop.app.with_token(&shop.robot, reqwest::Method::POST, super::UPLOADS);
    let sent = super::answer(request.body(body).send().await.unwrap()).await;
    assert_eq!(sent.counts()[0], count);
    println!(
        "{size} bytes, {count} results: {:.1} s, {:.1} s CPU, {} KiB over {idle} KiB",
        began.elapsed().as_secs_f64(),
        cpu() - before,
        memory("VmHWM:") - idle
    );
    shop.stop().await;
}
