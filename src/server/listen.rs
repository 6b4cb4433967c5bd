//! Sockets: where we answer, in which tongue, and how we stop without cutting anybody short.

use super::stack::{self, Shared};
use super::status::Status;
use super::table::table;
use super::tls::{self, Tls};
use crate::keeping::certificates::Clients;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::restart::Ended;
use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// Sockets that answer.
#[derive(Debug)]
pub struct Listening {
    /// Where, with the ports that the system chose.
    pub addresses: Vec<SocketAddr>,
    /// Where administrators come in, if they have a door of their own.
    pub admin: Option<SocketAddr>,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

/// What is shown and asked for in handshakes.
#[derive(Clone, Copy, Debug)]
pub struct Secure<'a> {
    /// The certificate of the instance.
    pub tls: &'a Arc<Tls>,
    /// The address for administrators, and whose certificates open it.
    pub admin: Option<(SocketAddr, &'a Arc<Clients>)>,
}

impl Listening {
    /// Binds every address and answers there: over TLS if there is a certificate, else in the clear.
    pub fn start(addresses: &[SocketAddr], shared: Shared, secure: Option<Secure<'_>>) -> Result<Listening> {
        let admin = secure.and_then(|secure| secure.admin.map(|(at, clients)| (at, secure.tls, clients)));
        let admin = match admin {
            Some((at, tls, clients)) => {
                let socket = bind(at).map_err(|reason| unusable(at, &reason))?;
                let bound = socket.local_addr().map_err(Error::internal)?;
                Some((socket, bound, tls::admin_config(tls, clients)?))
            }
            None => None,
        };
        let admin_at = admin.as_ref().map(|(_, bound, _)| *bound);
        let shared = Data::new(shared.with_admin(admin_at));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let mut server = HttpServer::new(move || stack::app(&shared, table()))
            .workers(cores.min(limits::WORKERS_MAX))
            .max_connections(limits::CONNECTIONS_PER_WORKER)
            .max_connection_rate(limits::HANDSHAKES_PER_WORKER)
            .tls_handshake_timeout(limits::HANDSHAKE_WAIT)
            .client_request_timeout(limits::REQUEST_HEAD_WAIT)
            .client_disconnect_timeout(limits::HANDSHAKE_WAIT)
            .keep_alive(limits::KEEP_ALIVE)
            .shutdown_timeout(limits::STOP_GRACE.as_secs())
            // Ctrl-C would cut requests short; the composition root hears signals and asks us to stop.
            .disable_signals();
        for address in addresses {
            let socket = bind(*address).map_err(|reason| unusable(*address, &reason))?;
            server = match secure {
                Some(secure) => server.listen_rustls_0_23(socket, tls::config(secure.tls)?),
                None => server.listen(socket),
            }
            .map_err(Error::internal)?;
        }
        let addresses = server.addrs();
        if let Some((socket, _, config)) = admin {
            server = server.listen_rustls_0_23(socket, config).map_err(Error::internal)?;
        }
        let running = server.run();
        let handle = running.handle();
        Ok(Listening { addresses, admin: admin_at, server: handle, serving: tokio::spawn(running) })
    }

    /// Takes no more requests, finishes those that have begun, then closes.
    ///
    /// The server's own graceful stop waits for open connections, and browsers keep theirs open without a request.
    /// So we count requests, and close once none is left.
    pub async fn stop(mut self, status: &Status) {
        status.begin_stopping();
        // The order goes out at once; its end is that of `serving`.
        drop(self.server.stop(true));
        let answered = async {
            while status.requests_under_way() > 0 {
                sleep(limits::STOP_LOOK_EVERY).await;
            }
        };
        match timeout(limits::STOP_GRACE, answered).await {
            Ok(()) => info!("every request was answered"),
            Err(_) => {
                warn!(left = status.requests_under_way(), "some requests took too long and are cut short")
            }
        }
        // Last bytes may still be on their way to the socket.
        if timeout(limits::STOP_SETTLE, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
    }
}

/// Whether the options ask for plain HTTP, which is allowed towards a proxy on this machine only.
pub fn speaks_cleartext(options: &Options) -> Result<bool> {
    if !options.cleartext_behind_proxy {
        return Ok(false);
    }
    if let Some(address) = options.listen.iter().find(|address| !address.ip().is_loopback()) {
        return Err(Error::invalid(format!(
            "Plain HTTP is refused at {address}: other machines could listen in."
        ))
        .hint("Listen at 127.0.0.1 for a proxy on this machine, or unset `cleartext_behind_proxy`."));
    }
    if options.trusted_proxies.is_empty() {
        return Err(Error::invalid("Plain HTTP is refused: no proxy is declared that does the TLS.")
            .hint("Set `trusted_proxies`, such as 127.0.0.1, or unset `cleartext_behind_proxy`."));
    }
    let needs_tls = [("acme_directory", options.acme.is_some()), ("admin_listen", options.admin.is_some())];
    if let Some((name, _)) = needs_tls.into_iter().find(|(_, is_set)| *is_set) {
        return Err(Error::invalid(format!("`{name}` is set, and a proxy does the TLS."))
            .hint(format!("Unset `{name}`, or `cleartext_behind_proxy`.")));
    }
    Ok(true)
}

/// The order to stop, by SIGTERM or SIGINT.
#[derive(Debug)]
pub struct StopOrder {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl StopOrder {
    /// Hears from here on: make it before anybody can know that we answer, or an early order would end us at once.
    pub fn hear() -> Result<StopOrder> {
        let hear = |kind| signal(kind).map_err(Error::internal);
        Ok(StopOrder {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hang_up: hear(SignalKind::hangup())?,
        })
    }

    /// Waits for it.
    pub async fn given(&mut self) -> Ended {
        tokio::select! {
            _ = self.terminate.recv() => {
                info!("asked to stop by SIGTERM");
                Ended::Stopped
            }
            _ = self.interrupt.recv() => {
                info!("asked to stop by SIGINT");
                Ended::Stopped
            }
            _ = self.hang_up.recv() => {
                info!("asked to begin anew by SIGHUP");
                Ended::ToRestart
            }
        }
    }
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait until the system has forgotten our old connections.
    socket.set_reuse_address(true)?;
    // Connections inherit it: whoever leaves an answer unread does not keep us for ever.
    socket.set_tcp_user_timeout(Some(limits::UNREAD_ANSWER_WAIT))?;
    // Inherited as well: an answer goes out at once. Its last packet would otherwise wait for the client to say
    // that it has the one before, which takes 40 ms on a new connection.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

pub(super) fn unusable(address: SocketAddr, reason: &io::Error) -> Error {
    let hint = match reason.kind() {
        io::ErrorKind::AddrInUse => {
            "Another program answers there: stop it, or choose another with `--listen`."
        }
        io::ErrorKind::PermissionDenied => {
            "Ports below 1024 need a right: choose a higher one, or give the service CAP_NET_BIND_SERVICE."
        }
        io::ErrorKind::AddrNotAvailable => {
            "This machine does not have that address; `ip address` lists them."
        }
        _ => "Choose another with `--listen`.",
    };
    Error::invalid(format!("The address {address} cannot be listened at: {reason}.")).hint(hint)
}
