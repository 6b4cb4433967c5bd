//! What the server closes to itself, seen from outside on the real process.

use crate::support::program::{Machine, Server};
use serde_json::Value;

/// What the system says of a process, such as `Seccomp`.
pub fn status(server: &Server, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

fn said_by_doctor(machine: &Machine) -> (String, String) {
    let report: Value = serde_json::from_str(&machine.run(&["--json", "doctor", "--quick"]).out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["about"] == "sandbox").unwrap();
    (check["state"].as_str().unwrap().to_owned(), check["said"].as_str().unwrap().to_owned())
}

#[test]
fn b24_t_as_5_a_server_gives_up_new_privileges_and_dangerous_calls_and_doctor_sees_it() {
    let machine = Machine::claimed();
    assert!(said_by_doctor(&machine).1.starts_with("This kernel"));
    let server = machine.serve();
    assert_eq!((status(&server, "NoNewPrivs").as_str(), status(&server, "Seccomp").as_str()), ("1", "2"));
    let (state, said) = said_by_doctor(&machine);
    assert!(state == "ok" && said.starts_with("The running server is locked in"), "{state}: {said}");
    server.stop();
}

#[test]
fn the_sandbox_can_be_switched_off_and_doctor_warns() {
    let machine = Machine::claimed();
    let mut command = machine.command("data");
    command.args(["serve", "--listen", "127.0.0.1:0", "--sandbox", "off", "--log", "warn"]);
    let server = Server::start(command);
    assert_eq!((status(&server, "NoNewPrivs").as_str(), status(&server, "Seccomp").as_str()), ("0", "0"));
    let (state, said) = said_by_doctor(&machine);
    assert!(state == "warn" && said.contains("has not closed"), "{state}: {said}");
    server.stop();
    let refused = machine.run(&["doctor", "--sandbox", "perhaps"]);
    assert!(refused.code == 65 && refused.err.contains("takes on/off/require"), "{refused:?}");
}

#[test]
fn no_dump_of_its_memory_can_be_made() {
    let machine = Machine::new();
    let server = machine.serve();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    server.stop();
}
