//! What matching costs: routing-rules against zen-engine (compiled), and against a bare Aho-Corasick scan.
//!
//! One thread. The contestants take turns in every round, and each figure is the median over the rounds, so that a busy
//! machine slows them alike. Both judge the same folded texts; folding is timed apart. The sums over all pairs of text
//! and rule that match must be equal, or the program fails. `--rounds N` sets the rounds, `--alone` leaves the opponent out.

mod generated;
mod opponent;

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use aho_corasick::AhoCorasick;
use generated::Task;
use routing_rules::{Facts, Reading, RuleSet};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Microseconds of one call.
fn micros(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6 / count.max(1) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A sum that tells any difference in which rule matched which text.
fn mark(text: usize, rule: usize) -> u64 {
    ((text as u64) << 32 | rule as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xD134_2543_DE82_EF95)
}

fn number(id: &str) -> usize {
    id.trim_start_matches("rule-").parse().unwrap_or(usize::MAX)
}

fn main() -> Outcome {
    let mut out = std::io::stdout().lock();
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(7);
    let alone = arguments.iter().any(|argument| argument == "--alone");
    for count in [1_000, 10_000] {
        measure(count, rounds, alone, &mut out)?;
    }
    Ok(())
}

fn measure(count: usize, rounds: usize, alone: bool, out: &mut impl Write) -> Outcome {
    let task = Task::new(count);
    let files = task.pack();
    let mut compile = Vec::new();
    let mut rules = None;
    for _ in 0..5 {
        let start = Instant::now();
        let compiled = RuleSet::compile(&files).map_err(|problems| problems.iter().take(5).map(ToString::to_string).collect::<String>())?;
        compile.push(start.elapsed().as_secs_f64() * 1e3);
        rules = Some(compiled);
    }
    let rules = rules.ok_or("not compiled")?;
    let texts = task.texts(&rules);
    let facts: Vec<Facts<'_>> = texts.iter().map(generated::Text::facts).collect();
    let readings: Vec<Reading<'_>> = facts.iter().map(Reading::new).collect();
    let folded: Vec<&str> = readings.iter().filter_map(|reading| reading.texts().next()).collect();
    let automaton = AhoCorasick::new(task.phrases())?;
    let matches: Vec<usize> =
        facts.iter().zip(&readings).map(|(facts, reading)| rules.firing(facts, reading).len()).collect();
    let total: usize = matches.iter().sum();
    writeln!(
        out,
        "{count} rules, {} texts of 60-400 characters, {:.1} rules match a text ({} to {})",
        texts.len(),
        total as f64 / texts.len() as f64,
        matches.iter().min().copied().unwrap_or_default(),
        matches.iter().max().copied().unwrap_or_default(),
    )?;
    // The opponent is slow enough that a part of the texts gives a steady figure.
    let few = if count > 1_000 { 40 } else { 300 };
    let opponent = if alone { None } else { Some(opponent::Opponent::new(&task)?) };
    if let Some(opponent) = &opponent {
        let mut sums = (0_u64, 0_u64);
        for (at, ((text, folded), (facts, reading))) in
            texts.iter().zip(&folded).zip(facts.iter().zip(&readings)).take(few).enumerate()
        {
            for rule in rules.firing(facts, reading) {
                sums.0 = sums.0.wrapping_add(mark(at, number(&rule.id)));
            }
            for rule in opponent.matches(text, folded)? {
                sums.1 = sums.1.wrapping_add(mark(at, rule));
            }
        }
        if sums.0 != sums.1 {
            return Err(format!("the checksums differ: {:x} and {:x}", sums.0, sums.1).into());
        }
        writeln!(out, "  match checksum of {few} texts, both engines: {:016x}", sums.0)?;
    }
    let (mut fold, mut scan, mut ours, mut decide, mut theirs) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut to_scan, mut to_theirs) = (vec![], vec![]);
    for _ in 0..rounds {
        let scanned = micros(texts.len(), || {
            for text in &folded {
                black_box(automaton.find_overlapping_iter(black_box(*text)).count());
            }
        });
        let matched = micros(texts.len(), || {
            for (facts, reading) in facts.iter().zip(&readings) {
                black_box(rules.firing(black_box(facts), black_box(reading)));
            }
        });
        fold.push(micros(texts.len(), || {
            for facts in &facts {
                black_box(Reading::new(black_box(facts)));
            }
        }));
        decide.push(micros(texts.len(), || {
            for facts in &facts {
                black_box(rules.decide(black_box(facts)));
            }
        }));
        if let Some(opponent) = &opponent {
            let mut failed = None;
            let took = micros(few, || {
                for (text, folded) in texts.iter().zip(&folded).take(few) {
                    match opponent.matches(black_box(text), black_box(folded)) {
                        Ok(matched) => drop(black_box(matched)),
                        Err(error) => failed = Some(error),
                    }
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            to_theirs.push(took / matched);
            theirs.push(took);
        }
        to_scan.push(matched / scanned);
        scan.push(scanned);
        ours.push(matched);
    }
    let fastest = compile.iter().copied().fold(f64::INFINITY, f64::min);
    writeln!(out, "  compile {:.0} ms (fastest of {} {fastest:.0} ms)", median(compile.clone()), compile.len())?;
    writeln!(out, "  fold {:.2} µs, bare Aho-Corasick scan {:.2} µs, match {:.2} µs, whole decision with folding and trace {:.2} µs a text",
        median(fold), median(scan), median(ours), median(decide))?;
    writeln!(out, "  match / scan: {:.2}", median(to_scan))?;
    if opponent.is_some() {
        writeln!(out, "  zen-engine {:.0} µs a text: {:.0} times as much as match", median(theirs), median(to_theirs))?;
    }
    Ok(())
}
