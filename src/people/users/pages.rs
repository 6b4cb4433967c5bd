//! People of the instance in a browser: who there is, invitations, suspending, roles.

use super::{Email, Invitation, Name, NewPerson, State, User, seen};
use crate::kernel::access::{Gate, PeopleManage, PeopleView, Read, Role, Tx};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::UserId;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::http::header::HOST;
use actix_web::{Either, HttpRequest};
use askama::Template;
use serde::Deserialize;

/// The routes of people's pages.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/instance/people", list),
        get("/instance/people/new", show_new),
        post("/instance/people", invite),
        get("/instance/people/roles", show_roles),
        get("/instance/people/{user}", show),
        post("/instance/people/{user}/role", set_role),
        post("/instance/people/{user}/suspend", suspend),
        post("/instance/people/{user}/activate", activate),
        post("/instance/people/{user}/unlock", unlock),
        post("/instance/people/{user}/link", invite_again),
        post("/instance/people/{user}/reset", reset_factor),
    ]
}

#[derive(Template)]
#[template(path = "people/users/list.html")]
struct ListPage {
    frame: Frame,
    people: Vec<User>,
    may_manage: bool,
}

#[derive(Template)]
#[template(path = "people/users/show.html")]
struct ShowPage {
    frame: Frame,
    user: User,
    roles: Vec<Choice>,
    problems: Problems,
    may_manage: bool,
    is_fresh: bool,
    is_oneself: bool,
}

#[derive(Template)]
#[template(path = "people/users/new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    email: String,
    roles: Vec<Choice>,
    problems: Problems,
    is_fresh: bool,
}

#[derive(Template)]
#[template(path = "people/users/roles.html")]
struct RolesPage {
    frame: Frame,
    roles: [Role; 7],
}

/// Shows the link of an invitation, this once.
#[derive(Template)]
#[template(path = "people/users/link.html")]
pub(in crate::people) struct LinkPage {
    frame: Frame,
    name: String,
    link: String,
    back: String,
}

impl LinkPage {
    /// The page with the link of this code.
    pub(in crate::people) fn new(
        frame: Frame,
        name: String,
        request: &HttpRequest,
        code: &str,
        back: String,
    ) -> LinkPage {
        // The host was checked before the handler; whoever reads this page came by TLS.
        let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(|host| host.as_str()).or(named).unwrap_or_default();
        LinkPage { frame, name, link: format!("https://{host}/invitation?code={code}"), back }
    }
}

fn frame(tx: Read<'_, PeopleView>, visit: Visit) -> Result<Frame> {
    Ok(Frame::instance(tx, visit, seen(tx)?).at(At::People))
}

async fn list(gate: Gate<PeopleView>, visit: Visit) -> Result<Page<ListPage>> {
    let view = gate.read(move |tx| {
        let people = super::list(tx)?;
        let mut frame = frame(tx, visit)?.count(At::People, people.len());
        let may_manage = tx.may::<PeopleManage>();
        if may_manage {
            frame = frame.action("plus", "Invite a person", "/instance/people/new", "i");
        }
        Ok(ListPage { frame, people, may_manage })
    });
    Ok(Page::new(view.await?))
}

/// Roles as lines of a list, beginning with none.
fn choices(tx: impl Tx, chosen: &str) -> Vec<Choice> {
    let none = [(String::new(), "None: roles in projects only".to_owned())];
    let line = |role: &Role| (role.word().to_owned(), format!("{}: {}", role.title(), role.meaning()));
    let given = Role::ALL.iter().filter(|role| tx.may_give(**role)).map(line);
    Choice::among(none.into_iter().chain(given), chosen)
}

async fn show(gate: Gate<PeopleView>, visit: Visit, Path(id): Path<i64>) -> Result<Page<ShowPage>> {
    let view = gate.read(move |tx| {
        let user = super::get(tx, UserId(id))?;
        Ok(ShowPage {
            frame: frame(tx, visit)?.here(user.name.clone()),
            roles: choices(tx, user.role.map_or("", Role::word)),
            problems: Problems::default(),
            may_manage: tx.may::<PeopleManage>(),
            is_fresh: tx.is_fresh(),
            is_oneself: tx.actor().user() == Some(user.id),
            user,
        })
    });
    Ok(Page::new(view.await?))
}

#[derive(Deserialize, Clone, Default)]
struct InviteForm {
    name: String,
    email: String,
    role: Option<String>,
}

async fn show_new(gate: Gate<PeopleView>, visit: Visit) -> Result<Page<NewPage>> {
    Ok(Page::new(new_page(&gate, visit, InviteForm::default(), Problems::default()).await?))
}

