//! Statements of certificates.

use super::Source;
use super::authority::{Authority, Client};
use super::state::State;
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::ClientCertificateId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

pub(super) fn state(tx: impl Tx, source: Source) -> Result<Option<State>> {
    tx.row(
        "SELECT chain, key, origin, names, issued_at, renew_at, tried_at, message, failures, next_at, asked_at
           FROM certificates WHERE source = :source",
        named_params! { ":source": source.word() },
    )
}

pub(super) fn put_issued(tx: Write<'_, InstanceKeep>, source: Source, state: &State) -> Result<()> {
    tx.run(
        "INSERT INTO certificates (source, chain, key, origin, names, issued_at, renew_at, tried_at, outcome, message)
         VALUES (:source, :chain, :key, :origin, :names, :issued, :renew, :issued, 'good', :message)
             ON CONFLICT (source) DO UPDATE
            SET chain = :chain, key = :key, origin = :origin, names = :names, issued_at = :issued, renew_at = :renew,
                tried_at = :issued, outcome = 'good', message = :message, failures = 0, next_at = 0, asked_at = NULL",
        named_params! {
            ":source": source.word(), ":chain": state.chain, ":key": state.key, ":origin": state.origin,
            ":names": state.names, ":issued": state.issued_at, ":renew": state.renew_at, ":message": state.message,
        },
    )
    .map(drop)
}

pub(super) fn put_failure(
    tx: Write<'_, InstanceKeep>,
    source: Source,
    message: &str,
    at: Timestamp,
    next_at: Timestamp,
) -> Result<()> {
    tx.run(
        "INSERT INTO certificates (source, tried_at, outcome, message, failures, next_at)
         VALUES (:source, :at, 'failed', :message, 1, :next)
             ON CONFLICT (source) DO UPDATE
            SET tried_at = :at, outcome = 'failed', message = :message, failures = failures + 1, next_at = :next,
                asked_at = NULL",
        named_params! { ":source": source.word(), ":message": message, ":at": at, ":next": next_at },
    )
    .map(drop)
}

