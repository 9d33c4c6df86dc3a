//! `yingda rules`: check, test and prove rule packs. One file a verb.

mod check;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use routing_rules::RuleSet;

use super::{Common, Failure};
use crate::config::rules::compile;

/// `yingda rules`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
PACK is a folder with a rule pack; left out, the pack of rules.path, or the built-in demo city.

Examples:
  yingda rules check /etc/yingda/rules
  yingda rules test")]
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
}

/// Runs a verb.
///
/// # Errors
/// What the verb found wrong, or could not do.
pub async fn run(common: &Common, args: Args, out: &mut impl Write) -> Result<(), Failure> {
    match args.verb {
        Verb::Check(args) => check::run(common, &args, out),
        Verb::Test(args) => test::run(common, &args, out),
    }
}

/// The pack of the command line, else that of `rules.path`, else the demo city.
fn pack(common: &Common, given: Option<&Path>) -> Result<RuleSet, Failure> {
    let configured = || common.layers().peek(&["rules", "path"]).filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(compile(given.map(Path::to_path_buf).or_else(configured).as_deref())?)
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
