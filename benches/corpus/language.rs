//! Language detection, for the demo's allowlist and for every language that can be told.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use yingda::intake::Languages;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
}

/// The demo's languages, as in `deploy/yingda.default.toml`.
fn demo() -> Result<Vec<String>> {
    let defaults: toml::Table = toml::from_str(include_str!("../../deploy/yingda.default.toml"))?;
    let list = defaults.get("city").and_then(|city| city.get("languages")).and_then(toml::Value::as_array);
    Ok(list.context("city.languages")?.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

/// A table of label against answer for each allowlist, and Simplified against Traditional by itself.
pub(crate) fn measure(data: &Path, out: &mut impl Write) -> Result<()> {
    let lines = std::fs::read_to_string(data.join("langid.dev.jsonl"))?;
    let rows: Vec<Row> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let demo = demo()?;
    let mut all = demo.clone();
    for tag in ["de", "fa", "hi", "id", "it", "pt", "th", "tr", "uk", "ur", "vi"] {
        all.push(tag.to_owned());
    }
    for (name, allowed) in [("the demo's languages", demo), ("all languages", all)] {
        table(name, &allowed, &rows, out)?;
    }
    Ok(())
}

/// What should come out for a label: itself if it is allowed, otherwise nothing. `zh` alone may be either way of writing.
fn is_right(label: &str, answer: Option<&str>, allowed: &[String]) -> bool {
    match label {
        "zh" => matches!(answer, Some("zh-Hans" | "zh-Hant")),
        _ if allowed.iter().any(|tag| tag == label) => answer == Some(label),
        _ => answer.is_none(),
    }
}

fn table(name: &str, allowed: &[String], rows: &[Row], out: &mut impl Write) -> Result<()> {
    let languages = Languages::new(allowed, "zh-Hans");
    let mut answers: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let (mut right, mut served, mut served_right) = (0, 0, 0);
    let mut script = [[0_usize; 3]; 2];
    for row in rows {
        let answer = languages.detect(&row.text);
        let is = is_right(&row.label, answer.as_deref(), allowed);
        right += usize::from(is);
        if row.label == "zh" || allowed.contains(&row.label) {
            served += 1;
            served_right += usize::from(is);
        }
        if let Some(at) = ["zh-Hans", "zh-Hant"].iter().position(|tag| *tag == row.label) {
            let column = match answer.as_deref() {
                Some("zh-Hans") => 0,
                Some("zh-Hant") => 1,
                _ => 2,
            };
            script[at][column] += 1;
        }
        *answers.entry(&row.label).or_default().entry(answer.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
    }
    writeln!(
        out,
        "language detection, {name} ({}): {right} of {} right ({:.3}); of texts in a language that is served {:.3}",
        allowed.len(),
        rows.len(),
        right as f64 / rows.len() as f64,
        served_right as f64 / served.max(1) as f64,
    )?;
    for (label, answers) in &answers {
        let total: usize = answers.values().sum();
        let right: usize = answers
            .iter()
            .filter(|(answer, _)| is_right(label, Some(answer.as_str()).filter(|it| *it != "unknown"), allowed))
            .map(|(_, count)| count)
            .sum();
        let mut list: Vec<(&String, &usize)> = answers.iter().collect();
        list.sort_by(|one, two| two.1.cmp(one.1).then(one.0.cmp(two.0)));
        let shown: Vec<String> = list.iter().take(4).map(|(answer, count)| format!("{answer} {count}")).collect();
        writeln!(out, "  {label:8} {total:4}  {:.3}  {}", right as f64 / total as f64, shown.join(", "))?;
    }
    writeln!(out, "  Simplified against Traditional      zh-Hans  zh-Hant  other")?;
    for (label, [simplified, traditional, other]) in ["zh-Hans", "zh-Hant"].iter().zip(script) {
        writeln!(out, "    {label:8} texts taken for         {simplified:7}  {traditional:7}  {other:5}")?;
    }
    Ok(())
}
