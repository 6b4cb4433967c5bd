//! Real servers of every kind on loopback, each with a folder of its own. Dropping one ends it.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkeep::keeping::backup::Target;
use testkeep::keeping::backup::storage::{Access, KeyPair, Limits, Place};
use testkeep::kernel::secret::Secret;

/// Where `tests/run` puts the servers that Debian does not have.
const TOOLS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/servers/bin");

/// One kind of target behind one address.
pub struct Server {
    pub kind: &'static str,
    pub place: String,
    pub access: Access,
    /// Where the server keeps what it is given.
    pub folder: PathBuf,
    pub port: u16,
    child: Option<Child>,
    _home: TempDir,
}

impl Server {
    pub fn open(&self) -> Target {
        self.open_with(Limits::default())
    }

    pub fn open_with(&self, limits: Limits) -> Target {
        self.place.parse::<Place>().unwrap().open(&self.access, limits).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The tool, or a loud word that a test did not run.
pub fn tool(name: &str) -> Option<PathBuf> {
    let own = Path::new(TOOLS).join(name);
    let found = if own.exists() { Some(own) } else { which(name) };
    if found.is_none() {
        eprintln!("NOT RUN: this machine has no {name}; `./tests/run` installs it.");
    }
    found
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    places.map(|folder| folder.join(name)).find(|file| file.exists())
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn started(command: &mut Command, port: u16) -> Child {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "{command:?} ended at once");
        assert!(began.elapsed() < Duration::from_secs(20), "{command:?} does not listen");
        sleep(Duration::from_millis(20));
    }
    child
}

fn home() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub fn folder() -> Option<Server> {
    let home = home();
    let folder = home.path().join("objects");
    let place = folder.to_str().unwrap().to_owned();
    Some(Server { kind: "folder", place, access: Access::Open, folder, port: 0, child: None, _home: home })
}

/// rclone's S3 server, with one bucket.
pub fn s3() -> Option<Server> {
    let (rclone, home, port) = (tool("rclone")?, home(), free_port());
    let folder = home.path().join("keep/deep/below");
    std::fs::create_dir_all(home.path().join("keep")).unwrap();
    let mut command = Command::new(rclone);
    command.args(["serve", "s3", "--config", "/dev/null", "--auth-key", "testkeep,much-secret"]);
    command.args(["--addr", &format!("127.0.0.1:{port}")]).arg(home.path());
    let child = Some(started(&mut command, port));
    let keys =
        KeyPair { id: "testkeep".into(), secret: Secret::new("much-secret".into()), ca: String::new() };
    let place = format!("s3://keep/deep/below?endpoint=http://127.0.0.1:{port}");
    Some(Server { kind: "s3", place, access: Access::S3(keys), folder, port, child, _home: home })
}
