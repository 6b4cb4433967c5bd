//! The real program behind HTTPS, with people in it: for what needs the executable itself.
#![allow(dead_code, reason = "a kit: each test takes from it what it needs")]

use super::people::{Person, encoded, padded};
use super::program::{Machine, Server};
use crate::kernel::house::Number;
use reqwest::header::COOKIE;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use testkeep::kernel::access::{PeopleManage, Role, Tx};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::id::UserId;
use testkeep::kernel::instance::Instance;
use testkeep::kernel::keyring::Unlock;
use testkeep::kernel::sql::named_params;
use testkeep::kernel::time::{Clock, Timestamp};
use testkeep::web::{cookies, csrf};

/// A server of a machine, asked as one person.
pub struct Site {
    pub server: Server,
    pub client: Client,
    pub person: Person,
}

/// Somebody with this role in the instance, signed in a moment ago.
pub async fn person(machine: &Machine, role: Role) -> Person {
    let unlock = Unlock::KeyFile(machine.path("data.key"));
    let (instance, shell) = Instance::open(&machine.path("data"), &unlock, Clock::System).unwrap();
    let name = format!("{} of all", role.word());
    let (token, cookie) = (format!("token of {name}"), padded(&name));
    let (shown, kept) = (token.clone(), cookie.clone());
    let gate = shell.operator().gate::<PeopleManage>(());
    let inviting = gate.write(move |tx| {
        let Number(user) = tx.only(
            "INSERT INTO users (name, email, created_at)
             VALUES (:name, replace(:name, ' ', '.') || '@shop.example', :now) RETURNING id",
            named_params! { ":name": name, ":now": tx.now() },
        )?;
        tx.run(
            "INSERT INTO grants (user_id, role, created_at) VALUES (:user, :role, :now)",
            named_params! { ":user": user, ":role": role.word(), ":now": tx.now() },
        )?;
        let until = Timestamp(tx.now().0 + 24 * 3_600_000);
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
            named_params! { ":user": user, ":digest": tx.digest(&kept), ":now": tx.now(), ":until": until },
        )?;
        Ok(tx.quiet(Quiet::Unchanged, UserId(user)))
    });
    let user = inviting.await.unwrap();
    instance.door.shut_down().await;
    Person { user, token, cookie }
}

impl Site {
    /// Starts the server of a machine, for an owner.
    pub async fn start(machine: &Machine) -> Site {
        let person = person(machine, Role::Owner).await;
        let server = machine.serve();
        Site { client: machine.client("data"), server, person }
    }

    /// A request of a program.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.server.at(path)).bearer_auth(&self.person.token)
    }

    /// What the API answers.
    pub async fn json(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.api(method.clone(), path);
        let request = if method == Method::GET { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The page that the person sees; panics unless it is one.
    pub async fn page(&self, path: &str) -> String {
        let request = self.client.get(self.server.at(path)).header("Accept", "text/html");
        let answer = request.header(COOKIE, self.cookie()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// What a form of the person comes to: the page behind the redirect, or the one that refuses.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let token = csrf::token(&self.person.cookie);
        let fields: Vec<(&str, &str)> = [("_csrf", token.as_str())].iter().chain(fields).copied().collect();
        let request = self.client.post(self.server.at(path)).header("Accept", "text/html");
        let request = request.header(COOKIE, self.cookie()).header("Origin", &self.server.url);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.body(encoded(&fields)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn cookie(&self) -> String {
        format!("{}={}", cookies::SESSION, self.person.cookie)
    }
}
