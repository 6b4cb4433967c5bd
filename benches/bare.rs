//! The floor under every figure: rows that bare SQLCipher stores in a second of processor time.
//!
//! Same cipher, same pragmas, 1,000 rows a commit, a table with two indexes, raw key. The load script
//! divides our own cost by this one, so that a busy or slow machine does not count.
//!
//! Prints one JSON line: `{"rows":…, "cpu_seconds":…, "rows_per_cpu_second":…}`.
#![forbid(unsafe_code)]

use rusqlite::{Connection, params};
use std::time::Duration;

const ROWS: i64 = 50_000;
const ROWS_A_COMMIT: i64 = 1_000;
/// Clock ticks a second of `/proc/self/stat`: 100 on every Linux that runs us.
const TICKS_A_SECOND: f64 = 100.0;

fn main() -> rusqlite::Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut conn = Connection::open(folder.path().join("bare.db"))?;
    conn.pragma_update(None, "cipher_log_level", "NONE")?;
    conn.pragma_update(None, "key", format!("x'{}'", "07".repeat(32)))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -16 * 1024)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.execute_batch(
        "CREATE TABLE results (id INTEGER PRIMARY KEY, run_id INTEGER, case_id INTEGER, status TEXT, text TEXT) STRICT;
         CREATE INDEX by_run ON results (run_id);
         CREATE INDEX by_case ON results (case_id);",
    )?;
    let text = "x".repeat(120);
    let before = cpu_seconds();
    for first in (0..ROWS).step_by(ROWS_A_COMMIT as usize) {
        let tx = conn.transaction()?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO results (run_id, case_id, status, text) VALUES (?, ?, 'passed', ?)",
            )?;
            for n in first..first + ROWS_A_COMMIT {
                insert.execute(params![first / ROWS_A_COMMIT, n % ROWS_A_COMMIT, text])?;
            }
        }
        tx.commit()?;
    }
    let spent = cpu_seconds() - before;
    println!(
        "{{\"rows\":{ROWS},\"cpu_seconds\":{spent:.2},\"rows_per_cpu_second\":{:.0}}}",
        ROWS as f64 / spent
    );
    Ok(())
}

/// Processor time of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux shows /proc/self/stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / TICKS_A_SECOND
}
