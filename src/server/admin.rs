//! The listener for administrators: which routes answer there only.
//!
//! Who gets through its handshake is `keeping::certificates`' to say; what they may do then is the door's.

use super::table::table;
use crate::kernel::access::{
    AccountView, AccountWrite, Claim, Info, Instance, Permission, ProjectAdmin, ProjectList, Scope, SignIn,
};
use crate::web::routes::Needs;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use std::collections::HashSet;
use std::net::SocketAddr;

/// What concerns the whole instance and is for everybody all the same: oneself, and projects.
const EVERYBODY: [Info; 6] =
    [AccountView::INFO, AccountWrite::INFO, ProjectList::INFO, ProjectAdmin::INFO, SignIn::INFO, Claim::INFO];

/// An address of its own for what concerns the whole instance.
#[derive(Debug)]
pub(super) struct Admin {
    address: SocketAddr,
    guarded: HashSet<(Method, &'static str)>,
}

impl Admin {
    /// Guards every route of the instance.
    pub fn new(address: SocketAddr) -> Admin {
        let of_the_instance = |info: &Info| info.scope == Instance::WORD && !EVERYBODY.contains(info);
        let routes = table().into_iter().filter(|route| match &route.needs {
            Needs::Permission(info) => of_the_instance(info),
            Needs::DecidedInside | Needs::Public => false,
        });
        Admin { address, guarded: routes.map(|route| (route.method, route.path)).collect() }
    }

    /// Where these routes answer.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a connection came in here.
    pub fn is_at(&self, at: SocketAddr) -> bool {
        at == self.address
    }

    /// Whether a request is for what answers here only.
    pub fn guards(&self, request: &ServiceRequest) -> bool {
        let method = if *request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let Some(pattern) = request.match_pattern() else { return false };
        self.guarded.iter().any(|(guarded, path)| *guarded == method && *path == pattern)
    }
}
