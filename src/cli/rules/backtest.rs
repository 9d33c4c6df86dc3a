//! `yingda rules backtest`: what a pack would have done with the past.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use routing_rules::RuleSet;
use routing_rules::backtest::{Case, Rate, Report, Summary, Tally, When};
use serde_json::{Value, json};

use super::super::door::Door;
use super::super::{Common, Exit, Failure};
use crate::rule_sets::backtest::{MEASURED, trained};
use crate::rule_sets::bench::{BadLine, Bench};

/// Lines that a core takes at once.
const BLOCK: usize = 512;
/// Lines of a table that are shown; JSON has them all.
const SHOWN: usize = 15;

/// What is said when neither is given; a pack of either kind may be tried on either.
const WHAT_ON: &str = "say what to try it on: --days N for the hub's own tickets of so many days, as in --days 365 (with it a \
                       number becomes backtested), or --history FILE for a file";

/// `yingda rules backtest`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
PACK is a folder, or the number of a rule set of the hub (`yingda rules list`). A number with --days is tried by the hub
itself and becomes backtested, so that it may be published; everything else changes nothing.

A history is JSON Lines: {\"id\", \"title\", \"text\", \"label\", \"department\", \"date\"}, of which text and label suffice, and what
else was known: channel, account, language, district, kind, place, item (chosen by the citizen), attachments, local_time;
weight (0 to 1), and not (the item it was sent back from). `yingda rules history` writes such a file. Cases that a learned
pack was trained on are left out; where the others have dates (2026-11-22, 2026/1/8 15:40), what came before, during and
after the days that were learned from is told apart, and the first figures are of what came after.

Examples:
  yingda rules backtest --pack ./rules --history 2026.jsonl
  yingda rules backtest --pack ./rules --against /etc/yingda/rules --history 2026.jsonl --json report.json
  yingda rules backtest --pack 4 --days 365")]
pub(super) struct Args {
    /// The pack to try: a folder, or a number
    #[arg(long, value_name = "PACK")]
    pack: String,
    /// The pack to compare it with: a folder, or a number; with --days the one that decides, when left out
    #[arg(long, value_name = "PACK")]
    against: Option<String>,
    /// A file with a labelled history
    #[arg(long, value_name = "FILE", conflicts_with = "days")]
    history: Option<PathBuf>,
    /// The hub's own tickets of the last so many days
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Write the whole report there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write what was measured of the rules into the pack's measured.toml, which their confidence hangs on
    #[arg(long)]
    measure: bool,
    /// Cores to use; all when left out
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// As the holder of the API token in this file, instead of as this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Tries a pack.
///
/// # Errors
/// Problems of the packs or of the history; the hub's own refusal.
pub(super) async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let number = number(&args.pack);
    if args.history.is_none() && args.days.is_none() {
        return Err(Failure::new(Exit::Usage, WHAT_ON));
    }
    let report = match (number, args.days) {
        (Some(number), Some(days)) => by_hub(common, args, number, days).await?,
        _ => here(common, args).await?,
    };
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(Failure::of(Exit::Software, "report"))?;
        std::fs::write(file, text + "\n").map_err(Failure::of(Exit::Io, file.display()))?;
    }
    tell(&report, out)?;
    Ok(())
}

/// The number of a rule set; a folder of that name is written `./4`.
fn number(pack: &str) -> Option<i64> {
    pack.parse().ok()
}

/// The hub tries a rule set of its own, which becomes backtested.
async fn by_hub(common: &Common, args: &Args, number: i64, days: u32) -> Result<Report, Failure> {
    if args.measure {
        return Err(Failure::new(Exit::Usage, "--measure is for folders; a number is measured by itself"));
    }
    let against = match &args.against {
        None => Value::Null,
        Some(other) => self::number(other)
            .ok_or_else(|| Failure::new(Exit::Usage, "a number is compared with a number; import the folder first"))?
            .into(),
    };
    let door = Door::open(common).await?.with_token(args.token_file.as_deref())?;
    let body = json!({ "days": days, "against": against });
    let path = format!("/api/v1/rule-sets/{number}/backtest");
    let report = door.call_patiently(Method::POST, &path, Some(&body)).await;
    door.close().await?;
    serde_json::from_value(report?).map_err(Failure::of(Exit::Software, "report"))
}

