//! `yingda rules`: check, test and prove rule packs, and what becomes of them in the hub. One file a verb; those that
//! list, draft and publish share one.

mod backtest;
mod check;
mod classify;
mod explain;
mod history;
mod learn;
mod replay;
mod sets;
mod stats;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use routing_rules::RuleSet;

use super::{Common, Exit, Failure};
use crate::config::rules::compile;

/// `yingda rules`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
PACK is a folder with a rule pack; left out, the pack of rules.path, or the built-in demo city.

A pack is written and tried as a folder: check, test, explain, backtest. The hub keeps every rule set that decided: import
drafts a folder, backtest --pack NUMBER tries it on the city's own tickets, publish lets it decide, rollback takes that back.

Examples:
  yingda rules check /etc/yingda/rules
  yingda rules test
  yingda rules learn --from history.jsonl --out ./rules
  yingda rules explain --why-not water-company '解放路的路灯不亮了'
  yingda rules backtest --pack ./rules --history 2026.jsonl
  yingda rules import ./rules --note 'heating season'
  yingda rules replay 2611220000017")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Verb {
    /// Tell every problem of a pack
    Check(check::Args),
    /// Check a pack and run the tests that its rules bring along
    Test(test::Args),
    /// Tell why a text goes where it goes, and why not elsewhere
    Explain(explain::Args),
    /// Tell what a pack would have done with the past
    Backtest(backtest::Args),
    /// Learn phrases from a labelled history
    Learn(learn::Args),
    /// Decide many texts at once
    Classify(classify::Args),
    /// Write the city's labelled history as JSON Lines
    History(history::Args),
    /// List the hub's rule sets
    List(sets::List),
    /// Make a pack a draft of the hub
    Import(sets::Import),
    /// Let a backtested rule set decide
    Publish(sets::Publish),
    /// Let an earlier rule set decide again
    Rollback(sets::Rollback),
    /// Judge a ticket's stored inputs again and show what differs
    Replay(replay::Args),
    /// Show what the rules did lately: hits, send-backs, precision
    Stats(stats::Args),
}

/// Runs a verb.
///
/// # Errors
/// What the verb found wrong, or could not do.
pub async fn run(common: &Common, args: Args, out: &mut impl Write) -> Result<(), Failure> {
    match args.verb {
        Verb::Check(args) => check::run(common, &args, out),
        Verb::Test(args) => test::run(common, &args, out),
        Verb::Explain(args) => explain::run(common, &args, out),
        Verb::Backtest(args) => backtest::run(common, &args, out).await,
        Verb::Learn(args) => learn::run(&args, out),
        Verb::Classify(args) => classify::run(common, &args, out),
        Verb::History(args) => history::run(common, &args, out).await,
        Verb::List(args) => sets::list(common, &args, out).await,
        Verb::Import(args) => sets::import(common, &args, out).await,
        Verb::Publish(args) => sets::publish(common, &args, out).await,
        Verb::Rollback(args) => sets::roll_back(common, &args, out).await,
        Verb::Replay(args) => replay::run(common, &args, out).await,
        Verb::Stats(args) => stats::run(common, &args, out).await,
    }
}

/// The pack of the command line, else that of `rules.path`, else the demo city.
fn pack(common: &Common, given: Option<&Path>) -> Result<RuleSet, Failure> {
    if let Some(folder) = given.filter(|folder| !folder.is_dir()) {
        let what = if folder.exists() { "is no folder" } else { "is not there" };
        let advice = "name the folder with the pack's files (pack.toml or learned/)";
        return Err(Failure::new(Exit::Io, format!("{} {what}; {advice}", folder.display())));
    }
    let configured = || common.layers().peek(&["rules", "path"]).filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(compile(given.map(Path::to_path_buf).or_else(configured).as_deref())?)
}

/// Why a line of JSON cannot be read, without the values in it, which may name people.
fn fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a value is not of the kind that --help names",
        _ => "this is not JSON; write one case a line, as `jq -c` does",
    };
    format!("{what} (column {})", error.column())
}

/// Why a line cannot be read at all.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::InvalidData => {
            "this is not UTF-8; convert the file, as with `iconv -f GB18030 -t UTF-8`".to_owned()
        }
        _ => error.to_string(),
    }
}

fn summary(rules: &RuleSet, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{} {}: {} items, {} departments, {} districts, {} rules",
        rules.id(),
        rules.version(),
        rules.items().len(),
        rules.departments().len(),
        rules.districts().len(),
        rules.rules().count(),
    )
}
