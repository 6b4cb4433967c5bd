//! `testkeep certificate`: how the certificate is doing, and another one at once.

use super::output::Output;
use crate::app::House;
use crate::keeping::certificates::{self, Standing};
use crate::kernel::access::{InstanceKeep, InstanceView};
use crate::kernel::error::{Error, Result};
use crate::kernel::hold;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use clap::Subcommand;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks whether the server is done.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What to do with the certificate.
#[derive(Subcommand, Debug)]
pub enum Certificate {
    /// Show where it comes from, for which names, and when another one is due.
    Status,
    /// Have the running server ask for another one now, and wait for it.
    Renew {
        /// How many seconds to wait.
        #[arg(long, default_value_t = 300)]
        wait: u64,
    },
}

/// Runs one of them.
pub async fn run(command: Certificate, house: &House, options: &Options, output: Output) -> Result<()> {
    match command {
        Certificate::Status => {
            let shown = status(house, options).await?;
            output.print(&shown, text);
            Ok(())
        }
        Certificate::Renew { wait } => {
            let said = renew(house, options, Duration::from_secs(wait)).await?;
            output.print(&json!({ "message": said }), |_| said.clone());
            Ok(())
        }
    }
}

async fn status(house: &House, options: &Options) -> Result<Value> {
    if options.cleartext_behind_proxy {
        return Ok(json!({ "source": "proxy" }));
    }
    let (instance, options) = (Arc::clone(&house.instance), options.clone());
    let gate = house.shell.operator().gate::<InstanceView>(());
    let standing =
        gate.read(move |tx| Standing::stored(tx, &options, &instance, Clock::System.now())).await?;
    let Some(standing) = standing else { return Ok(json!({ "source": "none" })) };
    Ok(json!({
        "source": standing.source, "title": standing.title, "names": standing.names, "issuer": standing.issuer,
        "fingerprint": standing.fingerprint, "not_before": standing.not_before.to_string(),
        "not_after": standing.not_after.to_string(), "days_left": standing.days_left,
        "renew_at": standing.renew_at.map(|at| at.to_string()),
        "tried_at": standing.tried_at.map(|at| at.to_string()), "message": standing.message,
        "is_failing": standing.is_failing, "directory": standing.directory,
    }))
}

fn text(shown: &Value) -> String {
    match shown["source"].as_str() {
        Some("proxy") => return "A proxy on this machine does the TLS.".to_owned(),
        Some("none") => return "The first start of the server makes one.".to_owned(),
        _ => {}
    }
    let names: Vec<&str> =
        shown["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let lines = [
        ("", shown["title"].as_str().map(str::to_owned)),
        ("for     ", Some(names.join(", "))),
        ("issuer  ", shown["issuer"].as_str().map(str::to_owned)),
        ("SHA-256 ", shown["fingerprint"].as_str().map(str::to_owned)),
        ("until   ", shown["not_after"].as_str().map(|at| format!("{at}, {} days left", shown["days_left"]))),
        ("next    ", shown["renew_at"].as_str().map(str::to_owned)),
        ("last    ", shown["message"].as_str().map(str::to_owned)),
        ("calls   ", Some(shown["directory"].as_str().unwrap_or("nobody").to_owned())),
    ];
    let lines = lines.into_iter().filter_map(|(word, value)| Some(format!("{word}{}", value?)));
    lines.collect::<Vec<_>>().join("\n")
}

async fn renew(house: &House, options: &Options, wait: Duration) -> Result<String> {
    if hold::holder(&options.data).is_none() {
        return Err(Error::conflict("The server does not run, and only it can prove that a name is ours.")
            .hint("Start it: what is due is renewed at once."));
    }
    let operator = house.shell.operator();
    let owned = options.clone();
    let source = operator.gate::<InstanceView>(()).read(move |tx| certificates::source(tx, &owned)).await?;
    operator.gate::<InstanceKeep>(()).write(move |tx| certificates::ask(tx, source)).await?;
    let answered = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let gate = house.shell.operator().gate::<InstanceView>(());
            if let Some(answer) = gate.read(move |tx| certificates::answer(tx, source)).await? {
                return Ok(answer);
            }
        }
    };
    match tokio::time::timeout(wait, answered).await {
        Ok(Ok((said, false))) => Ok(said),
        Ok(Ok((said, true))) => {
            Err(Error::busy(said).hint("The old certificate stays in service; it is tried again by itself."))
        }
        Ok(Err(reason)) => Err(reason),
        Err(_) => {
            Err(Error::busy("It is not done yet.").hint("`testkeep certificate status` tells how it ends."))
        }
    }
}
