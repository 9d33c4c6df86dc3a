//! `yingda user`: manage staff logins.

use std::io::{Read, Write};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::door::{Door, segment, text};
use super::{Common, Exit, Failure};

/// `yingda user`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Goes through the running hub, or works on the data folder itself when none is running. A password is read from standard
input with --password-stdin, otherwise made and shown once.

Examples:
  yingda user add li.wei --role agent --name 'Li Wei'
  yingda user add zhang.min --role handler --department water-bureau
  yingda user list
  yingda user unlock li.wei")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Add a login
    Add {
        /// The login name
        login: String,
        /// What it may do
        #[arg(long, value_parser = ["agent", "handler", "supervisor", "admin"])]
        role: String,
        /// A handler's department, an id of the rule pack
        #[arg(long, required_if_eq("role", "handler"))]
        department: Option<String>,
        /// The name that others read; the login if left out
        #[arg(long)]
        name: Option<String>,
        /// May see who citizens are
        #[arg(long)]
        identity: bool,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all logins
    List,
    /// Close a login and end its sessions
    Disable {
        /// The login name
        login: String,
    },
    /// Open a closed login again
    Enable {
        /// The login name
        login: String,
    },
    /// Give a login a new password and end its sessions
    Password {
        /// The login name
        login: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Unlock a login after too many wrong passwords
    Unlock {
        /// The login name
        login: String,
    },
}

/// Carries one verb out.
///
/// # Errors
/// The hub's own refusal, or why it cannot be reached.
pub async fn run(common: &Common, args: Args, out: &mut impl Write) -> Result<(), Failure> {
    let door = Door::open(common).await?;
    let done = act(&door, args.verb, out).await;
    door.close().await?;
    done
}

async fn act(door: &Door, verb: Verb, out: &mut impl Write) -> Result<(), Failure> {
    match verb {
        Verb::Add { login, role, department, name, identity, password_stdin } => {
            let (password, shown) = password(password_stdin)?;
            let name = name.unwrap_or_else(|| login.clone());
            let body = json!({
                "login": login, "name": name, "role": role, "department": department, "identity": identity, "password": password,
            });
            door.call(Method::POST, "/api/v1/staff", Some(&body)).await?;
            writeln!(out, "added {login}")?;
            tell(shown.then_some(password), out)
        }
        Verb::List => {
            let users = door.call(Method::GET, "/api/v1/staff", None).await?;
            for user in users["items"].as_array().into_iter().flatten() {
                let state = match (user["disabled_at"].is_string(), user["locked_until"].is_string()) {
                    (true, _) => "disabled",
                    (_, true) => "locked",
                    _ => "",
                };
                let line = format!(
                    "{:<24} {:<11} {:<28} {state}",
                    text(user, "login"),
                    text(user, "role"),
                    text(user, "department")
                );
                writeln!(out, "{}", line.trim_end())?;
            }
            Ok(())
        }
        Verb::Disable { login } => {
            change(door, &login, &json!({"disabled": true})).await?;
            Ok(writeln!(out, "disabled {login}")?)
        }
        Verb::Enable { login } => {
            change(door, &login, &json!({"disabled": false})).await?;
            Ok(writeln!(out, "enabled {login}")?)
        }
        Verb::Password { login, password_stdin } => {
            let (password, shown) = password(password_stdin)?;
            change(door, &login, &json!({"password": password})).await?;
            writeln!(out, "new password for {login}")?;
            tell(shown.then_some(password), out)
        }
        Verb::Unlock { login } => {
            change(door, &login, &json!({})).await?;
            Ok(writeln!(out, "unlocked {login}")?)
        }
    }
}

/// Changes a login, whatever its version; any change unlocks it.
async fn change(door: &Door, login: &str, what: &Value) -> Result<(), Failure> {
    let users = door.call(Method::GET, "/api/v1/staff", None).await?;
    let known =
        users["items"].as_array().into_iter().flatten().find(|user| text(user, "login").eq_ignore_ascii_case(login));
    let Some(user) = known else { return Err(Failure::new(Exit::Data, format!("there is no login {login}"))) };
    let mut patch = what.clone();
    patch["version"] = user["version"].clone();
    door.call(Method::PATCH, &format!("/api/v1/staff/{}", segment(text(user, "id"))), Some(&patch)).await.map(|_| ())
}

fn tell(password: Option<String>, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(password) = password {
        writeln!(out, "password: {password}")?;
    }
    Ok(())
}

/// A password, and whether it was made here and must be shown.
fn password(stdin: bool) -> Result<(String, bool), Failure> {
    if !stdin {
        return Ok((crate::demo::password(), true));
    }
    let mut line = String::new();
    std::io::stdin().take(4096).read_to_string(&mut line).map_err(Failure::of(Exit::Data, "standard input"))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        Err(Failure::new(Exit::Data, "no password on standard input"))
    } else {
        Ok((line.to_owned(), false))
    }
}
