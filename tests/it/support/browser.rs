//! A browser without script: keeps cookies, fills the token of forms in, follows nothing by itself.

use super::App;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use std::collections::BTreeMap;
use testkeep::people::login::totp;
use testkeep::web::cookies;

/// A browser with an empty jar.
pub struct Browser<'a> {
    app: &'a App,
    /// Its cookies, by name.
    pub jar: BTreeMap<String, String>,
    csrf: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Where it leads, if it is a redirect.
    pub location: String,
    /// The body.
    pub body: String,
    /// Its head.
    pub headers: reqwest::header::HeaderMap,
}

impl<'a> Browser<'a> {
    /// A browser that nobody has used.
    pub fn new(app: &'a App) -> Browser<'a> {
        Browser { app, jar: BTreeMap::new(), csrf: String::new() }
    }

    /// The value of the session cookie; empty without one.
    pub fn session(&self) -> String {
        self.jar.get(cookies::SESSION).cloned().unwrap_or_default()
    }

    /// Looks at a page.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// Sends a form with the token of the page seen last.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, path, Some(fields)).await
    }

    /// Sends a form as if another site had.
    pub async fn post_from_elsewhere(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.app.request(Method::POST, path).header("sec-fetch-site", "cross-site");
        self.exchange(request.body(form(fields))).await
    }

    /// Sends a form with files, as a browser does: the token first, then the fields, then the files.
    pub async fn post_files(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        field: &'static str,
        files: &[(&str, &[u8])],
    ) -> Reply {
        let form = Form::new().text("_csrf", self.csrf.clone());
        let form = fields
            .iter()
            .fold(form, |form, (name, value)| form.text((*name).to_owned(), (*value).to_owned()));
        let form = files.iter().fold(form, |form, (name, content)| {
            form.part(field, Part::bytes(content.to_vec()).file_name((*name).to_owned()))
        });
        let request = self.app.request(Method::POST, path).header("sec-fetch-site", "same-origin");
        self.exchange(request.multipart(form)).await
    }

    /// Forgets the token of the page seen last.
    pub fn forget_form(&mut self) {
        self.csrf.clear();
    }

    async fn send(&mut self, method: Method, path: &str, fields: Option<&[(&str, &str)]>) -> Reply {
        let mut request = self.app.request(method, path).header("sec-fetch-site", "same-origin");
        if let Some(fields) = fields {
            let csrf = self.csrf.clone();
            let fields: Vec<(&str, &str)> =
                [("_csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(form(&fields));
        }
        self.exchange(request).await
    }

    async fn exchange(&mut self, request: reqwest::RequestBuilder) -> Reply {
        let jar: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request =
            request.header("accept", "text/html").header("user-agent", "Mozilla Firefox/140.0 Linux");
        let response = request.header(COOKIE, jar.join("; ")).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = headers.get(LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = response.text().await.unwrap();
        if let Some(token) = between(&body, "name=\"_csrf\" value=\"", "\"") {
            self.csrf = token.to_owned();
        }
        Reply { status, location, body, headers }
    }

    /// Sets up the second factor that the page at `path` offers; gives its secret and the answer.
    pub async fn enrol(&mut self, path: &str) -> (Vec<u8>, Reply) {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let shown = between(&page.body, "<p class=\"secret\">", "</p>").expect("the secret is shown as text");
        let plain: String = shown.chars().filter(|letter| !letter.is_whitespace()).collect();
        let secret = data_encoding::BASE32_NOPAD.decode(plain.as_bytes()).unwrap();
        let code = self.code(&secret);
        let action = if path.starts_with("/account") { "/account/factor/confirm" } else { path };
        let reply = self.post(action, &[("code", &code)]).await;
        (secret, reply)
    }

    /// The code that an app with this secret shows now.
    pub fn code(&self, secret: &[u8]) -> String {
        totp::code_at(secret, self.app.clock.now().0)
    }

    /// Signs in with passphrase and code.
    pub async fn sign_in(&mut self, email: &str, passphrase: &str, secret: &[u8]) -> Reply {
        self.get("/signin").await;
        let reply = self.post("/signin", &[("email", email), ("passphrase", passphrase)]).await;
        assert_eq!(reply.location, "/signin/code", "{}", reply.body);
        self.get("/signin/code").await;
        let code = self.code(secret);
        self.post("/signin/code", &[("code", &code)]).await
    }
}

/// The text between two marks.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.find(after).map(|end| &rest[..end])
}

fn form(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| {
        text.bytes().fold(String::new(), |coded, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                coded + &char::from(byte).to_string()
            }
            _ => coded + &format!("%{byte:02X}"),
        })
    };
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", coded(name), coded(value)))
        .collect::<Vec<_>>()
        .join("&")
}
