//! `yingda rules`: check and test rule packs.

use std::io::Write;
use std::path::PathBuf;

use routing_rules::RuleSet;

use super::{Common, Exit, Failure};
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
    Check {
        /// The pack's folder
        pack: Option<PathBuf>,
    },
    /// Check a pack and run the tests that its rules bring along
    Test {
        /// The pack's folder
        pack: Option<PathBuf>,
    },
}

/// Checks or tests a pack.
///
/// # Errors
/// Every problem, or every failed test.
pub fn run(common: &Common, args: Args, out: &mut impl Write) -> Result<(), Failure> {
    let (pack, test) = match args.verb {
        Verb::Check { pack } => (pack, false),
        Verb::Test { pack } => (pack, true),
    };
    let configured = || common.layers().peek(&["rules", "path"]).filter(|path| !path.is_empty()).map(PathBuf::from);
    let rules = compile(pack.or_else(configured).as_deref())?;
    summary(&rules, out)?;
    if !test {
        return Ok(());
    }
    let report = rules.run_tests();
    for failure in &report.failures {
        writeln!(out, "{failure}")?;
    }
    writeln!(out, "{} tests passed, {} failed", report.passed, report.failures.len())?;
    if report.failures.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Found, "rules fail their own tests")) }
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
