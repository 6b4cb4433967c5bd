//! People of a running instance: each with a role, a token for programs and a session for a browser.

use super::App;
use crate::kernel::house::Number;
use reqwest::header::{COOKIE, LOCATION};
use reqwest::{Method, RequestBuilder, Response};
use testkeep::kernel::access::{PeopleManage, Role, Tx};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::id::{ProjectId, UserId};
use testkeep::kernel::sql::named_params;
use testkeep::kernel::time::Timestamp;
use testkeep::web::{cookies, csrf};

const DAY_MS: i64 = 24 * 3_600_000;

/// Somebody with a token and a session, both good for a day.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their number.
    pub user: UserId,
    /// What a program of theirs sends.
    pub token: String,
    /// What their browser sends.
    pub cookie: String,
}

impl App {
    /// Somebody with this role in a project, or in the whole instance. Signed in a moment ago.
    pub async fn as_role(&self, role: Role, place: Option<ProjectId>) -> Person {
        let name = format!("{} {}", role.word(), place.map_or(0, |project| project.0));
        self.person(&name, Some((role, place))).await
    }

    /// Somebody with or without a role. Written to the tables, because hashing passphrases takes long.
    pub async fn person(&self, name: &str, role: Option<(Role, Option<ProjectId>)>) -> Person {
        let (name, token, cookie) = (name.to_owned(), format!("token of {name}"), padded(name));
        let gate = self.house.shell.operator().gate::<PeopleManage>(());
        let (shown, kept) = (token.clone(), cookie.clone());
        let inviting = gate.write(move |tx| {
            let Number(user) = tx.only(
                "INSERT INTO users (name, email, created_at) VALUES (:name, replace(:name, ' ', '.') || '@shop.example', :now)
                 RETURNING id",
                named_params! { ":name": name, ":now": tx.now() },
            )?;
            if let Some((role, place)) = role {
                // An instance that has an owner is claimed.
                tx.run(
                    "UPDATE instances SET claimed_at = :now WHERE claimed_at IS NULL AND :role = 'owner'",
                    named_params! { ":now": tx.now(), ":role": role.word() },
                )?;
                tx.run(
                    "INSERT INTO grants (user_id, project_id, role, created_at) VALUES (:user, :place, :role, :now)",
                    named_params! { ":user": user, ":place": place, ":role": role.word(), ":now": tx.now() },
                )?;
            }
            let until = Timestamp(tx.now().0 + DAY_MS);
            tx.run(
                "INSERT INTO tokens (user_id, name, prefix, digest, created_at, expires_at)
                 VALUES (:user, :name, '', :digest, :now, :until)",
                named_params! {
                    ":user": user, ":name": name, ":digest": tx.digest(&shown), ":now": tx.now(), ":until": until,
                },
            )?;
            tx.run(
                "INSERT INTO sessions (digest, user_id, stage, created_at, seen_at, fresh_at, expires_at, address, agent)
                 VALUES (:digest, :user, 'full', :now, :now, :now, :until, '192.0.2.1', 'Browser')",
                named_params! {
                    ":user": user, ":digest": tx.digest(&kept), ":now": tx.now(), ":until": until,
                },
            )?;
            Ok(tx.quiet(Quiet::Unchanged, UserId(user)))
        });
        Person { user: inviting.await.unwrap(), token, cookie }
    }

    /// A request of a browser in which this person is signed in, not yet sent.
    pub fn browse(&self, person: &Person, method: Method, path: &str) -> RequestBuilder {
        let request = self.request(method, path).header("Accept", "text/html");
        request.header(COOKIE, format!("{}={}", cookies::SESSION, person.cookie))
    }

    /// The page that this person sees; panics unless it is one.
    pub async fn page(&self, person: &Person, path: &str) -> String {
        let reply = self.browse(person, Method::GET, path).send().await.unwrap();
        let status = reply.status();
        let text = reply.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The answer to a form that this person sends from a page of ours.
    pub async fn submit(&self, person: &Person, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = csrf::token(&person.cookie);
        let fields: Vec<(&str, &str)> = [("_csrf", token.as_str())].iter().chain(fields).copied().collect();
        let request = self.browse(person, Method::POST, path).header("Origin", self.url());
        request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(encoded(&fields))
            .send()
            .await
            .unwrap()
    }

    /// The same, where the answer leads to another page; gives what that page shows, its sentence included.
    pub async fn submit_and_follow(&self, person: &Person, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.submit(person, path, fields).await;
        let status = reply.status();
        let next = reply.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let set = reply.headers().get_all("set-cookie").iter();
        let said: Vec<String> =
            set.map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
        let text = reply.text().await.unwrap();
        let next = next.unwrap_or_else(|| panic!("{path}: {status} {text}"));
        let cookies = format!("{}={}; {}", cookies::SESSION, person.cookie, said.join("; "));
        let page = self.request(Method::GET, &next).header("Accept", "text/html").header(COOKIE, cookies);
        page.send().await.unwrap().text().await.unwrap()
    }
}

pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let word = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", word(name), word(value))).collect();
    pairs.join("&")
}

/// A cookie of the right shape.
pub(super) fn padded(name: &str) -> String {
    format!("{:-<43}", name.replace(' ', "-"))
}
