//! Metrics: the state of a standby as Prometheus reads it from a file, such as by the textfile collector of
//! node_exporter.

use super::status::Status;
use crate::kernel::durable::trouble;
use crate::kernel::error::Result;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Puts the metrics into a file that everybody may read, whole: they hold no secret.
pub(super) fn put(path: &Path, status: &Status, proven_at_ms: Option<i64>) -> Result<()> {
    let half = path.with_extension("prom.half");
    let written = fs::write(&half, text(status, proven_at_ms))
        .and_then(|()| fs::set_permissions(&half, Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&half, path));
    written.map_err(|cause| trouble("write", path, cause))
}

fn text(status: &Status, proven_at_ms: Option<i64>) -> String {
    let seconds = |ms: Option<i64>| ms.map(|ms| format!("{:.3}", in_seconds(ms)));
    let rows = [
        (
            "ready",
            "Whether it could take over now within its bound.",
            Some(u8::from(status.ready).to_string()),
        ),
        (
            "lag_seconds",
            "How far the copy is behind the clock.",
            status.lag_seconds.map(|lag| format!("{lag:.3}")),
        ),
        ("lag_seconds_max", "How far it may be.", Some(status.lag_seconds_max.to_string())),
        (
            "reached_timestamp_seconds",
            "Everything committed by then is in the copy.",
            seconds(status.reached_ms),
        ),
        (
            "behind_target_segments",
            "Segments at the target that are not here.",
            status.behind_target_segments.map(|count| count.to_string()),
        ),
        (
            "target_up",
            "Whether the last look succeeded.",
            Some(u8::from(status.trouble.is_none()).to_string()),
        ),
        (
            "base_backup",
            "Backup that the copy began with.",
            status.base.as_ref().map(|base| base.number.to_string()),
        ),
        (
            "last_good_backup",
            "Newest signed backup at the target.",
            status.last_good_backup.as_ref().map(|good| good.number.to_string()),
        ),
        ("proven_timestamp_seconds", "When the copy was last opened and found whole.", seconds(proven_at_ms)),
    ];
    let mut text = String::new();
    for (name, help, value) in rows {
        let Some(value) = value else { continue };
        let name = format!("testkeep_standby_{name}");
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}")
            .expect("a string takes any text");
    }
    text
}

fn in_seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a moment is far below 2⁵³ ms")]
    let ms = ms as f64;
    ms / 1_000.0
}
