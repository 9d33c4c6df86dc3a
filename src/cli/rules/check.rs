//! `yingda rules check`: every problem of a pack, and with a sample which rules are too broad or never fire.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};

use routing_rules::{Facts, Problem, RuleSet};
use serde::Deserialize;

use super::super::{Common, Exit, Failure};

/// `yingda rules check`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Exit code 0 when the pack is sound, 1 when it is not; problems go to standard error, each with file and line.
A sample is JSON Lines, one appeal a line: {\"text\": \"...\"} and if wanted \"title\", \"channel\", \"language\".
A rule that names an item, department, emergency, hold or refusal is too broad when it fires on more than 10 %
of the sample, any other rule on more than 50 %; that is a problem when the sample has 50 texts or more.
Rules that never fire are listed and are no problem by themselves.")]
pub(super) struct Args {
    /// The pack's folder
    pack: Option<PathBuf>,
    /// Appeals to hold the rules against, as JSON Lines
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
}

/// Checks a pack.
///
/// # Errors
/// Every problem of the pack, or every rule that is too broad for the sample.
pub(super) fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let rules = super::pack(common, args.pack.as_deref()).map_err(|found| Failure::new(Exit::Found, found.text))?;
    super::summary(&rules, out)?;
    match &args.sample {
        Some(path) => sample(&rules, path, out),
        None => Ok(()),
    }
}

/// One line of a sample.
#[derive(Debug, Deserialize)]
struct Line {
    title: Option<String>,
    text: String,
    channel: Option<String>,
    language: Option<String>,
}

fn sample(rules: &RuleSet, path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let file = std::fs::File::open(path).map_err(Failure::of(Exit::Unavailable, path.display()))?;
    let mut lines = Vec::new();
    for (at, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|error| {
            Failure::new(Exit::Data, format!("{}:{at}: {}", path.display(), super::unreadable(&error)))
        })?;
        if !line.trim().is_empty() {
            let line: Line = serde_json::from_str(line.trim_start_matches('\u{feff}')).map_err(|error| {
                Failure::new(Exit::Data, format!("{}:{at}: {}", path.display(), super::fault(&error)))
            })?;
            lines.push(line);
        }
    }
    let report = rules.check_sample(lines.iter().map(|line| Facts {
        subject: line.title.as_deref(),
        channel: line.channel.as_deref(),
        language: line.language.as_deref(),
        ..Facts { text: &line.text, ..Facts::default() }
    }));
    let firing = report.fired.iter().filter(|(_, count)| *count > 0).count();
    writeln!(out, "{} texts: {firing} rules fire, {} never do", report.texts, report.never.len())?;
    for Problem { file, line, message, .. } in &report.never {
        writeln!(out, "{file}:{line}: {message}")?;
    }
    if report.broad.is_empty() {
        return Ok(());
    }
    let mut text = String::from("rules that are too broad for this sample");
    for problem in &report.broad {
        let _ = write!(text, "\n{problem}");
    }
    Err(Failure::new(Exit::Found, text))
}
