//! `yingda openapi`: write the description of the staff API.

use std::io::Write;

use super::{Exit, Failure};

/// `yingda openapi`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The same document as GET /api/openapi.json of a running hub. The console's client is generated from it.

Examples:
  yingda openapi > console/openapi.json")]
pub struct Args {}

/// Writes the document.
///
/// # Errors
/// Standard output is closed.
pub fn run(_: &Args, out: &mut impl Write) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, crate::http::api::description())
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write: {error}")))
}