async fn new_page(
    gate: &Gate<PeopleView>,
    visit: Visit,
    form: InviteForm,
    problems: Problems,
) -> Result<NewPage> {
    gate.read(move |tx| {
        let frame = frame(tx, visit)?.here("Invite");
        let roles = choices(tx, form.role.as_deref().unwrap_or_default());
        Ok(NewPage { frame, name: form.name, email: form.email, roles, problems, is_fresh: tx.is_fresh() })
    })
    .await
}

async fn invite(
    gate: Gate<PeopleManage>,
    look: Gate<PeopleView>,
    visit: Visit,
    request: HttpRequest,
    Form(form): Form<InviteForm>,
) -> Result<Either<Page<LinkPage>, Page<NewPage>>> {
    let mut problems = Problems::default();
    let name = Name::new(&form.name).map_err(|e| problems.add("name", e.sentence())).ok();
    let email = Email::new(&form.email).map_err(|e| problems.add("email", e.sentence())).ok();
    if let (Some(name), Some(email)) = (name, email) {
        let new = NewPerson { email, name, role: form.role.as_deref().map(role_of).transpose()? };
        match gate.write(move |tx| super::invite(tx, new)).await {
            Ok(invitation) => {
                return Ok(Either::Left(link_page(&look, visit, &request, invitation).await?));
            }
            Err(e) if e.kind() == Kind::Conflict => problems.add("email", e.sentence()),
            Err(e) => return Err(e),
        }
    }
    Ok(Either::Right(Page::refused(new_page(&look, visit, form, problems).await?)))
}

async fn link_page(
    look: &Gate<PeopleView>,
    visit: Visit,
    request: &HttpRequest,
    invitation: Invitation,
) -> Result<Page<LinkPage>> {
    let id = invitation.user;
    let (frame, name) =
        look.read(move |tx| Ok((frame(tx, visit)?.here("Link"), super::get(tx, id)?.name))).await?;
    let back = format!("/instance/people/{}", id.0);
    Ok(Page::new(LinkPage::new(frame, name, request, invitation.code.expose(), back)))
}

async fn show_roles(gate: Gate<PeopleView>, visit: Visit) -> Result<Page<RolesPage>> {
    let view =
        gate.read(move |tx| Ok(RolesPage { frame: frame(tx, visit)?.here("Roles"), roles: Role::ALL }));
    Ok(Page::new(view.await?))
}

#[derive(Deserialize)]
struct RoleForm {
    role: Option<String>,
}

async fn set_role(
    gate: Gate<PeopleManage>,
    Path(id): Path<i64>,
    Form(form): Form<RoleForm>,
) -> Result<Redirect> {
    let role = form.role.as_deref().map(role_of).transpose()?;
    gate.write(move |tx| super::set_role(tx, UserId(id), role)).await?;
    Ok(to(id).saying("The role is changed, from the next request on."))
}

async fn suspend(gate: Gate<PeopleManage>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| super::suspend(tx, UserId(id))).await?;
    Ok(to(id).saying("Suspended. Sessions are over and tokens rest."))
}

async fn activate(gate: Gate<PeopleManage>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| super::activate(tx, UserId(id))).await?;
    Ok(to(id).saying("Active again."))
}

async fn unlock(gate: Gate<PeopleManage>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| super::unlock(tx, UserId(id))).await?;
    Ok(to(id).saying("The failed sign-ins are forgotten; nobody has to wait."))
}

async fn invite_again(
    gate: Gate<PeopleManage>,
    look: Gate<PeopleView>,
    visit: Visit,
    request: HttpRequest,
    Path(id): Path<i64>,
) -> Result<Page<LinkPage>> {
    let invitation = gate.write(move |tx| super::invite_again(tx, UserId(id))).await?;
    link_page(&look, visit, &request, invitation).await
}

async fn reset_factor(
    gate: Gate<PeopleManage>,
    look: Gate<PeopleView>,
    visit: Visit,
    request: HttpRequest,
    Path(id): Path<i64>,
) -> Result<Page<LinkPage>> {
    let invitation = gate.write(move |tx| super::reset_factor(tx, UserId(id))).await?;
    link_page(&look, visit, &request, invitation).await
}

fn to(id: i64) -> Redirect {
    Redirect::to(format!("/instance/people/{id}"))
}

/// The role of a word in a form or in the API.
pub(in crate::people) fn role_of(word: &str) -> Result<Role> {
    Role::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = Role::ALL.into_iter().map(Role::word).collect();
        Error::invalid(format!("There is no role `{word}`."))
            .hint(format!("Choose one of: {}.", words.join(", ")))
    })
}
