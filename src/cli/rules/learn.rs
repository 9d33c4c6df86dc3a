//! `yingda rules learn`: phrases and their weights from a labelled history.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use routing_rules::learn::{Example, Lesson, Options, learn};

use super::super::{Exit, Failure};

/// `yingda rules learn`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
FILE is JSON Lines, one case a line: {\"id\", \"date\", \"title\", \"text\", \"label\", \"weight\", \"not\"}. Only label and one of title and
text are needed. title may be null; weight (1 when left out) says how much the case counts; not, a label or a list of them,
says what the case is not, with or without a label: an accepted send-back says no more. Other keys are ignored.
`yingda rules history` writes such a file from the hub's own tickets.

PACK is a folder. If it is a hand-written pack, the labels must be ids of its items, or be given theirs under [items] in
learned/model.toml; otherwise it becomes a pack of learned phrases alone, whose items are the labels. Written are
  learned/phrases.tsv   one phrase a line, one column a label; sorted; a spreadsheet opens it, and you may edit it
  learned/model.toml    norms, bases, the steps of confidence and the threshold below which a person decides
  learned/trained.txt   fingerprints of the cases, so that a backtest leaves them out
  learned/report.md     accuracy with its interval, coverage against accuracy, labels with too few examples
The same file, seed and limits give the same bytes, with any number of threads.

Examples:
  yingda rules history --days 365 > history.jsonl
  yingda rules learn --from history.jsonl --out ./rules
  yingda rules learn --from letters.jsonl --out ./letters --max-phrases 2000
  yingda rules classify --pack ./letters < new.jsonl")]
pub(super) struct Args {
    /// The labelled history
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The pack's folder
    #[arg(long, value_name = "PACK")]
    out: PathBuf,
    /// The most phrases to keep
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_phrases: u32,
    /// What shuffling begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The share of right decisions that the threshold aims at
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = share)]
    aim: f64,
    /// Cores to use; all when left out
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// A share between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "write a number from 0 to 1".to_owned())
}

/// Learns.
///
/// # Errors
/// A line that is no case, a history nothing can be learned from, files that cannot be read or written.
pub(super) fn run(args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let (examples, lines) = read(&args.from)?;
    let options = Options {
        max_phrases: args.max_phrases as usize,
        seed: args.seed,
        aim: args.aim,
        threads: args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get)).max(1),
    };
    // Nobody can be told when standard error is closed.
    let told = |news: &str| drop(writeln!(std::io::stderr(), "{news}"));
    let lesson = learn(&examples, &options, &told).map_err(|refused| {
        let line = refused.example.checked_sub(1).and_then(|at| lines.get(at));
        let place = line.map_or_else(String::new, |line| format!(" line {line}:"));
        Failure::new(Exit::Data, format!("{}:{place} {refused}", args.from.display()))
    })?;
    write(&args.out, &lesson)?;
    writeln!(out, "{}", lesson.report)?;
    Ok(())
}

/// The cases of a file with the numbers of their lines; empty lines are skipped.
fn read(file: &Path) -> Result<(Vec<Example>, Vec<usize>), Failure> {
    let wrong = || Failure::of(Exit::Io, file.display());
    let reader = BufReader::with_capacity(1 << 20, File::open(file).map_err(wrong())?);
    let (mut examples, mut lines) = (Vec::new(), Vec::new());
    for (line, number) in reader.lines().zip(1..) {
        let line = line.map_err(|error| {
            Failure::new(Exit::Data, format!("{} line {number}: {}", file.display(), super::unreadable(&error)))
        })?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('[') {
            let advice = "this is a JSON list; write one case a line, as `jq -c '.[]'` does";
            return Err(Failure::new(Exit::Data, format!("{} line {number}: {advice}", file.display())));
        }
        examples.push(serde_json::from_str(line).map_err(|error| {
            Failure::new(Exit::Data, format!("{} line {number}: {}", file.display(), super::fault(&error)))
        })?);
        lines.push(number);
    }
    Ok((examples, lines))
}

/// Writes the files of a lesson, each whole or not at all.
fn write(folder: &Path, lesson: &Lesson) -> Result<(), Failure> {
    for file in &lesson.files {
        let path = folder.join(&file.path);
        let wrong = || Failure::of(Exit::Io, path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(wrong())?;
        }
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, &file.text).map_err(wrong())?;
        std::fs::rename(&fresh, &path).map_err(wrong())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(folder: &Path, lines: &str) -> Args {
        let from = folder.join("history.jsonl");
        std::fs::write(&from, lines).expect("written");
        Args { from, out: folder.join("pack"), max_phrases: 500, seed: 1, aim: 0.9, threads: Some(1) }
    }

    #[test]
    fn a_pack_is_written_that_decides() {
        let folder = tempfile::tempdir().expect("a folder");
        let lines: String = (0..40)
            .map(|at| {
                let (text, label) = if at % 2 == 0 { ("路灯不亮", "roads") } else { ("自来水停了", "water") };
                format!("{{\"id\": {at}, \"title\": null, \"text\": \"第{at}天{text}\", \"label\": \"{label}\"}}\n")
            })
            .collect();
        let mut out = Vec::new();
        run(&args(folder.path(), &lines), &mut out).expect("learned");
        assert!(String::from_utf8_lossy(&out).contains("40 examples, 2 labels"));
        let pack = folder.path().join("pack");
        for cached in [false, true] {
            let rules = crate::config::rules::compile(Some(&pack)).expect("compiles");
            let learned = rules.learned().expect("learned");
            assert_eq!(learned.from_cache(), cached);
            assert!(learned.trained_on(routing_rules::fingerprint(Some("7"), None, "")));
            let facts = routing_rules::Facts { text: "门口路灯又坏了", ..Default::default() };
            let decision = rules.decide(&facts);
            assert_eq!(decision.ranked.first().map(|ranked| ranked.item.as_str()), Some("roads"));
        }
        std::fs::write(pack.join("learned/.cache"), b"broken").expect("written");
        let rules = crate::config::rules::compile(Some(&pack)).expect("compiles");
        assert!(!rules.learned().expect("learned").from_cache());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        for (lines, expected) in [
            ("{\"text\": \"a\", \"label\": \"x\"}\n\n{\"text\": 5, \"label\": \"y\"}\n", "line 3"),
            (
                "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\", \"label\": \"y\", \"weight\": -1}\n",
                "line 2: a weight",
            ),
            ("{\"text\": \"a\", \"label\": \"x\"}\n", "nothing to tell apart"),
        ] {
            let failure = run(&args(folder.path(), lines), &mut Vec::new()).expect_err("refused");
            assert!(failure.text.contains(expected), "{failure}");
        }
    }
}
