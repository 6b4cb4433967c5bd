//! The route table. A handler that does not open with a `Gate` or a `Caller` does not compile.

pub use super::entrance::{Entrance, Needs};

use crate::kernel::access::{Changes, Effect, Views};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Responder};

/// One line of the table, with the handler behind it.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
    pub effect: &'static str,
    handler: actix_web::Route,
}

/// A route of the public list: sign-in, set-up, status, documentation. Takes whatever it likes, but can reach
/// nothing behind the door except what a visitor may.
pub fn public<H, Args>(method: Method, path: &'static str, handler: H) -> Route
where
    H: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    let effect = if method == Method::GET { Views::WORD } else { Changes::WORD };
    Route { path, needs: Needs::Public, effect, handler: web::method(method.clone()).to(handler), method }
}

/// Looks at something. Takes no permission that changes anything, so a GET never does.
pub fn get<H, Args>(path: &'static str, handler: H) -> Route
where
    H: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + Opening<Entrance: Entrance<Effect = Views>>,
{
    route(Method::GET, path, handler)
}

macro_rules! changing_methods {
    ($($name:ident $method:ident)*) => {$(
        /// Changes something, so its handler opens with a permission that may.
        pub fn $name<H, Args>(path: &'static str, handler: H) -> Route
        where
            H: Handler<Args, Output: Responder + 'static>,
            Args: FromRequest + Opening<Entrance: Entrance<Effect = Changes>>,
        {
            route(Method::$method, path, handler)
        }
    )*};
}
changing_methods! { post POST put PUT patch PATCH delete DELETE }

fn route<H, Args>(method: Method, path: &'static str, handler: H) -> Route
where
    H: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + Opening,
{
    Route {
        path,
        needs: Args::Entrance::NEEDS,
        effect: <Args::Entrance as Entrance>::Effect::WORD,
        handler: web::method(method.clone()).to(handler),
        method,
    }
}

/// Mounts the table; the same list is what the tests walk.
pub fn mount(config: &mut ServiceConfig, table: Vec<Route>) {
    for line in table {
        config.route(line.path, line.handler);
    }
}

/// The arguments of a handler, known by their first.
pub trait Opening: 'static {
    type Entrance: Entrance;
}

macro_rules! openings {
    ($(($($more:ident)*))*) => {$(
        impl<First: Entrance, $($more: 'static),*> Opening for (First, $($more),*) {
            type Entrance = First;
        }
    )*};
}
openings! { () (A) (A B) (A B C) (A B C D) }
