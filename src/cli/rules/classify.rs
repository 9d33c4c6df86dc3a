//! `yingda rules classify`: a pack's decisions for many texts.

use std::io::{BufRead, BufReader, IsTerminal as _, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use routing_rules::{AppealKind, DecidedBy, Facts, Ranked, RuleSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Common, Exit, Failure};

/// Lines that each core takes at once.
const BLOCK: usize = 1024;

/// `yingda rules classify`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Reads JSON Lines: {\"id\", \"title\", \"text\"} and, where known, channel, language, district, kind; other keys are ignored, title
and text may be null. Writes one line for each, in the same order:
  {\"id\", \"item\", \"department\", \"confidence\", \"decided_by\": \"rule\" | \"learned\" | \"abstain\", \"ranked\": [{\"item\", \"score\"}]}
When nobody decides, item and department are null and ranked still has the candidates, best first. confidence, 0 to 1, can be
compared between lines: it is the chance that the first candidate is right.

A line that cannot be read ends it with exit code 65 and its number; the lines before it are answered.

Examples:
  yingda rules classify --pack ./letters < new.jsonl > decisions.jsonl
  yingda rules classify --pack /etc/yingda/rules < new.jsonl | jq -r .item | sort | uniq -c")]
pub(super) struct Args {
    /// The pack's folder
    #[arg(long, value_name = "PACK")]
    pack: Option<PathBuf>,
    /// Cores to use; all when left out
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What is known of a text.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(default)]
    id: Value,
    title: Option<String>,
    text: Option<String>,
    channel: Option<String>,
    language: Option<String>,
    district: Option<String>,
    kind: Option<AppealKind>,
}

/// What was decided.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    id: Value,
    item: Option<String>,
    department: Option<String>,
    confidence: f64,
    decided_by: DecidedBy,
    ranked: &'a [Ranked],
}

/// Classifies standard input.
///
/// # Errors
/// Problems of the pack; a line that cannot be read.
pub(super) fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let rules = super::pack(common, args.pack.as_deref())?;
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get)).max(1);
    let began = Instant::now();
    let shown = std::io::stderr().is_terminal();
    let told = |count: usize, ends: bool| {
        if shown || ends {
            let seconds = began.elapsed().as_secs_f64();
            let (start, end) = if shown { ("\r", if ends { "\n" } else { "" }) } else { ("", "\n") };
            // Nobody can be told when standard error is closed.
            drop(write!(std::io::stderr(), "{start}{count} lines in {seconds:.1} s{end}"));
        }
    };
    classify(&rules, BufReader::with_capacity(1 << 20, std::io::stdin().lock()), threads, &told, out)
}

/// Classifies lines; `told` hears how many are done and whether these are all.
fn classify(
    rules: &RuleSet,
    lines: impl BufRead,
    threads: usize,
    told: &impl Fn(usize, bool),
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut lines = lines.split(b'\n');
    let mut done = 0;
    loop {
        let block: Vec<Vec<u8>> = lines.by_ref().take(BLOCK * threads).collect::<Result<_, _>>()?;
        if block.is_empty() {
            out.flush()?;
            told(done, true);
            return Ok(());
        }
        let parts: Vec<&[Vec<u8>]> = block.chunks(block.len().div_ceil(threads)).collect();
        let answered: Vec<Part> = std::thread::scope(|scope| {
            let workers: Vec<_> = parts.iter().map(|part| scope.spawn(move || answers(rules, part))).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        let mut line = done;
        for (part, lines) in answered.into_iter().zip(&parts) {
            out.write_all(&part.text)?;
            if let Some((at, fault)) = part.bad {
                out.flush()?;
                return Err(Failure::new(Exit::Data, format!("line {}: {fault}", line + at + 1)));
            }
            line += lines.len();
        }
        done = line;
        told(done, false);
    }
}

/// The answers to some lines.
struct Part {
    text: Vec<u8>,
    /// The first line that cannot be read, from 0, and why.
    bad: Option<(usize, String)>,
}

fn answers(rules: &RuleSet, lines: &[Vec<u8>]) -> Part {
    let mut part = Part { text: Vec::with_capacity(lines.len() * 256), bad: None };
    for (at, line) in lines.iter().enumerate() {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii();
        if line.is_empty() {
            continue;
        }
        let answered = serde_json::from_slice(line)
            .map_err(|error| super::fault(&error))
            .and_then(|case| answer(rules, case, &mut part.text));
        if let Err(fault) = answered {
            part.bad = Some((at, fault));
            break;
        }
    }
    part
}

fn answer(rules: &RuleSet, case: Case, text: &mut Vec<u8>) -> Result<(), String> {
    let decision = rules.decide(&Facts {
        subject: case.title.as_deref(),
        text: case.text.as_deref().unwrap_or_default(),
        channel: case.channel.as_deref(),
        language: case.language.as_deref(),
        district: case.district.as_deref(),
        kind: case.kind,
        ..Facts::default()
    });
    let answer = Answer {
        id: case.id,
        item: decision.item,
        department: decision.department,
        confidence: decision.confidence,
        decided_by: decision.decided_by,
        ranked: &decision.ranked,
    };
    serde_json::to_writer(&mut *text, &answer).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(lines: &str, threads: usize) -> (Vec<Value>, Option<String>) {
        let rules = crate::config::rules::compile(None).expect("the demo city");
        let mut out = Vec::new();
        let failure = classify(&rules, lines.as_bytes(), threads, &|_, _| (), &mut out).err();
        let lines = String::from_utf8(out).expect("UTF-8");
        let answers = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (answers, failure.map(|failure| failure.text))
    }

    #[test]
    fn answers_stand_in_order() {
        let lines: String =
            (0..50).map(|at| format!("{{\"id\": {at}, \"title\": null, \"text\": \"路灯不亮了\"}}\n")).collect();
        let (one, failure) = classified(&lines, 1);
        assert_eq!(failure, None);
        let ids: Vec<Option<u64>> = one.iter().map(|answer| answer["id"].as_u64()).collect();
        assert_eq!(ids, (0..50).map(Some).collect::<Vec<_>>());
        assert_eq!(one, classified(&lines, 3).0);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let (answers, failure) = classified("{\"text\": \"水管爆了\"}\n{\"text\": 7}\n{\"text\": \"a\"}\n", 2);
        assert_eq!(answers.len(), 1);
        assert!(failure.expect("refused").starts_with("line 2: "));
    }

    #[test]
    fn who_abstains_still_has_candidates() {
        let (answers, _) = classified("{\"id\": \"a\", \"text\": \"\"}\n", 1);
        let answer = answers.first().expect("answered");
        assert_eq!((&answer["item"], &answer["decided_by"]), (&Value::Null, &Value::from("abstain")));
        assert!(answer["ranked"].is_array());
    }
}
