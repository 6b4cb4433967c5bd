//! Real servers of every kind on loopback, each with a folder of its own. Dropping one ends it.

use crate::support::port::free_port;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkeep::keeping::backup::Target;
use testkeep::keeping::backup::storage::{
    Access, KeyPair, Limits, Login, Place, SshAccess, WebAccess, learn,
};
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

/// Debian's sshd with a host key and a configuration of its own, and the account that runs the tests.
pub fn sftp() -> Option<Server> {
    let (sshd, home, port) = (tool("sshd")?, home(), free_port());
    let at = home.path().to_owned();
    let folder = at.join("srv/keep");
    std::fs::create_dir_all(at.join("srv")).unwrap();
    make_key(&at.join("host_key"));
    make_key(&at.join("client_key"));
    std::fs::copy(at.join("client_key.pub"), at.join("authorized_keys")).unwrap();
    let at = at.to_str().unwrap();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
         PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n\
         Subsystem sftp internal-sftp\n"
    );
    std::fs::write(home.path().join("sshd_config"), config).unwrap();
    if std::fs::metadata("/run").is_ok_and(|run| run.uid() == rustix::process::geteuid().as_raw()) {
        // Where Debian's sshd separates its privileges; a package without a running service lacks it.
        let _ = std::fs::create_dir_all("/run/sshd");
    }
    let mut command = Command::new(sshd);
    command.args(["-D", "-e", "-f"]).arg(home.path().join("sshd_config"));
    let child = Some(started(&mut command, port));
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let place = format!("sftp://{}@127.0.0.1:{port}{}", user.trim(), folder.display());
    let host_key = learn(&place.parse().unwrap(), Limits::default()).unwrap().line;
    let pem = std::fs::read_to_string(home.path().join("client_key")).unwrap();
    let login = Login::Key { pem: Secret::new(pem), passphrase: Secret::new(String::new()) };
    let access = Access::Ssh(SshAccess { login, host_key });
    Some(Server { kind: "sftp", place, access, folder, port, child, _home: home })
}

pub fn make_key(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    let made =
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

/// WsgiDAV, a WebDAV server that is not rclone's.
pub fn webdav() -> Option<Server> {
    let (wsgidav, home, port) = (tool("wsgidav")?, home(), free_port());
    let folder = home.path().join("root/keep here");
    std::fs::create_dir_all(home.path().join("root")).unwrap();
    let root = home.path().join("root");
    let config = format!(
        "host: 127.0.0.1\nport: {port}\nserver: cheroot\nprovider_mapping:\n  '/': '{}'\n\
         simple_dc:\n  user_mapping:\n    '*':\n      mara:\n        password: 'much: secret'\n\
         http_authenticator:\n  accept_basic: true\n  accept_digest: false\n  default_to_digest: false\n\
         logging:\n  enable: false\nverbose: 0\n",
        root.display()
    );
    let file = home.path().join("wsgidav.yaml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(wsgidav);
    command.arg("--config").arg(file);
    let child = Some(started(&mut command, port));
    let place = format!("webdav+http://127.0.0.1:{port}/keep%20here");
    Some(Server { kind: "webdav", place, access: mara(), folder, port, child, _home: home })
}

/// rclone's WebDAV server.
pub fn webdav_of_rclone() -> Option<Server> {
    let rclone = tool("rclone")?;
    let mut command = Command::new(rclone);
    command.args(["serve", "webdav", "--config", "/dev/null", "--user", "mara", "--pass", "much: secret"]);
    Some(served(command, "webdav", "webdav+http", "/keep", mara()))
}

/// rclone's server for restic; `--append-only` makes it refuse to delete and to overwrite.
pub fn rest(options: &[&str]) -> Option<Server> {
    let rclone = tool("rclone")?;
    let mut command = Command::new(rclone);
    command.args(["serve", "restic", "--config", "/dev/null", "--user", "mara", "--pass", "much: secret"]);
    command.args(options);
    Some(served(command, "rest", "rest+http", "/mara", mara()))
}

pub fn mara() -> Access {
    let (user, password) = ("mara".to_owned(), Secret::new("much: secret".to_owned()));
    Access::Web(WebAccess { user, password, ca: String::new() })
}

pub fn served(mut command: Command, kind: &'static str, scheme: &str, path: &str, access: Access) -> Server {
    let (home, port) = (home(), free_port());
    let folder = home.path().join(path.trim_start_matches('/'));
    command.args(["--addr", &format!("127.0.0.1:{port}")]).arg(home.path());
    let child = Some(started(&mut command, port));
    let place = format!("{scheme}://127.0.0.1:{port}{path}");
    Server { kind, place, access, folder, port, child, _home: home }
}

/// One server of each kind.
pub fn every() -> Vec<Server> {
    [folder(), s3(), sftp(), webdav(), rest(&[])].into_iter().flatten().collect()
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

/// moto's S3 server, with a bucket that locks each object for a week unless told otherwise.
pub fn s3_with_lock() -> Option<Server> {
    let (moto, home, port) = (tool("moto_server")?, home(), free_port());
    let mut command = Command::new(moto);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let child = Some(started(&mut command, port));
    let make = "s3.create_bucket(Bucket='keep', ObjectLockEnabledForBucket=True)\n\
        s3.put_object_lock_configuration(Bucket='keep', ObjectLockConfiguration={'ObjectLockEnabled': 'Enabled', \
        'Rule': {'DefaultRetention': {'Mode': 'GOVERNANCE', 'Days': 7}}})";
    boto(port, make);
    let keys = KeyPair { id: "testing".into(), secret: Secret::new("testing".into()), ca: String::new() };
    let place = format!("s3://keep?endpoint=http://127.0.0.1:{port}&region=us-east-1");
    let folder = home.path().to_owned();
    Some(Server { kind: "s3", place, access: Access::S3(keys), folder, port, child, _home: home })
}

/// Mode and days of the lock on an object, as the store tells its owner.
pub fn retention(server: &Server, name: &str) -> String {
    let ask = format!(
        "import datetime\n\
         found = s3.head_object(Bucket='keep', Key='{name}')\n\
         left = found['ObjectLockRetainUntilDate'] - datetime.datetime.now(datetime.timezone.utc)\n\
         print(found['ObjectLockMode'], round(left.total_seconds() / 86400))"
    );
    boto(server.port, &ask)
}

fn boto(port: u16, program: &str) -> String {
    let begin = format!(
        "import boto3\ns3 = boto3.client('s3', endpoint_url='http://127.0.0.1:{port}', region_name='us-east-1', \
         aws_access_key_id='testing', aws_secret_access_key='testing')\n"
    );
    let done =
        Command::new(Path::new(TOOLS).join("python3")).args(["-c", &(begin + program)]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
