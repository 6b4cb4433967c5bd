//! The real address of a client, behind proxies that we were told to trust.
//!
//! Anybody can write `X-Forwarded-For`. It counts only when the peer itself is a trusted proxy, and only as far
//! back as the chain of trusted proxies reaches.

use crate::kernel::limits;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, VIA};
use ipnet::IpNet;
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose word on the client's address is taken.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

/// Where a request really comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Address of the client.
    pub address: IpAddr,
    /// Whether it sits at this machine, with no proxy in between.
    pub is_here: bool,
}

impl Proxies {
    /// Trusts these networks and no others.
    pub fn new(networks: Vec<IpNet>) -> Proxies {
        Proxies(networks)
    }

    /// Who asks: the peer, or whom the trusted proxies name.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        let mut address = peer;
        // Each proxy appends whom it saw, so the truth is read from the end, for as long as it is told by
        // somebody we trust.
        for hop in hops(headers).take(limits::FORWARDED_HOPS_MAX) {
            let Some(hop) = hop.filter(|_| self.trusts(address)) else { break };
            address = hop;
        }
        // A proxy nobody told us of would make the whole world look like this machine.
        let is_forwarded = [X_FORWARDED_FOR, FORWARDED, VIA].iter().any(|name| headers.contains_key(name));
        Client { address, is_here: address.is_loopback() && !is_forwarded }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The addresses of `X-Forwarded-For`, last first; `None` for what is no address.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> + '_ {
    let lines = headers.get_all(X_FORWARDED_FOR).collect::<Vec<_>>();
    let words = lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    words.map(|word| word.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn seen(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let proxies = Proxies::new(trusted.iter().map(|network| network.parse().unwrap()).collect());
        proxies.client(peer.parse().unwrap(), &headers).address.to_string()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        assert_eq!(seen(&[], "192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(seen(&["10.0.0.0/8"], "192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(seen(&["10.0.0.0/8"], "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn what_the_client_wrote_itself_stands_before_the_truth_and_is_not_read() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(seen(&trusted, "10.0.0.1", &["127.0.0.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen(&trusted, "10.0.0.1", &["127.0.0.1", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(seen(&trusted, "10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(seen(&trusted, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn whoever_comes_through_a_proxy_is_not_at_this_machine() {
        let mut headers = HeaderMap::new();
        let here = "127.0.0.1".parse().unwrap();
        assert!(Proxies::default().client(here, &headers).is_here);
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"));
        assert!(!Proxies::default().client(here, &headers).is_here);
    }
}
