//! Ports for servers that cannot choose one themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below the ports that the kernel gives to outgoing connections, so that none of those takes it before its server.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Ports tried by this process so far.
static TRIED: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, and that no other test of this process is given.
pub fn free_port() -> u16 {
    // Two processes begin in places far apart.
    let begin = (std::process::id() % 97) as u16 * 123;
    loop {
        let port = FIRST + (begin + TRIED.fetch_add(1, Relaxed) % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
