//! A line that can be spoiled: slow, cut in the middle, silent or gone, and whole again.

use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::thread::{self, sleep};
use std::time::Duration;

/// Everything to a whole line.
const WHOLE: i64 = i64::MAX;

/// A proxy in front of one server.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    /// Bytes that still go to the server before the line is cut.
    left: AtomicI64,
    /// Whether the line mends itself once it was cut.
    is_cut_once: AtomicBool,
    /// Whether bytes vanish, in both directions.
    is_silent: AtomicBool,
    /// Whether new connections are reset.
    is_gone: AtomicBool,
    delay_ms: AtomicU64,
    is_over: AtomicBool,
    cuts: AtomicU64,
}

impl Proxy {
    pub fn before(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            left: AtomicI64::new(WHOLE),
            is_cut_once: AtomicBool::new(false),
            is_silent: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
        });
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if own.is_over.load(SeqCst) {
                    return;
                }
                if own.is_gone.load(SeqCst) {
                    reset(&client);
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let state = Arc::clone(&own);
                thread::spawn(move || state.carry(from, to, true));
                let state = Arc::clone(&own);
                thread::spawn(move || state.carry(server, client, false));
            }
        });
        Proxy { port, state }
    }

    /// Cuts after so many bytes to the server; then the line is whole again.
    pub fn cut_once_after(&self, bytes: i64) {
        self.state.is_cut_once.store(true, SeqCst);
        self.state.left.store(bytes, SeqCst);
    }

    /// Cuts after so many bytes to the server, and resets every connection from then on.
    pub fn lose_after(&self, bytes: i64) {
        self.state.is_cut_once.store(false, SeqCst);
        self.state.left.store(bytes, SeqCst);
    }

    pub fn swallow(&self) {
        self.state.is_silent.store(true, SeqCst);
    }

    pub fn delay(&self, ms: u64) {
        self.state.delay_ms.store(ms, SeqCst);
    }

    /// The line is as it was.
    pub fn mend(&self) {
        self.state.left.store(WHOLE, SeqCst);
        for spoilt in [&self.state.is_silent, &self.state.is_gone] {
            spoilt.store(false, SeqCst);
        }
        self.delay(0);
    }

    /// How often the line was cut.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        self.state.left.store(0, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, is_to_server: bool) {
        let mut buffer = [0; 16 << 10];
        // Looks up now and then, to end with the line.
        from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        loop {
            if self.is_gone.load(SeqCst) || self.is_over.load(SeqCst) {
                return cut(&from, &to);
            }
            let got = match from.read(&mut buffer) {
                Ok(0) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Ok(got) => got,
                Err(wait)
                    if matches!(
                        wait.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    continue;
                }
                Err(_) => return cut(&from, &to),
            };
            if self.is_silent.load(SeqCst) {
                continue;
            }
            sleep(Duration::from_millis(self.delay_ms.load(SeqCst)));
            let mut goes = got;
            if is_to_server {
                let bytes = i64::try_from(got).unwrap();
                let left = self.left.fetch_update(SeqCst, SeqCst, |left| {
                    Some(if left == WHOLE { WHOLE } else { left - bytes })
                });
                let left = left.unwrap();
                if left < bytes {
                    goes = usize::try_from(left.max(0)).unwrap();
                    if left > 0 {
                        self.cuts.fetch_add(1, SeqCst);
                    }
                    if self.is_cut_once.load(SeqCst) {
                        self.left.store(WHOLE, SeqCst);
                    } else {
                        self.is_gone.store(true, SeqCst);
                    }
                    // A part of what was on its way arrives.
                    let _ = to.write_all(&buffer[..goes]);
                    return cut(&from, &to);
                }
            }
            if to.write_all(&buffer[..goes]).is_err() {
                return cut(&from, &to);
            }
        }
    }
}

fn cut(one: &TcpStream, other: &TcpStream) {
    for end in [one, other] {
        reset(end);
        let _ = end.shutdown(Shutdown::Both);
    }
}

/// Closing then sends a reset instead of a farewell.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
