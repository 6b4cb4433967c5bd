//! The route table. A handler that does not open with a `Gate` or a `Caller` does not compile.

pub use super::entrance::{Entrance, Needs};

use crate::kernel::access::{Changes, Effect, Views};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Responder, guard};
use std::future::ready;

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
    Route { path, needs: Needs::Public, effect, handler: guarded(&method).to(handler), method }
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
        handler: guarded(&method).to(handler),
        method,
    }
}

/// Mounts the table; the same list is what the tests walk.
///
/// An address answers a method it does not take with 405 and the list of those it takes.
pub fn mount(config: &mut ServiceConfig, table: Vec<Route>) {
    let mut table: Vec<Option<Route>> = table.into_iter().map(Some).collect();
    while let Some(first) = table.iter().flatten().next() {
        let path = first.path;
        let lines = table.iter_mut().filter(|line| line.as_ref().is_some_and(|line| line.path == path));
        let mut resource = web::resource(path);
        let mut methods = Vec::new();
        for line in lines.filter_map(Option::take) {
            methods.push(line.method);
            resource = resource.route(line.handler);
        }
        let allowed = allow(&methods);
        config.service(resource.default_service(web::to(move || {
            let refusal = HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed.clone())).finish();
            ready(refusal)
        })));
    }
}

fn allow(methods: &[Method]) -> String {
    let also_head = methods.contains(&Method::GET).then_some("HEAD");
    methods.iter().map(Method::as_str).chain(also_head).collect::<Vec<_>>().join(", ")
}

/// What can be looked at can be asked for its headers alone; the server leaves the body out.
fn guarded(method: &Method) -> actix_web::Route {
    if method == Method::GET {
        web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
    } else {
        web::method(method.clone())
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