/// Somebody wants another one now, whatever was to be waited for.
pub(super) fn ask(tx: Write<'_, InstanceKeep>, source: Source) -> Result<()> {
    tx.run(
        "INSERT INTO certificates (source, asked_at) VALUES (:source, :now)
             ON CONFLICT (source) DO UPDATE SET asked_at = :now, next_at = 0",
        named_params! { ":source": source.word(), ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn account(tx: impl Tx, directory: &str) -> Result<Option<Vec<u8>>> {
    let row: Option<Sealed> = tx.row(
        "SELECT sealed FROM acme_accounts WHERE directory = :directory",
        named_params! { ":directory": directory },
    )?;
    Ok(row.map(|row| row.0))
}

pub(super) fn put_account(tx: Write<'_, InstanceKeep>, directory: &str, sealed: &[u8]) -> Result<()> {
    tx.run(
        "INSERT INTO acme_accounts (directory, sealed, made_at) VALUES (:directory, :sealed, :now)
             ON CONFLICT (directory) DO UPDATE SET sealed = :sealed, made_at = :now",
        named_params! { ":directory": directory, ":sealed": sealed, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn delete_account(tx: Write<'_, InstanceKeep>, directory: &str) -> Result<()> {
    tx.run(
        "DELETE FROM acme_accounts WHERE directory = :directory",
        named_params! { ":directory": directory },
    )
    .map(drop)
}

pub(super) fn authority(tx: impl Tx) -> Result<Option<Authority>> {
    tx.row("SELECT name, certificate, key, names, made_at FROM authorities WHERE id = 1", [])
}

pub(super) fn put_authority(tx: Write<'_, InstanceKeep>, authority: &Authority) -> Result<()> {
    tx.run(
        "INSERT INTO authorities (id, name, certificate, key, names, made_at)
         VALUES (1, :name, :certificate, :key, :names, :made)
             ON CONFLICT (id) DO UPDATE
            SET name = :name, certificate = :certificate, key = :key, names = :names, made_at = :made",
        named_params! {
            ":name": authority.name, ":certificate": authority.certificate, ":key": authority.key,
            ":names": authority.names.join("\n"), ":made": authority.made_at,
        },
    )
    .map(drop)
}

/// Everything that is sealed: the keys of certificates and of the authority, and accounts at directories.
pub(super) fn all_sealed(tx: impl Tx) -> Result<Vec<Kept>> {
    tx.rows(
        "SELECT 'certificate' AS kind, source AS name, key AS sealed FROM certificates WHERE key IS NOT NULL
         UNION ALL SELECT 'account', directory, sealed FROM acme_accounts
         UNION ALL SELECT 'authority', '', key FROM authorities",
        [],
    )
}

/// Puts a secret under another key in the place of the same one.
pub(super) fn reseal(tx: Write<'_, InstanceKeep>, kept: &Kept, sealed: &[u8]) -> Result<()> {
    let statement = match kept.kind.as_str() {
        "certificate" => "UPDATE certificates SET key = :sealed WHERE source = :name",
        "account" => "UPDATE acme_accounts SET sealed = :sealed WHERE directory = :name",
        _ => "UPDATE authorities SET key = :sealed WHERE :name = ''",
    };
    tx.run(statement, named_params! { ":name": kept.name, ":sealed": sealed }).map(drop)
}

/// A secret that lies sealed.
pub(super) struct Kept {
    /// `certificate`, `account` or `authority`.
    pub kind: String,
    pub name: String,
    pub sealed: Vec<u8>,
}

impl FromRow for Kept {
    fn from_row(row: &Row<'_>) -> sql::Result<Kept> {
        Ok(Kept { kind: row.get("kind")?, name: row.get("name")?, sealed: row.get("sealed")? })
    }
}

pub(super) fn insert_client(
    tx: Write<'_, InstanceKeep>,
    serial: &[u8],
    name: &str,
    until: Timestamp,
) -> Result<ClientCertificateId> {
    let row: Numbered = tx.only(
        "INSERT INTO client_certificates (serial, name, made_at, not_after)
         VALUES (:serial, :name, :now, :until) RETURNING id",
        named_params! { ":serial": serial, ":name": name, ":now": tx.now(), ":until": until },
    )?;
    Ok(row.0)
}

pub(super) fn revoke(tx: Write<'_, InstanceKeep>, id: ClientCertificateId) -> Result<bool> {
    let touched = tx.run(
        "UPDATE client_certificates SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        named_params! { ":id": id, ":now": tx.now() },
    )?;
    Ok(touched > 0)
}

pub(super) fn revoke_all(tx: Write<'_, InstanceKeep>) -> Result<i64> {
    let touched = tx.run(
        "UPDATE client_certificates SET revoked_at = :now WHERE revoked_at IS NULL",
        named_params! { ":now": tx.now() },
    )?;
    Ok(i64::try_from(touched).unwrap_or(i64::MAX))
}

pub(super) fn clients(tx: impl Tx) -> Result<Vec<Client>> {
    tx.rows(
        "SELECT id, name, made_at, not_after, revoked_at FROM client_certificates
          ORDER BY revoked_at IS NOT NULL, id DESC LIMIT :limit",
        named_params! { ":limit": limits::CLIENT_CERTIFICATES_SHOWN },
    )
}

/// Numbers of the client certificates in service.
pub(super) fn serials(tx: impl Tx) -> Result<Vec<Vec<u8>>> {
    let rows: Vec<Sealed> =
        tx.rows("SELECT serial AS sealed FROM client_certificates WHERE revoked_at IS NULL", [])?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

struct Sealed(Vec<u8>);

impl FromRow for Sealed {
    fn from_row(row: &Row<'_>) -> sql::Result<Sealed> {
        row.get("sealed").map(Sealed)
    }
}

struct Numbered(ClientCertificateId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for State {
    fn from_row(row: &Row<'_>) -> sql::Result<State> {
        Ok(State {
            chain: row.get("chain")?,
            key: row.get("key")?,
            origin: row.get("origin")?,
            names: row.get("names")?,
            issued_at: row.get("issued_at")?,
            renew_at: row.get("renew_at")?,
            tried_at: row.get("tried_at")?,
            message: row.get("message")?,
            failures: row.get("failures")?,
            next_at: row.get("next_at")?,
            asked_at: row.get("asked_at")?,
        })
    }
}

impl FromRow for Authority {
    fn from_row(row: &Row<'_>) -> sql::Result<Authority> {
        let names: String = row.get("names")?;
        Ok(Authority {
            name: row.get("name")?,
            certificate: row.get("certificate")?,
            key: row.get("key")?,
            names: names.lines().map(str::to_owned).collect(),
            made_at: row.get("made_at")?,
        })
    }
}

impl FromRow for Client {
    fn from_row(row: &Row<'_>) -> sql::Result<Client> {
        Ok(Client {
            id: row.get("id")?,
            name: row.get("name")?,
            made_at: row.get("made_at")?,
            not_after: row.get("not_after")?,
            revoked_at: row.get("revoked_at")?,
        })
    }
}
