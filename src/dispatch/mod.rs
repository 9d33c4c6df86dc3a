//! Judges appeals and gives tickets to departments.

pub mod actions;
pub mod answer;
mod hold;
mod judge;
mod route;

pub use answer::{AnswerAddress, answer_delivery, answer_elsewhere};
pub use hold::{deadline_hours, judge_again, merge_into, raise, release, release_due};
pub use judge::{Circumstances, Judgement, StoredFacts, Written, decide, judge};
pub use route::{Route, notify, route};
