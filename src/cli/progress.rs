//! Bars on standard error, for whoever watches: nothing is drawn where no terminal is, or with `--json`.

use super::output::Output;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes. A length of 0 is one that is not known yet.
pub fn bytes(total: u64, output: Output) -> ProgressBar {
    bar(total, output, "{bar:32} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left {msg}")
}

/// A bar over things that are counted.
pub fn things(total: u64, output: Output) -> ProgressBar {
    bar(total, output, "{bar:32} {human_pos} of {human_len}, {eta} left")
}

fn bar(total: u64, output: Output, template: &str) -> ProgressBar {
    if output == Output::Json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).expect("the template is one of ours");
    ProgressBar::new(total).with_style(style)
}
