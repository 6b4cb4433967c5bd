//! An order that is cut off by a power cut, with the real program.

use crate::support::pebble::{Manners, Pebble};
use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use crate::support::trusting_pem;
use std::time::Duration;

fn serve(machine: &Machine, pebble: &Pebble, manners: Manners) -> Server {
    let mut command = machine.command("data");
    command.args(["serve", "--log", "warn", "--listen", &format!("127.0.0.1:{}", manners.tls)]);
    command.args(["--acme-directory", &pebble.directory(), "--acme-ca", &pebble.authority()]);
    command.args(["--acme-terms-agreed", "yes", "--acme-names", "localhost"]);
    Server::start(command)
}

#[actix_web::test]
async fn f21_an_instance_that_is_killed_while_it_orders_gets_its_certificate_after_the_next_start() {
    let manners = Manners { tls: free_port(), http: free_port(), delay: 1, ..Manners::default() };
    let pebble = Pebble::start(manners).await;
    let machine = Machine::claimed();
    for wait_ms in [30, 150, 400, 900] {
        let server = serve(&machine, &pebble, manners);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        server.kill();
        let whole = machine.run(&["audit", "verify"]);
        assert_eq!(whole.code, 0, "{whole:?}");
    }
    let server = serve(&machine, &pebble, manners);
    let client = trusting_pem(&pebble.root().await).build().unwrap();
    let mut is_served = false;
    for _ in 0..300 {
        is_served = client.get(format!("https://localhost:{}/readyz", manners.tls)).send().await.is_ok();
        if is_served {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(is_served, "{:?}", machine.run(&["certificate", "status"]));
    let (url, authority) = (pebble.directory(), pebble.authority());
    let options = ["--acme-directory", &url, "--acme-ca", &authority, "--acme-terms-agreed", "yes"];
    let status = machine.json(&[&["certificate", "status"][..], &options].concat());
    assert_eq!(
        (status["source"].as_str(), status["is_failing"].as_bool()),
        (Some("acme"), Some(false)),
        "{status}"
    );
    server.stop();
}
