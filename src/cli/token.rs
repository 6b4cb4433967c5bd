//! `testkeep token`: service tokens, with which pipelines reach one project.

use super::output::{Output, table};
use super::project::place;
use crate::app::House;
use crate::kernel::access::{MemberManage, MemberView, Role};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TokenId;
use crate::people::tokens::{self, NewService};
use crate::people::users::Name;
use clap::{Args, Subcommand};
use serde::Serialize;

/// What to do with service tokens.
#[derive(Subcommand, Debug)]
pub enum Token {
    /// Make a token; it is printed this once.
    Create(Create),
    /// Show the service tokens of a project.
    List {
        /// Key of the project, such as SHOP.
        #[arg(long)]
        project: String,
    },
    /// Make a token worthless, from the next request on.
    Revoke {
        /// Its number, as `list` shows it.
        id: i64,
        /// Key of the project, such as SHOP.
        #[arg(long)]
        project: String,
    },
}

/// A token to make.
#[derive(Args, Debug)]
pub struct Create {
    /// What it is for, such as ci.
    #[arg(long)]
    name: String,
    /// Key of the only project it is good for, such as SHOP.
    #[arg(long)]
    project: String,
    /// What it may do there.
    #[arg(long, default_value = "automation", value_parser = role)]
    role: Role,
    /// For how long it is good: days or weeks, such as 30d or 12w.
    #[arg(long, default_value = "90d", value_name = "TIME", value_parser = days)]
    expires: i64,
}

/// A role by its word; the error lists all of them.
pub fn role(word: &str) -> Result<Role, String> {
    Role::of_word(word).ok_or_else(|| format!("the roles are {}", Role::ALL.map(Role::word).join(", ")))
}

fn days(text: &str) -> Result<i64, String> {
    let (number, unit) = match text.strip_suffix('w') {
        Some(number) => (number, 7),
        None => (text.strip_suffix('d').unwrap_or(text), 1),
    };
    let days = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit));
    days.ok_or_else(|| "write it as days or weeks, such as 30d or 12w".to_owned())
}

#[derive(Serialize)]
struct Issued {
    id: i64,
    token: String,
    name: String,
    project: String,
    role: &'static str,
    expires_at: String,
}

#[derive(Serialize)]
struct Shown {
    id: i64,
    name: String,
    prefix: String,
    role: Option<&'static str>,
    created_at: String,
    expires_at: String,
    seen_at: Option<String>,
}

#[derive(Serialize)]
struct Revoked {
    id: i64,
    revoked: bool,
}

/// Runs one of the commands.
pub async fn run(command: Token, house: &House, output: Output) -> Result<()> {
    match command {
        Token::Create(create) => self::create(create, house, output).await,
        Token::List { project } => {
            let gate = house.shell.operator().gate::<MemberView>(place(&project)?);
            let all = gate.read(tokens::list_services).await?;
            output.print(&all.into_iter().map(Shown::from).collect::<Vec<_>>(), |all| list(all, &project));
            Ok(())
        }
        Token::Revoke { id, project } => {
            let gate = house.shell.operator().gate::<MemberManage>(place(&project)?);
            gate.write(move |tx| tokens::revoke_service(tx, TokenId(id))).await?;
            output.print(&Revoked { id, revoked: true }, |_| format!("Token {id} is worthless from now on."));
            Ok(())
        }
    }
}

async fn create(create: Create, house: &House, output: Output) -> Result<()> {
    let Create { name, project, role, expires } = create;
    if role == Role::Owner {
        return Err(Error::invalid("A program is never an owner.")
            .hint("Most pipelines need the role automation; manager is the widest one."));
    }
    let gate = house.shell.operator().gate::<MemberManage>(place(&project)?);
    let new = NewService { name: Name::new(&name)?, role, days: expires };
    let issued = gate.write(move |tx| tokens::issue_service(tx, new)).await?;
    let issued = Issued {
        id: issued.id.0,
        token: issued.token.expose().clone(),
        name,
        project: project.to_ascii_uppercase(),
        role: role.word(),
        expires_at: issued.expires_at.to_string(),
    };
    output.print(&issued, |it| {
        format!(
            "{}\n\nThis is the only time it is shown. It is good for {} as {} until {}.\n\
             Keep it in the secret store of your pipeline, as TESTKEEP_TOKEN.",
            it.token, it.project, it.role, it.expires_at
        )
    });
    Ok(())
}

fn list(all: &[Shown], project: &str) -> String {
    if all.is_empty() {
        return format!(
            "{project} has no service tokens. Make one: testkeep token create --name ci --project {project}"
        );
    }
    let row = |it: &Shown| {
        let seen = it.seen_at.as_deref().unwrap_or("never").to_owned();
        let role = it.role.unwrap_or_default().to_owned();
        vec![it.id.to_string(), it.name.clone(), format!("{}…", it.prefix), role, it.expires_at.clone(), seen]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table(&["id", "name", "begins with", "role", "good until", "last used"], &rows)
}

impl From<tokens::Token> for Shown {
    fn from(token: tokens::Token) -> Shown {
        Shown {
            id: token.id.0,
            name: token.name,
            prefix: token.prefix,
            role: token.role.map(Role::word),
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.to_string(),
            seen_at: token.seen_at.map(|at| at.to_string()),
        }
    }
}
