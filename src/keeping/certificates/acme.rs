//! ACME: an order at a directory, from its account to the chain (RFC 8555, RFC 8737, RFC 8738).
//!
//! Talks to the directory and puts up challenges. When an order is due, and what is stored of it, is `keeper`'s.

use super::challenges::Challenges;
use super::pair;
use super::wire::Wire;
use crate::kernel::limits;
use crate::kernel::options::{Acme, Challenge};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName};
use std::error::Error as StdError;
use std::net::IpAddr;

/// What a directory has issued.
pub(super) struct Issued {
    /// The chain in PEM, ours first.
    pub chain: String,
    /// The key in PEM.
    pub key: Secret<String>,
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) struct Failure {
    /// What happened, in words.
    pub sentence: String,
    /// Whether the directory does not know our account any more.
    pub is_account_unknown: bool,
    /// How long the directory asked to be left alone, in milliseconds.
    pub wait_ms: Option<i64>,
}

impl From<instant_acme::Error> for Failure {
    fn from(reason: instant_acme::Error) -> Failure {
        let is_account_unknown = kind(&reason) == "accountDoesNotExist";
        Failure { sentence: spoken(&reason), is_account_unknown, wait_ms: None }
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Failure {
        Failure { sentence, is_account_unknown: false, wait_ms: None }
    }
}

/// A directory with the options that go with it.
pub(super) struct Directory<'a> {
    pub acme: &'a Acme,
    pub wire: Wire,
}

impl<'a> Directory<'a> {
    /// Nothing is sent yet.
    pub fn new(acme: &'a Acme) -> Result<Directory<'a>, Failure> {
        Ok(Directory { acme, wire: Wire::new(acme.authority.as_deref())? })
    }

    /// The account that was opened before.
    pub async fn account(&self, credentials: &Secret<Vec<u8>>) -> Result<Account, Failure> {
        let credentials: AccountCredentials = serde_json::from_slice(credentials.expose())
            .map_err(|_| "What is kept of the account at the directory cannot be read.".to_owned())?;
        Ok(Account::builder_with_http(Box::new(self.wire.clone())).from_credentials(credentials).await?)
    }

    /// Opens an account; gives what brings it back later.
    pub async fn new_account(&self) -> Result<(Account, Secret<Vec<u8>>), Failure> {
        let contacts: Vec<String> =
            self.acme.contacts.iter().map(|address| format!("mailto:{address}")).collect();
        let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
        let about =
            NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(self.wire.clone()));
        let (account, credentials) =
            builder.create(&about, self.acme.directory.clone(), self.binding()?.as_ref()).await?;
        let kept = serde_json::to_vec(&credentials).map_err(|reason| reason.to_string())?;
        Ok((account, Secret::new(kept)))
    }

    fn binding(&self) -> Result<Option<ExternalAccountKey>, Failure> {
        let Some(binding) = &self.acme.binding else { return Ok(None) };
        let shown = binding.key_file.display();
        let text = std::fs::read_to_string(&binding.key_file).map_err(|reason| {
            format!("The key of the external account in {shown} cannot be read: {reason}.")
        })?;
        let text = Secret::new(text);
        let letters = text.expose().trim().trim_end_matches('=').as_bytes();
        let key = BASE64URL_NOPAD.decode(letters).or_else(|_| BASE64.decode(text.expose().trim().as_bytes()));
        let key = key.map_err(|_| format!("The key of the external account in {shown} is not base64url."))?;
        Ok(Some(ExternalAccountKey::new(binding.id.clone(), Secret::new(key).expose())))
    }

    /// Orders a certificate for these names and proves that they are ours.
    pub async fn order(
        &self,
        account: &Account,
        names: &[String],
        challenges: &Challenges,
    ) -> Result<Issued, Failure> {
        let asked: Vec<Identifier> = names.iter().map(|name| identifier(name)).collect();
        let mut order = account.new_order(&NewOrder::new(&asked)).await?;
        let _posted = challenges.posting();
        self.prove(&mut order, challenges).await?;
        let policy = RetryPolicy::new().timeout(limits::ACME_WAIT_MAX);
        let outcome = order.poll_ready(&policy).await;
        if !matches!(outcome, Ok(OrderStatus::Ready)) {
            return Err(refused(&mut order, outcome.err()).await);
        }
        let (request, key) = request(names).map_err(|reason| reason.to_string())?;
        order.finalize_csr(&request).await?;
        let chain = order.poll_certificate(&policy).await?;
        Ok(Issued { chain, key })
    }

