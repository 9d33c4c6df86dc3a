//! The demo pack, written by hand without any learning, on the Chinese letters.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use routing_rules::{DecidedBy, Facts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Letter {
    title: Option<String>,
    text: String,
    label: String,
}

/// How often the demo pack decides, and how often it is right by the first segment of its item.
pub(crate) fn measure(data: &Path, out: &mut impl Write) -> Result<()> {
    let mapping = std::fs::read_to_string(data.join("demo-mapping.toml")).context("demo-mapping.toml")?;
    let mapping: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&mapping)?;
    let labels = mapping.get("zh_teddy").context("no zh_teddy in the mapping")?;
    let rules = yingda::config::rules::compile(None).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    writeln!(out, "demo pack {} on zh_teddy, no learning", rules.version())?;
    for split in ["dev", "train"] {
        let lines = std::fs::read_to_string(data.join(format!("appeals/zh_teddy.{split}.jsonl")))?;
        let (mut total, mut decided, mut right, mut first, mut named) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
        for line in lines.lines() {
            let letter: Letter = serde_json::from_str(line)?;
            let decision =
                rules.decide(&Facts { subject: letter.title.as_deref(), ..Facts::of_text(&letter.text, "email") });
            let best = decision.ranked.first().map(|ranked| ranked.item.as_str());
            let group = best.and_then(|item| item.split('.').next()).unwrap_or_default();
            let is_right = labels.get(group) == Some(&letter.label);
            total += 1;
            named += u32::from(best.is_some());
            first += u32::from(is_right);
            if decision.decided_by != DecidedBy::Abstain {
                decided += 1;
                right += u32::from(is_right);
            }
        }
        let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
        writeln!(
            out,
            "  {split:5} {total:5} letters: decided {:.3}, right where decided {:.3}; best candidate named {:.3}, right of all {:.3}",
            share(decided, total),
            share(right, decided),
            share(named, total),
            share(first, total),
        )?;
    }
    Ok(())
}
