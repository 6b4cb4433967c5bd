//! Hardship: a full disk, a crowd at the one database, another server on the same folder.

use crate::support::program::{Answer, Machine, Server};
use crate::support::site::{Site, person};
use crate::support::small_disk::SmallDisk;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use testkeep::kernel::access::Role;

const SUITES: &str = "/api/v1/projects/SHOP/suites";

#[actix_web::test]
async fn f04_a_full_disk_refuses_changes_with_507_shows_what_is_there_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::of_mib(24) else { return };
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let person = person(&machine, Role::Owner).await;
    std::fs::rename(machine.path("data.key"), machine.path("key")).unwrap();
    let moved = Command::new("mv").arg(machine.path("data")).arg(disk.path()).status().unwrap();
    assert!(moved.success());
    symlink(disk.path().join("data"), machine.path("data")).unwrap();
    std::fs::rename(machine.path("key"), machine.path("data.key")).unwrap();
    let site = Site { server: machine.serve(), client: machine.client("data"), person };
    let add = async |name: String| site.json(Method::POST, SUITES, json!({ "name": name })).await;
    let attach = async |bytes: usize| {
        let part = Part::bytes(vec![7; bytes]).file_name("screen.txt");
        let request = site.api(Method::POST, "/api/v1/projects/SHOP/evidence");
        let answer = request.multipart(Form::new().part("file", part)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!((add("First".into()).await.0, attach(9_000).await.0), (201, 201));

    let ballast = disk.fill_but_kib(200);
    let mut kept = vec!["First".to_owned()];
    let full = loop {
        let name = format!("Suite {}", kept.len());
        match add(name.clone()).await {
            (201, _) => kept.push(name),
            refused => break refused,
        }
        assert!(kept.len() < 2_000, "the disk never fills");
    };
    for _ in 0..3 {
        let (status, said) = &full;
        assert_eq!((*status, &said["code"]), (507, &json!("disk_full")), "{said}");
        assert!(said.to_string().contains("The disk of this instance is full"), "{said}");
        let again = add("Lost".into()).await;
        assert_eq!((again.0, &again.1["code"]), (507, &json!("disk_full")), "{}", again.1);
    }
    let (status, said) = attach(3_000_000).await;
    assert_eq!((status, &said["code"]), (507, &json!("disk_full")), "{said}");
    let named = |suites: &Value| -> Vec<String> {
        let names = suites["suites"].as_array().unwrap().iter();
        names.map(|suite| suite["name"].as_str().unwrap().to_owned()).collect()
    };
    // Pages and programs read on, and a person is told in the form.
    let (status, suites) = site.json(Method::GET, SUITES, Value::Null).await;
    assert_eq!((status, named(&suites)), (200, kept.clone()));
    site.page("/p/SHOP/cases").await;
    let (status, page) = site.submit("/p/SHOP/suites", &[("name", "Lost")]).await;
    assert!(status == 507 && page.contains("The disk of this instance is full"), "{status}: {page}");

    // Nobody starts anything anew.
    std::fs::remove_file(ballast).unwrap();
    for name in ["Found", "Found again"] {
        assert_eq!(add(name.into()).await.0, 201);
        kept.push(name.to_owned());
    }
    assert_eq!(attach(100_000).await.0, 201);
    let ready = site.client.get(site.server.at("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    site.server.stop();
    let site = Site { server: machine.serve(), ..site };
    assert_eq!(named(&site.json(Method::GET, SUITES, Value::Null).await.1), kept);
    site.server.stop();
    assert_eq!(machine.json(&["audit", "verify"])["whole"], true);
    machine.json(&["digest"]);
}

/// A command that is run again and again until it is enough; answers how often it was.
fn again_and_again(
    machine: &Arc<Machine>,
    stop: &Arc<AtomicBool>,
    words: &[&str],
) -> std::thread::JoinHandle<u32> {
    let (machine, stop) = (Arc::clone(machine), Arc::clone(stop));
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    std::thread::spawn(move || {
        let mut count = 0;
        while !stop.load(Relaxed) {
            count += 1;
            let with_number: Vec<String> =
                words.iter().map(|word| word.replace('#', &count.to_string())).collect();
            let words: Vec<&str> = with_number.iter().map(String::as_str).collect();
            let answer = machine.run(&words);
            assert_eq!(answer.code, 0, "{words:?}: {answer:?}");
        }
        count
    })
}

#[actix_web::test]
async fn f07_a_crowd_of_readers_writers_commands_and_a_backup_meets_no_locked_database() {
    let machine = Arc::new(Machine::claimed());
    machine.json(&["demo"]);
    let (server, token) = (machine.serve(), machine.token("SHOP"));
    let (client, stop) = (machine.client("data"), Arc::new(AtomicBool::new(false)));
    let counted = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let people = (0..12).map(|who| {
        let (client, token, stop) = (client.clone(), token.clone(), Arc::clone(&stop));
        let (counted, writes) = (Arc::clone(&counted), who < 6);
        let (suites, cases) = (server.at(SUITES), server.at("/api/v1/projects/SHOP/cases?limit=100"));
        tokio::spawn(async move {
            for number in 0.. {
                if stop.load(Relaxed) {
                    return;
                }
                let request = match writes {
                    true => client.post(&suites).json(&json!({"name": format!("Suite {who} {number}")})),
                    false => client.get(&cases),
                };
                let answer = request.bearer_auth(&token).send().await.unwrap();
                let status = answer.status();
                assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
                counted[usize::from(writes)].fetch_add(1, Relaxed);
            }
        })
    });
    let people: Vec<_> = people.collect();
    // Other processes at the same database: they write, read all of it, and pin it.
    let keep = machine.text("keep");
    let commands = [
        again_and_again(&machine, &stop, &["project", "create", "A#"]),
        again_and_again(&machine, &stop, &["project", "create", "B#"]),
        again_and_again(&machine, &stop, &["audit", "verify"]),
        again_and_again(&machine, &stop, &["backup", "--to", &keep]),
    ];
    tokio::time::sleep(Duration::from_secs(6)).await;
    stop.store(true, Relaxed);
    for one in people {
        one.await.expect("no request is refused");
    }
    let commands = commands.map(|one| one.join().expect("no command is refused"));
    let [reads, writes] = [&counted[0], &counted[1]].map(|count| count.load(Relaxed));
    println!("{reads} reads, {writes} writes, commands {commands:?}");
    assert!(reads > 50 && writes > 50 && commands.iter().all(|count| *count > 0));
    server.stop();
    assert_eq!(machine.json(&["audit", "verify"])["whole"], true);
}

#[test]
fn f37_of_servers_that_start_on_one_folder_one_serves_and_the_others_say_who() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    symlink(machine.path("data"), machine.path("alias")).unwrap();
    std::fs::copy(machine.path("data.key"), machine.path("alias.key")).unwrap();
    let digest = machine.run(&["digest"]).out;
    let serve = |data: &str| {
        let mut command = machine.command(data);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    // All at once, some of them by another name of the folder.
    let mut all: Vec<_> = (0..6).map(|n| serve(["data", "alias"][n % 2]).spawn().unwrap()).collect();
    let until = Instant::now() + Duration::from_secs(30);
    while all.iter_mut().map(|one| usize::from(one.try_wait().unwrap().is_none())).sum::<usize>() > 1 {
        assert!(Instant::now() < until, "more than one goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let first = all.iter_mut().position(|one| one.try_wait().unwrap().is_none()).expect("one serves");
    let mut first = all.swap_remove(first);
    for other in all {
        let refused = Answer::from(other.wait_with_output().unwrap());
        assert!(refused.code == 73 && refused.err.contains("is in use by process"), "{refused:?}");
    }
    let refused = Answer::from(serve("alias").output().unwrap());
    assert!(refused.err.contains(&format!("in use by process {}.", first.id())), "{refused:?}");
    first.kill().unwrap();
    first.wait().unwrap();
    // After a kill the folder is free at once, and nothing has happened to it.
    Server::start(serve("alias")).stop();
    assert_eq!(machine.run(&["digest"]).out, digest);
}
