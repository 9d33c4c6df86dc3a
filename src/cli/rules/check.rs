//! `yingda rules check`: every problem of a pack.

use std::io::Write;
use std::path::PathBuf;

use super::super::{Common, Failure};

/// `yingda rules check`
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The pack's folder
    pack: Option<PathBuf>,
}

/// Checks a pack.
///
/// # Errors
/// Every problem of the pack.
pub(super) fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let rules = super::pack(common, args.pack.as_deref())?;
    super::summary(&rules, out)?;
    Ok(())
}
