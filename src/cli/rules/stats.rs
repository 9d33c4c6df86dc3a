//! `yingda rules stats`: what the rules did lately.

use std::io::Write;

use reqwest::Method;
use serde_json::Value;

use super::super::door::text;
use super::super::{Common, Failure};
use super::sets::Holder;

/// `yingda rules stats`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
For each rule and phrase: in how many tickets it spoke (hits), how many of them went where it pointed (led), the share of
those that the department sent back, and its precision, as far as it can be told from what people decided and from tickets
closed without a word. `unseen` tells how often the rules agree with people who had not seen them (rules.unseen_share): the one
figure without bias.

Examples:
  yingda rules stats
  yingda rules stats --days 90 --phrases
  yingda rules stats --json > stats.json")]
pub(super) struct Args {
    /// The tickets of the last so many days
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
    /// Phrases too
    #[arg(long)]
    phrases: bool,
    /// Write everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    holder: Holder,
}

/// Shows the figures.
///
/// # Errors
/// The hub's own refusal, or why it cannot be reached.
pub(super) async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let door = args.holder.door(common).await?;
    let stats = door.call_patiently(Method::GET, &format!("/api/v1/rule-sets/stats?days={}", args.days), None).await;
    door.close().await?;
    let stats = stats?;
    if args.json {
        return Ok(writeln!(out, "{stats:#}")?);
    }
    writeln!(
        out,
        "{} tickets judged in {} days, {} decided by rules, {} left to people, {} of those decided sent back",
        stats["judged"],
        stats["days"],
        stats["decided"],
        percent(&stats["abstention_rate"]),
        percent(&stats["send_back_rate"]),
    )?;
    writeln!(
        out,
        "unseen: {} tickets; items right {}, departments right {}",
        stats["unseen"],
        rate(&stats["unseen_items"]),
        rate(&stats["unseen_departments"])
    )?;
    writeln!(out, "\n{:<36} {:>7} {:>7} {:>10} {:>7} {:>10}", "rule", "hits", "led", "sent back", "told", "precision")?;
    lines(&stats["rules"], |line| text(line, "rule").to_owned(), out)?;
    if args.phrases {
        writeln!(out, "\nphrase (rule)")?;
        lines(&stats["phrases"], |line| format!("«{}» ({})", text(line, "phrase"), text(line, "rule")), out)?;
    }
    Ok(())
}

/// What spoke most goes first; what never spoke is only counted.
fn lines(list: &Value, name: impl Fn(&Value) -> String, out: &mut impl Write) -> std::io::Result<()> {
    let hits = |line: &Value| line["hits"].as_i64().unwrap_or_default();
    let (mut spoke, silent): (Vec<&Value>, Vec<&Value>) =
        list.as_array().into_iter().flatten().partition(|line| hits(line) > 0);
    spoke.sort_by_key(|line| std::cmp::Reverse(hits(line)));
    for line in spoke {
        writeln!(
            out,
            "{:<36} {:>7} {:>7} {:>10} {:>7} {:>10}",
            name(line),
            line["hits"].to_string(),
            line["led"].to_string(),
            percent(&line["send_back_rate"]),
            line["told"].to_string(),
            percent(&line["precision"])
        )?;
    }
    if !silent.is_empty() {
        writeln!(out, "{} more never spoke; --json names them", silent.len())?;
    }
    Ok(())
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn rate(rate: &Value) -> String {
    if rate.is_null() {
        return "not yet known".to_owned();
    }
    format!(
        "{} ({} to {}) of {}",
        percent(&rate["share"]),
        percent(&rate["low"]),
        percent(&rate["high"]),
        rate["cases"]
    )
}
