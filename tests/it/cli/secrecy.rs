//! What a thief of the disk, a listener on the line and another account of the machine get: nothing.

use crate::support::program::{Answer, Machine, PASSPHRASE, Server};
use crate::support::site::{Site, person};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use testkeep::kernel::access::Role;

/// Stands in everything that people write, and in no program.
const CANARY: &str = "quokka-4711-quokka";

/// Files below a folder that hold these bytes; how many were read.
fn holding(folder: &Path, secret: &[u8], found: &mut Vec<String>) -> usize {
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            read += holding(&path, secret, found);
        } else if entry.file_type().unwrap().is_file() {
            read += 1;
            if fs::read(&path).unwrap().windows(secret.len()).any(|part| part == secret) {
                found.push(path.display().to_string());
            }
        }
    }
    read
}

#[actix_web::test]
async fn b01_p_l1_1_p_l3_5_nothing_that_people_wrote_is_readable_on_the_disk_the_backups_or_in_temporary_files()
 {
    let machine = Machine::claimed();
    let temporary = machine.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = machine.command("data");
        command.env("TMPDIR", &temporary).args(arguments);
        command
    };
    let run = |arguments: &[&str]| {
        let answer = command(arguments).output().unwrap();
        assert!(answer.status.success(), "{arguments:?}: {answer:?}");
    };
    run(&["project", "create", "SHOP", "--name", CANARY]);
    run(&["target", "add", "--name", "Keep", "--address", &machine.text("keep")]);
    let person = person(&machine, Role::Owner).await;
    let server = Server::start(command(&["serve", "--listen", "127.0.0.1:0", "--log", "info"]));
    let site = Site { server, client: machine.client("data"), person };
    let post = async |path: &str, body: Value| {
        let (status, said) = site.json(Method::POST, &format!("/api/v1/projects/SHOP/{path}"), body).await;
        assert_eq!(status, 201, "{path}: {said}");
    };
    post("suites", json!({ "name": CANARY })).await;
    post("runs", json!({ "title": CANARY })).await;
    let result = json!({"automation_key": CANARY, "status": "failed", "message": CANARY});
    post("runs/1/results", json!({ "results": [result] })).await;
    let part = Part::bytes(CANARY.repeat(20_000).into_bytes()).file_name(format!("{CANARY}.txt"));
    let attached = site.api(Method::POST, "/api/v1/projects/SHOP/evidence");
    assert_eq!(attached.multipart(Form::new().part("file", part)).send().await.unwrap().status(), 201);
    site.submit("/instance/audit/export", &[("format", "csv")]).await;
    run(&["backup", "--target", "Keep"]);
    run(&["drill"]);
    run(&["key", "rotate"]);
    // It makes another backup by itself, and sends what follows behind it.
    run(&["log", "on", "--seconds", "1"]);
    post("suites", json!({ "name": format!("{CANARY} later") })).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    // As it stands there after the power was cut.
    site.server.kill();

    let mut found = Vec::new();
    let read =
        ["data", "keep", "tmp"].map(|name| holding(&machine.path(name), CANARY.as_bytes(), &mut found));
    assert!(found.is_empty(), "{found:?}");
    assert!(read[0] > 5 && read[1] > 5, "{read:?}");
    for plain in ["SQLite format 3", "CREATE TABLE", "mara@shop.example"] {
        let mut found = Vec::new();
        let _ =
            ["data", "keep", "tmp"].map(|name| holding(&machine.path(name), plain.as_bytes(), &mut found));
        assert!(found.is_empty(), "{plain}: {found:?}");
    }
    // It is there, and the search finds what is readable.
    assert!(machine.run(&["project", "list"]).out.contains(CANARY));
    fs::write(temporary.join("seen"), CANARY).unwrap();
    holding(&machine.path("."), CANARY.as_bytes(), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn p_l3_1_a_command_sends_no_token_over_plain_http_to_another_machine() {
    let machine = Machine::new();
    machine.write("cart.xml", "<testsuites/>");
    let upload = |url: &str| {
        let mut command = machine.command("none");
        command.env("TESTKEEP_TOKEN", "tk_never_sent").args(["upload", "--project", "SHOP", "--url", url]);
        let answer = command.arg(machine.path("cart.xml")).output().unwrap();
        (answer.status.code(), String::from_utf8(answer.stderr).unwrap())
    };
    for url in [
        "http://keep.example:8443",
        "http://192.0.2.1",
        "http://localhost.example",
        "http://[2001:db8::1]:80",
    ] {
        let (code, said) = upload(url);
        assert!(code == Some(65) && said.contains("is not encrypted"), "{url}: {said}");
    }
    for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://127.0.0.1:1"] {
        let (code, said) = upload(url);
        assert!(code == Some(75) && !said.contains("is not encrypted"), "{url}: {said}");
    }
    assert_eq!(upload("ftp://keep.example").0, Some(65));
}

