//! `yingda rules test`: the golden cases that a pack's rules bring along.

use std::io::Write;
use std::path::PathBuf;

use super::super::{Common, Exit, Failure};

/// `yingda rules test`
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The pack's folder
    pack: Option<PathBuf>,
}

/// Checks a pack and runs its tests.
///
/// # Errors
/// Every problem, or every failed test.
pub(super) fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let rules = super::pack(common, args.pack.as_deref()).map_err(|found| Failure::new(Exit::Found, found.text))?;
    super::summary(&rules, out)?;
    let report = rules.run_tests();
    for failure in &report.failures {
        writeln!(out, "{failure}")?;
    }
    writeln!(out, "{} tests passed, {} failed", report.passed, report.failures.len())?;
    if report.failures.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Found, "rules fail their own tests")) }
}
