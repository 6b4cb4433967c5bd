//! Throttle: how often one address may knock.
//!
//! In memory and per process. Counting wrong passwords of one account is the business of `people`.

use super::client::Client;
use crate::kernel::limits;
use actix_web::http::Method;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Where guessing pays: each POST below these paths is an attempt to get in.
const DOORS: [&str; 3] = ["/signin", "/setup", "/invitation"];

/// How often one address may do what.
#[derive(Debug)]
pub struct Throttle {
    anything: Lane,
    signing_in: Lane,
}

impl Throttle {
    /// Bounds of one address; it may save up `THROTTLE_BURST_FACTOR` times as much.
    pub fn new(requests_per_second: u32, sign_ins_per_minute: u32) -> Throttle {
        Throttle {
            anything: Lane::new(Duration::from_secs(1), requests_per_second),
            signing_in: Lane::new(Duration::from_secs(60), sign_ins_per_minute),
        }
    }

    /// Lets a request through, or says how long to wait.
    ///
    /// The machine itself is bounded at the sign-in only: a proxy of which we know nothing would share one bucket
    /// among all who come through it.
    pub fn admit(&self, client: Client, method: &Method, path: &str) -> Result<(), Duration> {
        let (whose, now) = (neighbourhood(client.address), Instant::now());
        let is_attempt = *method == Method::POST
            && DOORS.iter().any(|door| path.strip_prefix(door).is_some_and(is_end_or_slash));
        if is_attempt {
            self.signing_in.take(whose, now)?;
        }
        if client.address.is_loopback() { Ok(()) } else { self.anything.take(whose, now) }
    }
}

fn is_end_or_slash(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Whoever has one IPv6 address has all of its network: they count as one.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// A bucket per address, each kept as one moment: when it will be full again.
#[derive(Debug)]
struct Lane {
    pause: Duration,
    reserve: Duration,
    full_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Lane {
    fn new(period: Duration, rate: u32) -> Lane {
        let pause = period / rate;
        let reserve = pause * rate * limits::THROTTLE_BURST_FACTOR;
        Lane { pause, reserve, full_at: Mutex::default() }
    }

    fn take(&self, whose: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock().expect("nobody panics while holding it");
        if buckets.len() >= limits::ADDRESSES_REMEMBERED_MAX && !buckets.contains_key(&whose) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= limits::ADDRESSES_REMEMBERED_MAX {
                // So many addresses at once are an attack by many: no memory of ours would bound it.
                buckets.clear();
            }
        }
        let full_at = buckets.entry(whose).or_insert(now);
        let then = (*full_at).max(now) + self.pause;
        let too_much = then.duration_since(now).saturating_sub(self.reserve);
        if too_much.is_zero() {
            *full_at = then;
            return Ok(());
        }
        Err(too_much)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        let address: IpAddr = address.parse().unwrap();
        Client { address, is_here: address.is_loopback() }
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let lane = Lane::new(Duration::from_secs(60), 10);
        let (whose, start) = ("192.0.2.1".parse().unwrap(), Instant::now());
        for _ in 0..20 {
            lane.take(whose, start).unwrap();
        }
        assert_eq!(lane.take(whose, start), Err(Duration::from_secs(6)));
        assert_eq!(lane.take(whose, start + Duration::from_secs(5)), Err(Duration::from_secs(1)));
        lane.take(whose, start + Duration::from_secs(6)).unwrap();
        lane.take("192.0.2.2".parse().unwrap(), start).unwrap();
    }

    #[test]
    fn a_network_counts_as_one_and_the_machine_is_bounded_at_its_doors_only() {
        let throttle = Throttle::new(1, 1);
        let knock = |address, method, path| throttle.admit(client(address), &method, path).is_ok();
        assert!(knock("2001:db8::1", Method::GET, "/"));
        assert!(knock("2001:db8::2", Method::GET, "/"));
        assert!(!knock("2001:db8::3", Method::GET, "/"));
        assert!((0..100).all(|_| knock("127.0.0.1", Method::GET, "/signin")));
        assert!((0..100).all(|_| knock("127.0.0.1", Method::POST, "/signings")));
        assert!(knock("127.0.0.1", Method::POST, "/signin/code"));
        assert!(knock("127.0.0.1", Method::POST, "/setup"));
        assert!(!knock("127.0.0.1", Method::POST, "/signin"));
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let (lane, now) = (Lane::new(Duration::from_secs(60), 1), Instant::now());
        for number in 0..u32::try_from(limits::ADDRESSES_REMEMBERED_MAX).unwrap() + 10 {
            lane.take(IpAddr::V4(number.into()), now).unwrap();
        }
        assert!(lane.full_at.lock().unwrap().len() <= limits::ADDRESSES_REMEMBERED_MAX);
    }
}
