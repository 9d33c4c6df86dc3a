//! `yingda quarantine`: look through messages that were kept aside, and decide on them.

use std::io::Write;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::door::{Door, segment, text};
use super::{Common, Failure};

/// `yingda quarantine`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Messages whose origin could not be verified, or that could not be parsed, are kept and never become tickets by themselves.
Replay judges one again, as at its arrival, say after a secret was corrected. Accept takes one as it is, with a reason
that is kept; discard gives it up. Goes through the running hub, or works on the data folder itself.

Examples:
  yingda quarantine list
  yingda quarantine show 0192d3a4-...
  yingda quarantine replay 0192d3a4-...
  yingda quarantine accept 0192d3a4-... --reason 'called back, it is genuine'")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List what is held, in order of arrival
    List {
        /// What was dealt with too
        #[arg(long)]
        all: bool,
    },
    /// Show one message with its raw request: personal data
    Show {
        /// Its id, as listed
        id: String,
    },
    /// Judge one again
    Replay {
        /// Its id, as listed
        id: String,
    },
    /// Give one up
    Discard {
        /// Its id, as listed
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take one as a genuine message
    Accept {
        /// Its id, as listed
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The text, where the hub cannot read it out of the raw message
        #[arg(long)]
        text: Option<String>,
        /// The sender's address, likewise
        #[arg(long)]
        from: Option<String>,
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
    let decide = async |id: &str, verb: &str, body| {
        door.call(Method::POST, &format!("/api/v1/quarantine/{}/{verb}", segment(id)), Some(&body)).await
    };
    match verb {
        Verb::List { all } => {
            let mut after = String::new();
            loop {
                let state = if all { "all" } else { "held" };
                let page = door
                    .call(Method::GET, &format!("/api/v1/quarantine?limit=100&after={after}&state={state}"), None)
                    .await?;
                for held in page["items"].as_array().into_iter().flatten() {
                    let (id, account, reason, detail) =
                        (text(held, "id"), text(held, "account"), text(held, "reason"), text(held, "detail"));
                    writeln!(
                        out,
                        "{id} {:<9} {account:<12} {reason:<11} {} {detail}",
                        text(held, "state"),
                        text(held, "received_at")
                    )?;
                }
                match page["next"].as_str() {
                    Some(next) => after = next.to_owned(),
                    None => return Ok(()),
                }
            }
        }
        Verb::Show { id } => {
            let held = door.call(Method::GET, &format!("/api/v1/quarantine/{}", segment(&id)), None).await?;
            writeln!(out, "{held:#}")?;
        }
        Verb::Replay { id } => {
            let told = decide(&id, "replay", json!({})).await?;
            tell(&id, &told, out)?;
        }
        Verb::Discard { id, reason } => {
            decide(&id, "discard", json!({"reason": reason})).await?;
            writeln!(out, "{id}: discarded")?;
        }
        Verb::Accept { id, reason, text, from } => {
            let told = decide(&id, "accept", json!({"reason": reason, "text": text, "from": from})).await?;
            tell(&id, &told, out)?;
        }
    }
    Ok(())
}

/// What became of each item of a message.
fn tell(id: &str, told: &Value, out: &mut impl Write) -> Result<(), Failure> {
    for verdict in told["verdicts"].as_array().into_iter().flatten() {
        let line =
            format!("{id}: {} {} {}", text(verdict, "outcome"), text(verdict, "ticket"), text(verdict, "reason"));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
