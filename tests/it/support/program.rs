//! The real program as a child: commands that end, and a server that goes on.
#![allow(dead_code, reason = "a kit: each test takes from it what it needs")]

use reqwest::{Certificate, Client};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_testkeep");

/// The passphrase of every owner.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A folder for one instance, and commands on it.
pub struct Machine {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A server that answers. Dropping it kills it.
pub struct Server {
    child: Child,
    pub url: String,
    pub fingerprint: String,
    pub setup_link: Option<String>,
}

impl Machine {
    pub fn new() -> Machine {
        Machine { folder: tempfile::tempdir().unwrap() }
    }

    /// A machine with an instance that is set up: passphrase in `passphrase`, kit in `kit.txt`.
    pub fn claimed() -> Machine {
        let machine = Machine::new();
        machine.claim();
        machine
    }

    pub fn claim(&self) -> Value {
        self.write("passphrase", PASSPHRASE);
        let (passphrase, kit) = (self.text("passphrase"), self.text("kit.txt"));
        self.json(&[
            "setup",
            "--email",
            "mara@shop.example",
            "--name",
            "Mara",
            "--password-file",
            &passphrase,
            "--kit-file",
            &kit,
        ])
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A command on the data folder `data` of this machine.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.run_on("data", arguments)
    }

    /// A command on another data folder.
    pub fn run_on(&self, data: &str, arguments: &[&str]) -> Answer {
        self.command(data).args(arguments).output().unwrap().into()
    }

    /// What a command that succeeds answers.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.json_on("data", arguments)
    }

    pub fn json_on(&self, data: &str, arguments: &[&str]) -> Value {
        let answer = self.command(data).arg("--json").args(arguments).output().unwrap();
        let answer = Answer::from(answer);
        assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
        serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{arguments:?}: {answer:?}"))
    }

    /// The command before its arguments, in an environment that says nothing.
    pub fn command(&self, data: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("TESTKEEP_DATA", self.path(data));
        // Backups of tests go where everything of theirs is.
        command.env("TESTKEEP_BACKUP_ROOTS", self.folder.path()).stdin(Stdio::null());
        command
    }

    /// A server on the data folder `data`.
    pub fn serve(&self) -> Server {
        self.serve_on("data")
    }

    pub fn serve_on(&self, data: &str) -> Server {
        let mut command = self.command(data);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
        Server::start(command)
    }

    /// A client that trusts the certificate of the instance.
    pub fn client(&self, data: &str) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(self.path(data).join("tls/certificate.pem")).unwrap();
        Client::builder().tls_certs_only([Certificate::from_pem(&pem).unwrap()]).build().unwrap()
    }

    /// A token for the project, as the command line makes one.
    pub fn token(&self, project: &str) -> String {
        let made = self.json(&["token", "create", "--name", "ci", "--project", project]);
        made["token"].as_str().unwrap().to_owned()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Server {
    /// Waits until the server has printed all it has to say at its start.
    pub fn start(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut after =
            |words: &str| lines.find_map(|line| Some(line.split_once(words)?.1.trim().to_owned()));
        let url = after("answers at ").expect("the server says where it answers");
        let fingerprint = after("SHA-256 ").expect("the server says which certificate it has");
        let rest: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Ctrl-C")).collect();
        let setup_link =
            rest.iter().find(|line| line.contains("/setup?code=")).map(|line| line.trim().to_owned());
        Server { child, url, fingerprint, setup_link }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends SIGTERM; the answer comes from `wait`.
    pub fn ask_to_stop(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// The exit code, once it has ended.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn stop(self) {
        self.ask_to_stop();
        assert_eq!(self.wait(), Some(0));
    }

    /// As a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a folder with all in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