    /// Puts up the answer to one challenge for each name that is not proved yet.
    async fn prove(&self, order: &mut Order, challenges: &Challenges) -> Result<(), Failure> {
        let wanted = match self.acme.challenge {
            Challenge::Http => ChallengeType::Http01,
            Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
        };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let word = self.acme.challenge.word();
            let mut challenge = authorization
                .challenge(wanted.clone())
                .ok_or_else(|| format!("The directory offers no challenge {word} for {name}."))?;
            let answer = challenge.key_authorization();
            match self.acme.challenge {
                Challenge::Http => challenges.post_file(&challenge.token, answer.as_str()),
                Challenge::TlsAlpn => challenges
                    .post_handshake(&name, answer.digest().as_ref())
                    .map_err(|reason| format!("No challenge can be made for {name}: {reason}."))?,
            }
            challenge.set_ready().await?;
        }
        Ok(())
    }
}

fn identifier(name: &str) -> Identifier {
    match name.parse::<IpAddr>() {
        Ok(address) => Identifier::Ip(address),
        Err(_) => Identifier::Dns(name.to_owned()),
    }
}

/// The request for a certificate, and its key.
fn request(names: &[String]) -> Result<(Vec<u8>, Secret<String>), rcgen::Error> {
    let key = pair::new_key()?;
    let mut about = CertificateParams::new(names)?;
    about.distinguished_name = DistinguishedName::new();
    let request = about.serialize_request(&key)?;
    Ok((request.der().to_vec(), Secret::new(key.serialize_pem())))
}

/// What the directory found when it looked: the reason stands at the challenge, not at the order.
async fn refused(order: &mut Order, reason: Option<instant_acme::Error>) -> Failure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        let found = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = found {
            return format!(
                "The directory could not convince itself that {name} is ours: {}",
                detail(problem)
            )
            .into();
        }
    }
    match reason {
        Some(reason) => reason.into(),
        None => "The directory refused the order and does not say why.".to_owned().into(),
    }
}

/// The last word of the kind of a problem, such as `rateLimited`.
fn kind(reason: &instant_acme::Error) -> &str {
    let instant_acme::Error::Api(problem) = reason else { return "" };
    problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
}

fn detail(problem: &Problem) -> String {
    let said =
        problem.detail.clone().or_else(|| problem.r#type.clone()).unwrap_or_else(|| "no reason given".into());
    let said: String =
        said.chars().filter(|letter| !letter.is_control()).take(limits::ACME_REASON_CHARS).collect();
    if said.ends_with('.') { said } else { said + "." }
}

/// What went wrong, for the page.
fn spoken(reason: &instant_acme::Error) -> String {
    let instant_acme::Error::Api(problem) = reason else {
        let mut last: &dyn StdError = reason;
        while let Some(cause) = last.source() {
            last = cause;
        }
        return match reason {
            instant_acme::Error::Timeout(_) => "The directory did not come to an end in time.".to_owned(),
            instant_acme::Error::Json(_) => "The directory answered something that is not ACME.".to_owned(),
            _ => format!("The directory cannot be used: {last}."),
        };
    };
    let said = detail(problem);
    match kind(reason) {
        "rateLimited" => format!("The directory says that it was asked too often: {said}"),
        "unauthorized" => format!("The directory refuses our account: {said}"),
        "accountDoesNotExist" => format!("The directory does not know our account: {said}"),
        "externalAccountRequired" => {
            format!("The directory wants an account that it knows already (`acme_eab_id`): {said}")
        }
        "rejectedIdentifier" => format!("The directory issues nothing for such a name: {said}"),
        _ => format!("The directory refused: {said}"),
    }
}

/// When to try again after so many failures in a row.
pub(super) fn next_try(now: Timestamp, failures: i64, asked_ms: Option<i64>) -> Timestamp {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    let wait = (limits::RENEWAL_WAIT_MS << doublings).min(limits::RENEWAL_WAIT_MS_MAX);
    Timestamp(now.0 + wait.max(asked_ms.unwrap_or(0).min(limits::RENEWAL_ASKED_WAIT_MS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_are_tried_again_less_and_less_often() {
        const MINUTE_MS: i64 = 60_000;
        let minutes = |failures, asked| next_try(Timestamp(0), failures, asked).0 / MINUTE_MS;
        assert_eq!([1, 2, 3, 4, 7, 99].map(|failures| minutes(failures, None)), [15, 30, 60, 120, 720, 720]);
        assert_eq!(minutes(1, Some(90 * MINUTE_MS)), 90);
        assert_eq!(minutes(1, Some(i64::MAX)), limits::RENEWAL_ASKED_WAIT_MS_MAX / MINUTE_MS);
    }
}
