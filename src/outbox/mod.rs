//! The outbox: the only place from which anything is sent.
//!
//! Deliveries are written by the transactions that cause them. The worker claims those that are due under a lease and commits
//! an attempt before each call; the call itself runs outside any transaction; its outcome is the next commit.

mod backoff;
mod fallback;
pub mod report;
mod webhook;
mod worker;

pub use worker::{run, run_once};
