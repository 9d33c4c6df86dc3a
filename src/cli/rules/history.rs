//! `yingda rules history`: the city's labelled history as JSON Lines.

use std::io::Write;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use super::super::door::{Door, segment, text};
use super::super::{Common, Failure};

/// `yingda rules history`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
A line for each past ticket that says where its appeal belonged: an agent's dispatch is a label, a closed ticket that nobody
sent back, moved or reopened is a weak one (rules.closure_weight), and a send-back that led to no other dispatch says only
what it was not. Phone numbers, mail addresses and id numbers in texts are masked. Exporting is audited.

Examples:
  yingda rules history --days 365 > 2026.jsonl
  yingda rules learn --from 2026.jsonl --out ./rules/learned")]
pub(super) struct Args {
    /// The tickets of the last so many days
    #[arg(long, value_name = "N", default_value_t = 365)]
    days: u32,
    /// As the holder of the API token in this file, instead of as this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Writes the history.
///
/// # Errors
/// The hub's own refusal, or why it cannot be reached.
pub(super) async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let door = Door::open(common).await?.with_token(args.token_file.as_deref())?;
    let done = pages(&door, args.days, |cases| {
        for case in cases {
            writeln!(out, "{case}")?;
        }
        Ok(())
    })
    .await;
    door.close().await?;
    done
}

/// Reads the history page by page.
pub(super) async fn pages(
    door: &Door,
    days: u32,
    mut page: impl FnMut(Vec<Value>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/rule-sets/history?days={days}&after={}", segment(&after));
        let mut found = door.call_patiently(Method::GET, &path, None).await?;
        if let Some(cases) = found["items"].as_array_mut() {
            page(std::mem::take(cases))?;
        }
        match text(&found, "next") {
            "" => return Ok(()),
            next => after = next.to_owned(),
        }
    }
}
