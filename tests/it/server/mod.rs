//! The server: certificates, the way of a request, status, stopping.

mod hardship;
mod openapi;
mod panic;
mod stack;
mod status;
mod stop;
mod tls;
