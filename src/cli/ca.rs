//! `testkeep ca`: the authority of the instance.

use super::output::{Output, table};
use crate::app::House;
use crate::keeping::certificates::authority::{self, Authority};
use crate::keeping::certificates::names;
use crate::kernel::access::{InstanceKeep, InstanceView};
use crate::kernel::caller::as_caller;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ClientCertificateId;
use crate::kernel::limits;
use crate::kernel::options::Options;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do with the authority.
#[derive(Subcommand, Debug)]
pub enum Ca {
    /// Make the authority: a root that may sign for the names of this host only.
    Init,
    /// Make another one in its place; every machine must trust the new root then.
    Replace,
    /// Show the root, its fingerprint and the names it may sign for.
    Show,
    /// Issue a client certificate; key, certificate and root go into one PEM file.
    Issue {
        /// Whose it is.
        name: String,
        /// The file, which must not exist yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How many days it is good for.
        #[arg(long, default_value_t = limits::CLIENT_CERTIFICATE_DAYS)]
        days: i64,
    },
    /// List the client certificates.
    List,
    /// Take a client certificate out of service.
    Revoke {
        /// Its number in the list.
        id: i64,
    },
}

/// Runs one of them.
pub async fn run(command: Ca, house: &House, options: &Options, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<InstanceKeep>(());
    let look = house.shell.operator().gate::<InstanceView>(());
    let instance = Arc::clone(&house.instance);
    match command {
        Ca::Init => {
            let names = names::of_this_host(options);
            show(&gate.write(move |tx| authority::make(tx, &instance, &names)).await?, output);
        }
        Ca::Replace => {
            let names = names::of_this_host(options);
            show(&gate.write(move |tx| authority::replace(tx, &instance, &names)).await?, output);
        }
        Ca::Show => show(&look.read(|tx| authority::get(tx)?.ok_or_else(authority::missing)).await?, output),
        Ca::Issue { name, out, days } => {
            if as_caller(|| out.exists())? {
                return Err(Error::conflict(format!("{} exists already.", out.display())));
            }
            let new = gate.write(move |tx| authority::issue(tx, &instance, &name, days)).await?;
            if !as_caller(|| durable::create(&out, new.pem.expose().as_bytes()))?? {
                return Err(Error::conflict(format!("{} exists already.", out.display())));
            }
            let answer = json!({ "id": new.id.0, "file": out });
            output.print(&answer, |_| {
                format!("Client certificate {}, with its key, is in {}.", new.id.0, out.display())
            });
        }
        Ca::List => list(look.read(|tx| authority::clients(tx)).await?, output),
        Ca::Revoke { id } => {
            gate.write(move |tx| authority::revoke(tx, ClientCertificateId(id))).await?;
            let said = format!("Client certificate {id} opens nothing from the next handshake on.");
            output.print(&json!({ "revoked": id }), |_| said);
        }
    }
    Ok(())
}

fn show(authority: &Authority, output: Output) {
    let answer = json!({
        "name": authority.name, "fingerprint": authority.fingerprint(), "names": authority.names,
        "made_at": authority.made_at.to_string(), "certificate": authority.certificate,
    });
    output.print(&answer, |_| {
        let (name, fingerprint) = (&authority.name, authority.fingerprint());
        let names = authority.names.join(", ");
        format!("{name}\nSHA-256 {fingerprint}\nsigns for {names}\n\n{}", authority.certificate)
    });
}

fn list(clients: Vec<authority::Client>, output: Output) {
    let answer: Vec<_> = clients
        .iter()
        .map(|client| {
            json!({
                "id": client.id.0, "name": client.name, "made_at": client.made_at.to_string(),
                "not_after": client.not_after.to_string(),
                "revoked_at": client.revoked_at.map(|at| at.to_string()),
            })
        })
        .collect();
    output.print(&answer, |_| {
        let row = |client: &authority::Client| {
            let state = client.revoked_at.map_or("in service".to_owned(), |at| format!("revoked {at}"));
            vec![client.id.0.to_string(), client.name.clone(), client.not_after.to_string(), state]
        };
        table(&["number", "whose", "until", "state"], &clients.iter().map(row).collect::<Vec<_>>())
    });
}
