//! Judging a long history on many cores.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use routing_rules::RuleSet;
use routing_rules::backtest::{Case, Tally};

/// Blocks that wait for a core.
const WAITING: usize = 16;

/// A part of the history.
#[derive(Debug)]
enum Block {
    /// Cases.
    Cases(Vec<Case>),
    /// Lines of JSON Lines, read by whoever judges them.
    Lines(Vec<String>),
}

/// A line that is no case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadLine {
    /// Counts from 1.
    pub line: u64,
    /// What is wrong with it; holds nothing of its text.
    pub fault: String,
}

type Blocks = Arc<Mutex<Receiver<(u64, Block)>>>;
type Judged = (Tally, Vec<BadLine>);

/// Threads that judge blocks of a history. Ends when [`Bench::end`] is called.
#[derive(Debug)]
pub struct Bench {
    blocks: SyncSender<(u64, Block)>,
    workers: Vec<JoinHandle<Judged>>,
    place: u64,
}

/// Which cases a rule set was trained on and must not be tried on.
pub type Trained = Arc<dyn Fn(&Case) -> bool + Send + Sync>;

impl Bench {
    /// Starts so many threads, by default one a core.
    #[must_use]
    pub fn start(threads: Option<usize>, new: &Arc<RuleSet>, old: Option<&Arc<RuleSet>>, trained: &Trained) -> Self {
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get)).max(1);
        let (blocks, waiting) = sync_channel(WAITING);
        let waiting: Blocks = Arc::new(Mutex::new(waiting));
        let workers = (0..threads)
            .map(|_| {
                let (waiting, new, old) = (Arc::clone(&waiting), Arc::clone(new), old.map(Arc::clone));
                let trained = Arc::clone(trained);
                std::thread::spawn(move || work(&waiting, &new, old.as_deref(), &trained))
            })
            .collect();
        Self { blocks, workers, place: 0 }
    }

    /// Judges cases; waits while all cores are busy.
    pub fn cases(&mut self, cases: Vec<Case>) {
        let count = cases.len() as u64;
        self.hand(Block::Cases(cases), count);
    }

    /// Judges lines of JSON Lines; waits while all cores are busy. Empty lines count, so that numbers are those of the file.
    pub fn lines(&mut self, lines: Vec<String>) {
        let count = lines.len() as u64;
        self.hand(Block::Lines(lines), count);
    }

    fn hand(&mut self, block: Block, count: u64) {
        // Threads end only after this sender is gone.
        let _ = self.blocks.send((self.place, block));
        self.place += count;
    }

    /// Waits for the last case. Returns what came of all of them and the lines that could not be read, in their order.
    #[must_use]
    pub fn end(self) -> (Tally, Vec<BadLine>) {
        drop(self.blocks);
        let (mut whole, mut bad) = (Tally::default(), Vec::new());
        for worker in self.workers {
            match worker.join() {
                Ok((part, faults)) => {
                    whole.merge(part);
                    bad.extend(faults);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        bad.sort();
        (whole, bad)
    }
}

fn work(waiting: &Blocks, new: &RuleSet, old: Option<&RuleSet>, trained: &Trained) -> Judged {
    let (mut tally, mut bad) = (Tally::default(), Vec::new());
    let mut judge = |place: u64, case: &Case| {
        if trained(case) { tally.exclude() } else { tally.judge(place, case, new, old) }
    };
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Err(_) => break,
            Ok((place, Block::Cases(cases))) => {
                for (place, case) in (place..).zip(&cases) {
                    judge(place, case);
                }
            }
            Ok((place, Block::Lines(lines))) => {
                for (place, line) in (place..).zip(&lines).filter(|(_, line)| !line.trim().is_empty()) {
                    match serde_json::from_str::<Case>(line) {
                        Ok(case) => judge(place, &case),
                        Err(error) => bad.push(BadLine { line: place + 1, fault: fault(&error) }),
                    }
                }
            }
        }
    }
    (tally, bad)
}

/// What is wrong with a line, without the values in it.
fn fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "is no case: see the keys of `yingda rules backtest --help`",
        _ => "is no JSON",
    };
    format!("{what} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_find_what_one_finds() {
        let rules = Arc::new(crate::config::rules::compile(None).expect("the demo city"));
        let texts = ["解放路的路灯不亮了", "小区停水三天了", "你好", "the street light is broken"];
        let lines: Vec<String> = (0..200)
            .map(|at| match at % 50 {
                49 => "{".to_owned(),
                48 => "{\"text\": 3}".to_owned(),
                47 => String::new(),
                _ => serde_json::json!({
                    "id": at, "text": texts.get(at % 4), "label": "roads.streetlight", "department": "urban-management",
                    "date": "2026-11-22", "channel": "sms",
                })
                .to_string(),
            })
            .collect();
        let trained: Trained = Arc::new(|case| case.id == "0");
        let report = |threads| {
            let mut bench = Bench::start(Some(threads), &rules, Some(&rules), &trained);
            for block in lines.chunks(7) {
                bench.lines(block.to_vec());
            }
            let (tally, bad) = bench.end();
            (tally.report(&rules, Some(&rules)), bad)
        };
        let (one, bad) = report(1);
        assert_eq!((one.cases, one.excluded, one.moved), (187, 1, 0));
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [49, 50, 99, 100, 149, 150, 199, 200]);
        assert!(bad[0].fault.contains("no case") && bad[1].fault.contains("no JSON"), "{bad:?}");
        let (many, bad_many) = report(3);
        assert_eq!((many, bad_many), (one, bad));
    }
}
