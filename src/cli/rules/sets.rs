//! `yingda rules list`, `import`, `publish`, `rollback`: the rule sets of the hub.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::door::{Door, text};
use super::super::{Common, Exit, Failure};

/// Who asks.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Holder {
    /// As the holder of the API token in this file, instead of as this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Holder {
    /// The way into the hub.
    pub(super) async fn door(&self, common: &Common) -> Result<Door, Failure> {
        Door::open(common).await?.with_token(self.token_file.as_deref())
    }
}

/// `yingda rules list`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The newest first; the one marked `published` decides.

Example:
  yingda rules list")]
pub(super) struct List {
    #[command(flatten)]
    holder: Holder,
}

/// `yingda rules import`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The pack becomes a draft under the next number; nothing decides otherwise yet. Then it is tried on the past and published,
by somebody else than who imported it (rules.two_person).

Example:
  yingda rules import ./rules --note 'heating season'
  yingda rules backtest --pack 4 --days 365
  yingda rules publish 4 --token-file ~/my.token")]
pub(super) struct Import {
    /// The pack's folder
    pack: PathBuf,
    /// What is new in it
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    holder: Holder,
}

/// `yingda rules publish`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The rule set decides from the next message on; no message is lost or judged twice, and each decision names the rule set that
made it. Departments and items that it does not have though open tickets do are told with the number of these tickets, at the
import already. It must be backtested, its own tests must pass, and with rules.two_person it takes another person than who imported
it: name that person's API token.

Examples:
  yingda rules publish 4 --token-file ~/my.token")]
pub(super) struct Publish {
    /// The number of the rule set, as listed
    number: i64,
    #[command(flatten)]
    holder: Holder,
}

/// `yingda rules rollback`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
At once, and by one person. Without a number: to the rule set that decided before this one.

Examples:
  yingda rules rollback
  yingda rules rollback 2")]
pub(super) struct Rollback {
    /// The number of a rule set that decided before
    number: Option<i64>,
    #[command(flatten)]
    holder: Holder,
}

async fn all(door: &Door) -> Result<Vec<Value>, Failure> {
    let mut page = door.call(Method::GET, "/api/v1/rule-sets", None).await?;
    Ok(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

/// Lists the rule sets.
///
/// # Errors
/// The hub's own refusal, or why it cannot be reached.
pub(super) async fn list(common: &Common, args: &List, out: &mut impl Write) -> Result<(), Failure> {
    let door = args.holder.door(common).await?;
    let found = all(&door).await;
    door.close().await?;
    for one in found? {
        tell(&one, out)?;
    }
    Ok(())
}

fn tell(one: &Value, out: &mut impl Write) -> Result<(), Failure> {
    let when = ["published_at", "backtested_at", "drafted_at"].into_iter().map(|key| text(one, key));
    let when = when.into_iter().find(|when| !when.is_empty()).unwrap_or_default();
    let line = format!(
        "{:>4}  {:<10}  {}  {when}  {}  {}",
        one["number"],
        text(one, "state"),
        text(one, "version"),
        text(one, "pack"),
        text(one, "note")
    );
    Ok(writeln!(out, "{}", line.trim_end())?)
}

/// Drafts a pack.
///
/// # Errors
/// Every problem of the pack, or the hub's own refusal.
pub(super) async fn import(common: &Common, args: &Import, out: &mut impl Write) -> Result<(), Failure> {
    // Its problems are better told with the folder's own paths.
    super::pack(common, Some(&args.pack))?;
    let files = crate::config::rules::files(Some(&args.pack));
    let files = files.map_err(|problem| Failure::new(Exit::Io, problem.to_string()))?;
    let files: BTreeMap<String, String> = files.into_iter().map(|file| (file.path, file.text)).collect();
    let door = args.holder.door(common).await?;
    let body = json!({ "files": files, "note": args.note });
    let drafted = door.call_patiently(Method::POST, "/api/v1/rule-sets", Some(&body)).await;
    door.close().await?;
    enacted(&drafted?, out)
}

/// Tells a rule set, and plainly what would be stranded.
fn enacted(one: &Value, out: &mut impl Write) -> Result<(), Failure> {
    tell(one, out)?;
    for orphan in one["in_use"].as_array().into_iter().flatten() {
        let (what, id, count) = (text(orphan, "what"), text(orphan, "id"), &orphan["open_tickets"]);
        writeln!(out, "warning: {what} {id} is not in it, and open tickets hang on it: {count}")?;
    }
    Ok(())
}

/// Lets a rule set decide.
///
/// # Errors
/// The hub's own refusal.
pub(super) async fn publish(common: &Common, args: &Publish, out: &mut impl Write) -> Result<(), Failure> {
    let door = args.holder.door(common).await?;
    let path = format!("/api/v1/rule-sets/{}/publish", args.number);
    let published = door.call_patiently(Method::POST, &path, Some(&json!({}))).await;
    door.close().await?;
    enacted(&published?, out)
}

/// Lets an earlier rule set decide again.
///
/// # Errors
/// The hub's own refusal.
pub(super) async fn roll_back(common: &Common, args: &Rollback, out: &mut impl Write) -> Result<(), Failure> {
    let door = args.holder.door(common).await?;
    let done = async {
        let number = match args.number {
            Some(number) => number,
            None => {
                let known = all(&door).await?;
                let before = known.iter().filter(|one| text(one, "state") == "superseded");
                let last = before.max_by_key(|one| text(one, "superseded_at").to_owned());
                let number = last.and_then(|last| last["number"].as_i64());
                number.ok_or_else(|| Failure::new(Exit::Data, "no other rule set has decided before"))?
            }
        };
        door.call_patiently(Method::POST, &format!("/api/v1/rule-sets/{number}/rollback"), Some(&json!({}))).await
    };
    let done = done.await;
    door.close().await?;
    enacted(&done?, out)
}