/// Tries a pack in this process.
async fn here(common: &Common, args: &Args) -> Result<Report, Failure> {
    let mut door = None;
    let mut read = async |pack: &str| -> Result<Arc<RuleSet>, Failure> {
        let Some(number) = number(pack) else { return Ok(Arc::new(super::pack(common, Some(Path::new(pack)))?)) };
        let found = match &door {
            Some(door) => door,
            None => door.insert(Door::open(common).await?.with_token(args.token_file.as_deref())?),
        };
        let whole = found.call(Method::GET, &format!("/api/v1/rule-sets/{number}"), None).await?;
        let files = crate::rule_sets::files_of(&whole["files"].to_string());
        let files = files.map_err(Failure::of(Exit::Software, "files of the rule set"))?;
        let rules = RuleSet::compile(&files);
        rules.map(Arc::new).map_err(|problems| Failure::new(Exit::Data, crate::rule_sets::told(&problems)))
    };
    let new = read(&args.pack).await?;
    let old = match &args.against {
        Some(against) => Some(read(against).await?),
        None => None,
    };
    let bench = Bench::start(args.threads, &new, old.as_ref(), &trained(&new, old.as_ref()));
    let began = Instant::now();
    let (tally, bad) = match (&args.history, args.days) {
        (Some(file), _) => of_file(file, bench)?,
        (None, days) => {
            let opened = match door.take() {
                Some(door) => door,
                None => Door::open(common).await?.with_token(args.token_file.as_deref())?,
            };
            let tally = of_hub(&opened, days.unwrap_or(365), bench).await;
            door = Some(opened);
            (tally?, Vec::new())
        }
    };
    if let Some(door) = door {
        door.close().await?;
    }
    complain(&bad)?;
    let report = tally.report(&new, old.as_deref());
    let took = began.elapsed().as_secs_f64();
    if std::io::stderr().is_terminal() {
        // Nobody can be told when standard error is closed.
        drop(writeln!(std::io::stderr(), "{} cases in {took:.1} s", report.cases));
    }
    if args.measure {
        let folder = Path::new(&args.pack);
        if number(&args.pack).is_some() {
            return Err(Failure::new(Exit::Usage, "--measure is for folders"));
        }
        if let Some(text) = tally.measured() {
            let file = folder.join(MEASURED);
            std::fs::write(&file, text).map_err(Failure::of(Exit::Io, file.display()))?;
        }
    }
    Ok(report)
}

fn of_file(file: &Path, mut bench: Bench) -> Result<(Tally, Vec<BadLine>), Failure> {
    let wrong = || Failure::of(Exit::Io, file.display());
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file).map_err(wrong())?).lines();
    loop {
        let block: Vec<String> =
            lines.by_ref().take(BLOCK).collect::<Result<_, _>>().map_err(|error| {
                Failure::new(Exit::Data, format!("{}: {}", file.display(), super::unreadable(&error)))
            })?;
        if block.is_empty() {
            return Ok(bench.end());
        }
        bench.lines(block);
    }
}

async fn of_hub(door: &Door, days: u32, mut bench: Bench) -> Result<Tally, Failure> {
    super::history::pages(door, days, |cases| {
        let cases: Result<Vec<Case>, _> = cases.into_iter().map(serde_json::from_value).collect();
        bench.cases(cases.map_err(Failure::of(Exit::Software, "history"))?);
        Ok(())
    })
    .await?;
    Ok(bench.end().0)
}