/// Sockets of a process that wait for others, as the system lists them: protocol and local address.
fn listening(process: u32) -> Vec<String> {
    let mut own = Vec::new();
    for fd in fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten() {
        if let Ok(to) = fs::read_link(fd.path())
            && let Some(inode) =
                to.to_string_lossy().strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'))
        {
            own.push(inode.to_owned());
        }
    }
    let mut found = Vec::new();
    for (protocol, inode, is_waiting) in
        [("tcp", 9, "0A"), ("tcp6", 9, "0A"), ("udp", 9, "07"), ("udp6", 9, "07")]
    {
        for line in fs::read_to_string(format!("/proc/{process}/net/{protocol}")).unwrap().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == is_waiting && own.iter().any(|one| one == words[inode]) {
                found.push(format!("{protocol} {}", words[1]));
            }
        }
    }
    for line in fs::read_to_string(format!("/proc/{process}/net/unix")).unwrap().lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The flag of a socket that accepts.
        if words[3] == "00010000" && own.iter().any(|one| one == words[6]) {
            found.push(format!("unix {}", words.get(7).unwrap_or(&"")));
        }
    }
    found
}

#[test]
fn p_l2_6_a_server_listens_at_its_address_and_nothing_listens_for_its_database() {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    let server = machine.serve();
    let port: u16 = server.url.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(listening(server.id()), [format!("tcp 0100007F:{port:04X}")]);
    server.stop();
}

/// Takes down every packet in this network whose way ends on another machine.
const CAPTURE: &str = r#"
import ipaddress, socket
line = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(3))
line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
line.bind(("lo", 0))
open("ready", "w")
with open("left", "a", buffering=1) as left:
    while True:
        packet = line.recv(65535)
        to = ipaddress.ip_address(packet[16:20] if packet[0] >> 4 == 4 else packet[24:40])
        if not to.is_loopback:
            left.write(f"{to}\n")
"#;

/// Lives in a network of its own, in which every address of the world leads to the packet capture.
const LIFE: &str = r#"
ip link set lo up && ip route add local default dev lo && ip -6 route add local default dev lo || exit 9
echo nameserver 192.0.2.1 > resolv.conf && mount --bind resolv.conf /etc/resolv.conf || exit 9
: > left; python3 capture.py & capture=$!
until [ -e ready ]; do sleep 0.05; done
set -e
at=127.0.0.1:18443
"$T" setup --email mara@shop.example --name Mara --password-file passphrase --kit-file kit.txt
"$T" serve --listen $at & server=$!
until "$T" health --listen $at; do sleep 0.1; done
"$T" demo
"$T" target add --name Keep --address "$PWD/keep"
"$T" backup
"$T" drill
"$T" verify --from keep
"$T" restore --from keep --into back --kit-file kit.txt
"$T" key rotate
"$T" log on
"$T" doctor
"$T" check
sleep 3
kill $server; wait $server
wc -l < left > instance
getent hosts canary.example || true
sleep 0.5
kill $capture
wc -l < left > control
"#;

#[test]
fn b24_t_inf_6_an_instance_that_is_set_up_used_backed_up_and_restored_sends_nothing_out() {
    let machine = Machine::new();
    machine.write("passphrase", "correct horse battery staple");
    machine.write("capture.py", CAPTURE);
    let own = machine.command("data");
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", LIFE]).current_dir(machine.path("."));
    command.env("TESTKEEP_DATA", machine.path("data")).env("TESTKEEP_BACKUP_ROOTS", machine.path("."));
    let answer = command.env("T", own.get_program()).output();
    let Some(answer) = answer.ok().filter(|answer| answer.status.code() != Some(9)) else {
        println!("SKIPPED: this user may not make a network of its own");
        return;
    };
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let count = |name: &str| fs::read_to_string(machine.path(name)).unwrap().trim().parse::<u32>().unwrap();
    assert_eq!(count("instance"), 0, "it sent to {}", fs::read_to_string(machine.path("left")).unwrap());
    assert!(count("control") > 0, "whoever asks for a name is seen");
}

#[test]
fn p_l5_8_an_account_that_does_not_own_the_program_cannot_exchange_it() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: this user cannot become another one");
        return;
    }
    const NOBODY: u32 = 65_534;
    let machine = Machine::new();
    for folder in ["bin", "theirs"] {
        fs::create_dir(machine.path(folder)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_testkeep"), machine.path("bin/testkeep")).unwrap();
    machine.write("newer", "another program");
    machine.write("passphrase", PASSPHRASE);
    let open = std::os::unix::fs::PermissionsExt::from_mode;
    for (path, mode) in [(".", 0o755), ("bin", 0o755), ("bin/testkeep", 0o755), ("newer", 0o644)] {
        fs::set_permissions(machine.path(path), open(mode)).unwrap();
    }
    std::os::unix::fs::chown(machine.path("theirs"), Some(NOBODY), Some(NOBODY)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(machine.path("bin/testkeep"));
        command.env_clear().env("TESTKEEP_DATA", machine.path("theirs/data")).uid(NOBODY).gid(NOBODY);
        Answer::from(command.args(arguments).output().unwrap())
    };
    // An instance that is all theirs, and a program that is not.
    let (words, kit) = (machine.text("passphrase"), machine.text("theirs/kit.txt"));
    let made = run(&[
        "setup",
        "--email",
        "mara@shop.example",
        "--name",
        "Mara",
        "--password-file",
        &words,
        "--kit-file",
        &kit,
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let refused = run(&["upgrade", &machine.text("newer")]);
    assert!(refused.code == 77 && refused.err.contains("may not exchange"), "{refused:?}");
    let same =
        fs::read(machine.path("bin/testkeep")).unwrap() == fs::read(env!("CARGO_BIN_EXE_testkeep")).unwrap();
    assert!(same && fs::read_dir(machine.path("bin")).unwrap().count() == 1);
}
