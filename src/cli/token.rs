//! `yingda token`: manage API tokens.

use std::io::Write;

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::door::{Door, segment, text};
use super::{Common, Failure};

/// `yingda token`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Goes through the running hub, or works on the data folder itself when none is running. The token is shown once.

Examples:
  yingda token add crm --role supervisor
  yingda token add water-desk --role handler --department water-bureau
  yingda token list
  yingda token revoke 0192d3a4-...")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Make a token
    Add {
        /// What it is listed as
        name: String,
        /// What it may do
        #[arg(long, value_parser = ["agent", "handler", "supervisor", "admin"])]
        role: String,
        /// A handler's department, an id of the rule pack
        #[arg(long, required_if_eq("role", "handler"))]
        department: Option<String>,
        /// May see who citizens are
        #[arg(long)]
        identity: bool,
    },
    /// List all tokens, without the tokens themselves
    List,
    /// End a token
    Revoke {
        /// Its id, as listed
        id: String,
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
        Verb::Add { name, role, department, identity } => {
            let body = json!({"name": name, "role": role, "department": department, "identity": identity});
            let made = door.call(Method::POST, "/api/v1/tokens", Some(&body)).await?;
            writeln!(out, "{} {}", text(&made, "id"), text(&made, "token"))?;
        }
        Verb::List => {
            let tokens = door.call(Method::GET, "/api/v1/tokens", None).await?;
            for token in tokens["items"].as_array().into_iter().flatten() {
                let state = if token["revoked_at"].is_null() { "" } else { "revoked" };
                let (id, name, role, department) =
                    (text(token, "id"), text(token, "name"), text(token, "role"), text(token, "department"));
                writeln!(out, "{}", format!("{id} {name:<28} {role:<11} {department:<28} {state}").trim_end())?;
            }
        }
        Verb::Revoke { id } => {
            door.call(Method::DELETE, &format!("/api/v1/tokens/{}", segment(&id)), None).await?;
            writeln!(out, "revoked {id}")?;
        }
    }
    Ok(())
}