/// Lines that are no cases are a fault of the file: a report without them would say something else than it seems to.
fn complain(bad: &[BadLine]) -> Result<(), Failure> {
    let Some(first) = bad.first() else { return Ok(()) };
    let text = format!("{} lines cannot be read; line {} {}", bad.len(), first.line, first.fault);
    Err(Failure::new(Exit::Data, text))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rate(rate: Option<&Rate>) -> String {
    rate.map_or_else(
        || "-".to_owned(),
        |rate| format!("{} ({} to {}) of {}", percent(rate.share), percent(rate.low), percent(rate.high), rate.cases),
    )
}

/// A line with a cell for what was tried and, where it was compared, for what was before.
fn row(report: &Report, name: &str, cell: fn(&Summary) -> String, out: &mut impl Write) -> std::io::Result<()> {
    let sides = std::iter::once(&report.tried).chain(report.before.as_ref());
    let cells: String = sides.map(|summary| format!("{:<36}", cell(summary))).collect();
    writeln!(out, "{}", format!("  {name:<22}{cells}").trim_end())
}

/// The cases by when they came, where something was learned: figures of the time that was learned from flatter.
fn parts(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    if report.parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nby when they came         cases  decided  items right")?;
    for part in &report.parts {
        let name = match part.when {
            None => "all",
            Some(When::Before) => "before what was learned",
            Some(When::During) => "in the time learned from",
            Some(When::After) => "after what was learned",
            Some(When::Undated) => "without a date",
        };
        for (summary, note) in
            std::iter::once((&part.tried, "")).chain(part.before.as_ref().map(|old| (old, "  (before)")))
        {
            let (cases, decided) = (part.cases, percent(summary.coverage));
            writeln!(out, "  {name:<24} {cases:>6} {decided:>8}  {}{note}", rate(summary.items.as_ref()))?;
        }
    }
    Ok(())
}

/// What the figures below speak of.
fn headline(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    let Some((from, until)) = &report.learned else { return Ok(()) };
    let later = report.parts.iter().find(|part| part.when == Some(When::After)).map_or(0, |part| part.cases);
    match report.of {
        Some(_) => writeln!(
            out,
            "phrases were learned from {from} to {until}: the figures are of the {later} cases that came later"
        ),
        None => writeln!(
            out,
            "phrases were learned from {from} to {until}, and no labelled case came later: the figures are of all cases, and flatter"
        ),
    }
}

/// The report as tables.
fn tell(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "rule set {}, {} cases", report.rule_set, report.cases)?;
    if report.excluded > 0 {
        writeln!(out, "{} more were left out, because a rule set was trained on them", report.excluded)?;
    }
    headline(report, out)?;
    if let Some(against) = &report.against {
        writeln!(out, "  {:<22}{:<36}{against} before", "", "tried")?;
    }
    row(report, "decided by itself", |summary| percent(summary.coverage), out)?;
    row(report, "items right", |summary| rate(summary.items.as_ref()), out)?;
    row(report, "departments right", |summary| rate(summary.departments.as_ref()), out)?;
    row(report, "best candidate right", |summary| rate(summary.best.as_ref()), out)?;
    row(report, "macro-F1", |summary| format!("{:.3}", summary.macro_f1), out)?;
    row(report, "send-backs repeated", |summary| format!("{} of {}", summary.repeated.0, summary.repeated.1), out)?;
    if report.unseen.is_some() {
        writeln!(out, "  {:<22}{}", "right where unseen", rate(report.unseen.as_ref()))?;
    }
    parts(report, out)?;
    if !report.tried.curve.is_empty() {
        writeln!(out, "\nthe most certain        right    from confidence")?;
        for point in &report.tried.curve {
            let coverage = percent(point.coverage);
            writeln!(out, "  {coverage:>9}         {:>9}    {:.3}", percent(point.accuracy), point.confidence)?;
        }
    }
    if report.periods.len() > 1 {
        writeln!(out, "\nmonth      items right")?;
        for period in &report.periods {
            writeln!(out, "  {}  {}", period.month, rate(Some(&period.items)))?;
        }
    }
    if !report.confusion.is_empty() {
        writeln!(out, "\nbelonged to -> sent to")?;
        for line in report.confusion.iter().take(SHOWN) {
            let pair = format!("{} -> {}", line.belonged, line.sent);
            writeln!(out, "  {:>7}  {pair:<56} {}", line.cases, line.examples.join(" "))?;
        }
    }
    if report.against.is_some() {
        writeln!(out, "\n{} tickets move", report.moved)?;
        for line in report.moves.iter().take(SHOWN) {
            let desk = |department: &Option<String>| department.clone().unwrap_or_else(|| "triage".to_owned());
            let pair = format!("{} -> {}", desk(&line.from), desk(&line.to));
            let gain = format!("+{} -{} right", line.gained, line.lost);
            writeln!(out, "  {:>7}  {pair:<56} {gain:<22} {}", line.cases, line.examples.join(" "))?;
        }
    }
    let mut rules: Vec<_> = report.rules.iter().filter(|rule| rule.told > 0).collect();
    if !rules.is_empty() {
        // What does most harm goes first.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.told - rule.right));
        writeln!(out, "\nrules by what they got wrong          hits     told    right")?;
        for rule in rules.iter().take(SHOWN) {
            let right = rule.precision.map_or_else(|| "-".to_owned(), percent);
            writeln!(out, "  {:<32} {:>7}  {:>7}  {right:>7}", rule.rule, rule.hits, rule.told)?;
        }
    }
    if !report.dead.is_empty() && report.cases > 0 {
        let shown = report.dead.get(..SHOWN).unwrap_or(&report.dead).join(", ");
        let more = report.dead.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more (--json has them all)") } else { String::new() };
        writeln!(out, "\n{} rules never fired: {shown}{more}", report.dead.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Words {
        #[command(flatten)]
        args: Args,
    }

    async fn told(words: &[&str]) -> Result<String, Failure> {
        let Words { args } = Words::try_parse_from([&["backtest"], words].concat()).expect("words");
        let mut out = Vec::new();
        run(&Common::default(), &args, &mut out).await?;
        Ok(String::from_utf8(out).expect("text"))
    }

    /// The demo city as a folder, with one rule more.
    fn pack(folder: &Path, rule: &str) -> String {
        for file in crate::config::rules::files(None).expect("the demo city") {
            let path = folder.join(&file.path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
            std::fs::write(path, file.text).expect("file");
        }
        std::fs::write(folder.join("rules/more.toml"), rule).expect("file");
        folder.display().to_string()
    }

    #[tokio::test]
    async fn a_pack_is_tried_on_a_file_beside_another_one() {
        let folder = tempfile::tempdir().expect("folder");
        let old = pack(&folder.path().join("old"), "");
        let new = pack(
            &folder.path().join("new"),
            "[[rule]]\nid = \"more.zeppelin\"\nreason = \"t\"\nweight = 3\nwhen = { any = [\"zeppelin\"] }\n\
             then = { item = \"roads.streetlight\" }\ntests = [{ text = \"a zeppelin\", item = \"roads.streetlight\" }]\n",
        );
        let history = folder.path().join("history.jsonl");
        let lines = [
            json!({"id": "A1", "text": "解放路的路灯不亮了", "label": "roads.streetlight", "department": "urban-management"}),
            json!({"id": "A2", "text": "a zeppelin in the way", "label": "roads.streetlight", "department": "urban-management"}),
        ];
        std::fs::write(&history, lines.map(|line| line.to_string()).join("\n")).expect("history");
        let (history, json) = (history.display().to_string(), folder.path().join("report.json"));
        let file = json.display().to_string();
        let words = ["--pack", &new, "--against", &old, "--history", &history, "--json", &file, "--measure"];
        let told = told(&words).await.expect("tried");
        for line in
            ["2 cases", "100.0 %", "1 tickets move", "triage -> urban-management", "+1 -0 right", "A2", "never fired"]
        {
            assert!(told.contains(line), "{line} is not in\n{told}");
        }
        let report: Report = serde_json::from_slice(&std::fs::read(json).expect("report")).expect("report");
        assert_eq!((report.cases, report.moved), (2, 1));
        let measured = std::fs::read_to_string(Path::new(&new).join(MEASURED)).expect("measured");
        assert!(measured.contains("id = \"more.zeppelin\"\nhits = 1\nright = 1"), "{measured}");
        super::super::pack(&Common::default(), Some(Path::new(&new))).expect("still a pack");
    }

    #[tokio::test]
    async fn what_to_try_it_on_is_asked_for() {
        for pack in ["2", "./rules"] {
            let failure = told(&["--pack", pack]).await.expect_err("neither");
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.text.contains("--days N") && failure.text.contains("--history FILE"), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_no_case_is_told_and_nothing_of_it() {
        let folder = tempfile::tempdir().expect("folder");
        let history = folder.path().join("history.jsonl");
        std::fs::write(&history, "{\"text\": \"a\"}\nsecret 13800138000\n").expect("history");
        let pack = pack(&folder.path().join("pack"), "");
        let failure = told(&["--pack", &pack, "--history", &history.display().to_string()]).await.expect_err("refused");
        assert_eq!(failure.exit, Exit::Data);
        assert!(failure.text.contains("line 2 is no JSON") && !failure.text.contains("138"), "{}", failure.text);
    }
}
