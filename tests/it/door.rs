//! Every route of the table, knocked at by everybody: what comes of it is what `decide` says, and nothing else.

use crate::support::App;
use crate::support::people::Person;
use reqwest::{Method, Response};
use testkeep::kernel::access::{Actor, Bearer, Found, Info, Power, Refusal, Role, decide};
use testkeep::kernel::id::ProjectId;
use testkeep::server::table::table;
use testkeep::web::csrf;
use testkeep::web::routes::{Needs, Route};

/// A path with something in the place of each parameter; project 1 is SHOP.
fn path_of(route: &Route) -> String {
    let mut parts = route.path.split('{');
    let mut path = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        path += if name == "project" { "SHOP" } else { "1" };
        path += rest;
    }
    path
}

/// Something that needs a permission.
pub struct Guarded {
    pub method: Method,
    pub path: String,
    info: Info,
}

pub fn guarded() -> Vec<Guarded> {
    let all = table().into_iter().filter_map(|route| {
        let Needs::Permission(info) = route.needs else { return None };
        let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
        Some(Guarded { method, path: path_of(&route), info })
    });
    all.collect()
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The request as this person would send it: a program at the API, a browser elsewhere.
pub async fn ask(app: &App, person: &Person, method: &Method, path: &str) -> Response {
    let request = if is_api(path) {
        app.with_token(&person.token, method.clone(), path)
    } else {
        let request = app.browse(person, method.clone(), path).header("Origin", app.url());
        request.header("X-CSRF-Token", csrf::token(&person.cookie))
    };
    request.send().await.unwrap()
}

fn is_to_sign_in(reply: &Response) -> bool {
    reply.headers().get("location").is_some_and(|to| to.to_str().unwrap().starts_with("/signin?next="))
}

/// What the table of roles says.
fn expected(info: &Info, roles: &[Role], shop: ProjectId) -> Result<(), Refusal> {
    let found = if info.scope == "project" { Found::Project(shop) } else { Found::Instance };
    let power = Power::Roles { scope: None, project: None };
    decide(info, &Bearer { actor: Actor::Visitor, power, proven_at: None }, found, roles)
}

/// Forms: looking changes nothing, so their permission is one to look, and they refuse whoever may not send them.
fn is_stricter(method: &Method, path: &str) -> bool {
    *method == Method::GET
        && ["/new", "/edit", "/settings", "/suites/1"].iter().any(|form| path.ends_with(form))
}

/// Walks the table as a person with this role, in the instance, in SHOP or in a project that is not SHOP.
async fn walk(app: &App, role: Role, place: Option<ProjectId>, shop: ProjectId) {
    let mut broken = Vec::new();
    for (number, Guarded { method, path, info }) in guarded().into_iter().enumerate() {
        // Anew for each route, because some of them end the session or take the role away.
        let name = format!("{} {} {number}", role.word(), place.map_or(0, |project| project.0));
        let person = app.person(&name, Some((role, place))).await;
        let holds_instance = place.is_none();
        let is_instance = info.scope == "instance";
        let reaches = holds_instance || (!is_instance && place == Some(shop));
        let roles: &[Role] = if reaches { &[role] } else { &[] };
        let reply = ask(app, &person, &method, &path).await;
        let (status, at) = (reply.status().as_u16(), format!("{name}: {method} {path}"));
        assert!(status < 500, "{at}: {status}");
        // A body that does not fit is refused before the door is asked; nothing was changed either way.
        let is_unfit = method != Method::GET && [400, 413, 415, 422].contains(&status);
        let is_as_told = match expected(&info, roles, shop) {
            Ok(()) => ![401, 403].contains(&status) && !is_to_sign_in(&reply) || is_stricter(&method, &path),
            Err(Refusal::NothingThere) => status == 404 || is_unfit,
            Err(_) => status == 403 || is_unfit,
        };
        if !is_as_told {
            broken.push(format!("{at}: {status}"));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

async fn start() -> (App, ProjectId, ProjectId) {
    let app = App::start().await;
    // Number 1, which the paths name, is nobody who matters.
    app.person("nobody", None).await;
    let (shop, bank) = (app.project("SHOP").await, app.project("BANK").await);
    (app, shop, bank)
}

#[actix_web::test]
async fn t_ac_1_a_role_in_a_project_opens_what_the_table_of_roles_says() {
    let (app, shop, _) = start().await;
    for role in Role::ALL.into_iter().filter(|role| role.is_of_projects()) {
        walk(&app, role, Some(shop), shop).await;
    }
    app.stop().await;
}

#[actix_web::test]
async fn t_ac_1_a_role_in_the_instance_opens_what_the_table_of_roles_says() {
    let (app, shop, _) = start().await;
    for role in [Role::Owner, Role::Auditor, Role::BackupOperator] {
        walk(&app, role, None, shop).await;
    }
    app.stop().await;
}

#[actix_web::test]
async fn t_kf_8_the_owner_of_another_project_does_not_learn_that_this_one_exists() {
    let (app, shop, bank) = start().await;
    walk(&app, Role::Owner, Some(bank), shop).await;
    app.stop().await;
}

#[actix_web::test]
async fn t_in_2_a_stranger_is_sent_to_sign_in() {
    let (app, ..) = start().await;
    for Guarded { method, path, .. } in guarded() {
        let reply = app.request(method.clone(), &path).header("Accept", "text/html").send().await.unwrap();
        let (status, at) = (reply.status().as_u16(), format!("{method} {path}"));
        match (is_api(&path), &method) {
            (false, &Method::GET) => assert!(status == 303 && is_to_sign_in(&reply), "{at}: {status}"),
            (true, &Method::GET) => assert_eq!(status, 401, "{at}"),
            _ => assert!([401, 403].contains(&status), "{at}: {status}"),
        }
    }
    app.stop().await;
}

#[actix_web::test]
async fn f32_a_change_without_the_token_of_a_form_is_refused_to_everybody() {
    let (app, ..) = start().await;
    let owner = app.as_role(Role::Owner, None).await;
    for Guarded { method, path, .. } in guarded().into_iter().filter(|one| one.method != Method::GET) {
        for origin in [app.url(), "https://evil.example".to_owned()] {
            let request = app.browse(&owner, method.clone(), &path).header("Origin", &origin);
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, 403, "{method} {path} from {origin}");
        }
    }
    app.stop().await;
}
