//! Explainable rules that classify and route appeals.
//!
//! A pack is a folder of TOML files (its grammar: `README.md` of this crate). [`RuleSet::compile`] checks it whole and
//! tells every problem at once; [`RuleSet::decide`] judges an appeal and says why; [`RuleSet::run_tests`] runs the
//! tests that the rules bring along. The crate is pure: it reads no file, clock or environment, and the same facts
//! with the same files and engine version give an equal [`Decision`].
//!
//! Map: `source` reads TOML with its lines, `pack`, `rule`, `when`, `then` and `words` hold its grammar, `fold` makes
//! texts comparable, `phrase`, `automaton`, `expression` and `finds` find, `condition` and `near` weigh truth, `ruleset` compiles,
//! `soundness` and `sample` tell rules that can never fire, change nothing or are too broad, `course` runs the phases,
//! `judge` decides, `golden` tests, `measured` says how often a rule was right, `backtest` proves on the past, `learn`
//! makes phrases of a labelled history and `learned` scores by them, `voice` settles between rules and these.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod automaton;
pub mod backtest;
mod calendar;
mod condition;
mod course;
mod decision;
mod expression;
mod facts;
mod finds;
mod fold;
mod golden;
mod judge;
pub mod learn;
mod learned;
mod measured;
mod model;
mod near;
mod pack;
mod phrase;
mod rule;
mod ruleset;
mod sample;
#[cfg(test)]
mod schemas {
    mod tests;
}
mod soundness;
mod source;
mod then;
mod voice;
mod when;
mod why_not;
mod words;

pub use calendar::LocalTime;
pub use decision::*;
pub use facts::{Facts, Inputs, Sender};
pub use finds::Reading;
pub use golden::{TestFailure, TestReport};
pub use learned::{Learned, LearnedPhrase, LearnedTrace, PhraseField, fingerprint};
pub use measured::Measured;
pub use model::*;
pub use rule::RuleInfo;
pub use ruleset::{PackFile, RuleSet};
pub use sample::SampleReport;
pub use source::{Problem, SourceFile};
pub use voice::{LearnedContrast, LearnedShort};
pub use why_not::{ItemShort, Missing, SilentRule, WhyNot};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
