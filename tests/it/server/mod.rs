//! The server: certificates, the way of a request, status, stopping.

mod stack;
mod status;
mod stop;
mod tls;
