//! Report uploads, through the door that pipelines and people take.

mod cli;
mod corpus;
mod large;
mod once;
mod pages;
mod refused;
mod stored;

use crate::support::App;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use testkeep::kernel::access::{ProjectView, Role, Tx};

pub const UPLOADS: &str = "/api/v1/projects/SHOP/uploads";

/// An instance with the project SHOP and a pipeline that uploads to it.
pub struct Shop {
    pub app: App,
    pub robot: String,
    pub viewer: String,
}

/// Status, headers that matter, and body of an answer.
pub struct Answer {
    pub status: u16,
    pub is_replayed: bool,
    pub body: Value,
}

impl Shop {
    pub async fn open() -> Shop {
        let app = App::start().await;
        let shop = app.project("SHOP").await;
        let robot = app.token(Role::Automation, Some(shop)).await;
        let viewer = app.token(Role::Viewer, Some(shop)).await;
        Shop { app, robot, viewer }
    }

    /// Sends a body without a form around it.
    pub async fn bare(&self, query: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.bare_with(query, None, body).await
    }

    /// The same with a name for the upload.
    pub async fn bare_with(&self, query: &str, key: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.app.with_token(&self.robot, Method::POST, &format!("{UPLOADS}{query}"));
        let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        answer(request.body(body.into()).send().await.unwrap()).await
    }

    /// Sends files in a form.
    pub async fn files(&self, query: &str, files: &[(&str, &[u8])]) -> Answer {
        let request = self.app.with_token(&self.robot, Method::POST, &format!("{UPLOADS}{query}"));
        answer(request.multipart(form(files)).send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let path = format!("/api/v1/projects/SHOP/{path}");
        let reply = self.app.with_token(&self.viewer, Method::GET, &path).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{path}");
        reply.json().await.unwrap()
    }

    /// How many rows there are of what an upload stores.
    pub async fn rows(&self) -> Vec<(&'static str, i64)> {
        let gate = self.app.house.shell.operator().gate::<ProjectView>(crate::kernel::house::at("SHOP"));
        let mut rows = Vec::new();
        for table in ["uploads", "runs", "items", "results", "cases", "revisions", "case_summaries"] {
            let count = gate.read(move |tx| {
                tx.only::<crate::kernel::house::Number>(&format!("SELECT count(*) FROM {table}"), [])
            });
            rows.push((table, count.await.unwrap().0));
        }
        rows
    }

    pub async fn stop(self) {
        self.app.stop().await;
    }
}

pub fn form(files: &[(&str, &[u8])]) -> Form {
    files.iter().enumerate().fold(Form::new(), |form, (place, (name, content))| {
        form.part(format!("any{place}"), Part::bytes(content.to_vec()).file_name((*name).to_owned()))
    })
}

pub async fn answer(reply: reqwest::Response) -> Answer {
    let is_replayed = reply.headers().get("Idempotent-Replayed").is_some_and(|value| value == "true");
    let status = reply.status().as_u16();
    let text = reply.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, is_replayed, body }
}

impl Answer {
    #[track_caller]
    pub fn counts(&self) -> [i64; 5] {
        assert_eq!(self.status, 201, "{}", self.body);
        ["total", "passed", "failed", "errored", "skipped"]
            .map(|name| self.body["counts"][name].as_i64().unwrap())
    }

    #[track_caller]
    pub fn run(&self) -> i64 {
        assert_eq!(self.status, 201, "{}", self.body);
        self.body["run"]["number"].as_i64().unwrap()
    }
}

/// A report of one class; each check is its name and what stands in its element.
pub fn report(class: &str, checks: &[(&str, &str)]) -> String {
    let case = |(name, inside): &(&str, &str)| {
        format!("<testcase classname=\"{class}\" name=\"{name}\" time=\"0.5\">{inside}</testcase>")
    };
    let cases: String = checks.iter().map(case).collect();
    format!("<testsuite name=\"{class}\">{cases}</testsuite>")
}

/// A report of so many checks that pass.
pub fn many(class: &str, count: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("check {n}")).collect();
    report(class, &names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>())
}

pub const FAILED: &str = "<failure message=\"no receipt\">at Pay.java:3</failure>";
