//! `yingda rules replay`: a ticket's stored inputs judged again.

use std::io::Write;

use reqwest::Method;
use serde_json::Value;

use super::super::door::{segment, text};
use super::super::{Common, Exit, Failure};
use super::sets::Holder;

/// `yingda rules replay`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The stored inputs of the last decision that rules made of a ticket are judged again: with the rule set that made it, which
must come to the same (exit code 1 if it does not), and with the one that decides now. Changes nothing.

Examples:
  yingda rules replay 2611220000017
  yingda rules replay 2611220000017 --json")]
pub(super) struct Args {
    /// The ticket's number
    number: String,
    /// Write everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    holder: Holder,
}

/// Judges a ticket again.
///
/// # Errors
/// When the same rules come to something else; the hub's own refusal.
pub(super) async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let door = args.holder.door(common).await?;
    let path = format!("/api/v1/tickets/{}/replay", segment(&args.number));
    let replay = door.call(Method::GET, &path, None).await;
    door.close().await?;
    let replay = replay?;
    if args.json {
        writeln!(out, "{replay:#}")?;
    } else {
        writeln!(out, "ticket {}, judged {}", text(&replay, "ticket"), text(&replay, "at"))?;
        outcome("then", &replay["stored"], out)?;
        let differences = replay["differences"].as_array().map_or(0, Vec::len);
        if differences == 0 {
            writeln!(out, "again   the same")?;
        }
        list(&replay["differences"], out)?;
        outcome("now", &replay["published"], out)?;
        list(&replay["changes"], out)?;
    }
    match replay["differences"].as_array().map_or(0, Vec::len) {
        0 => Ok(()),
        count => {
            let (then, now) = (text(&replay, "engine"), text(&replay, "engine_now"));
            let text =
                format!("the same rules come to something else in {count} respects (engine {then} then, {now} now)");
            Err(Failure::new(Exit::Found, text))
        }
    }
}

fn outcome(name: &str, outcome: &Value, out: &mut impl Write) -> std::io::Result<()> {
    let or = |key: &str, other: &str| match text(outcome, key) {
        "" => other.to_owned(),
        some => some.to_owned(),
    };
    let number = outcome["number"].as_i64().map_or_else(String::new, |number| format!("{number} "));
    writeln!(
        out,
        "{name:<7} {} -> {}, decided by {}{}, rule set {number}{}",
        or("item", "no item"),
        or("department", "triage"),
        text(outcome, "decided_by"),
        outcome["reason"].as_str().map_or_else(String::new, |reason| format!(" ({reason})")),
        text(outcome, "rule_set"),
    )
}

fn list(differences: &Value, out: &mut impl Write) -> std::io::Result<()> {
    for difference in differences.as_array().into_iter().flatten() {
        let field = text(difference, "field");
        if field == "hits" {
            let rules = |hits: &Value| -> String {
                let rules: Vec<&str> = hits.as_array().into_iter().flatten().map(|hit| text(hit, "rule")).collect();
                rules.join(" ")
            };
            writeln!(out, "  rules       {} | {}", rules(&difference["stored"]), rules(&difference["again"]))?;
        } else {
            writeln!(out, "  {field:<11} {} | {}", difference["stored"], difference["again"])?;
        }
    }
    Ok(())
}
