//! Exit codes and the two kinds of output: what scripts branch on.

use crate::support::program::Machine;
use serde_json::Value;
use testkeep::kernel::error::KINDS;

#[test]
fn a_failure_ends_with_the_code_of_its_kind_and_says_so_as_json() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    machine.write("report.xml", "<testsuite/>");
    let (report, nowhere) = (machine.text("report.xml"), "https://127.0.0.1:1");
    let busy = ["upload", "--url", nowhere, "--project", "SHOP", &report];
    let cases: &[(&str, &[&str])] = &[
        ("invalid", &["project", "create", "1"]),
        ("not_found", &["project", "show", "NONE"]),
        ("conflict", &["project", "create", "SHOP"]),
        ("busy", &busy),
    ];
    for (code, arguments) in cases {
        let mut command = machine.command("data");
        let output = command.env("TESTKEEP_TOKEN", "tk_x").arg("--json").args(*arguments).output().unwrap();
        let row = KINDS.iter().find(|row| row.code == *code).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(row.exit_code)), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?} answered on standard output");
        let told: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(told["error"]["code"], *code, "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|message| message.len() > 10));
    }
    let silent = machine.run(&["upload", "--url", nowhere, "--project", "SHOP", &report]);
    assert_eq!(silent.code, 77, "no token was given: {silent:?}");
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_2_and_help_with_0() {
    let machine = Machine::new();
    assert_eq!(machine.run(&["frobnicate"]).code, 2);
    assert_eq!(machine.run(&["project", "create", "SHOP", "--colour"]).code, 2);
    let help = machine.run(&["--help"]);
    assert_eq!(help.code, 0);
    for verb in
        ["serve", "setup", "backup", "verify", "restore", "doctor", "demo", "user", "token", "project"]
    {
        assert!(help.out.contains(&format!("\n  {verb} ")), "{verb} is missing from the help");
    }
    assert!(!help.out.contains("restore-child"));
    assert_eq!(machine.run_on("nowhere", &["digest"]).code, 66);
    assert!(!machine.path("nowhere").exists(), "looking makes nothing");
}

#[test]
fn the_manual_has_every_command_and_no_other() {
    let help = Machine::new().run(&["--help"]).out;
    let listed = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut commands: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    commands.retain(|command| *command != "help");
    let manual =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/admin/commands.md")).unwrap();
    let mut told: Vec<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    commands.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, commands, "mend docs/admin/commands.md");
}

#[test]
fn whoever_stops_reading_breaks_nothing() {
    let machine = Machine::claimed();
    let mut command = machine.command("data");
    command.args(["audit", "list"]).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
