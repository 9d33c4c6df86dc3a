//! The outbox: the only place from which anything is sent.
//!
//! Deliveries are written by the transactions that cause them. The worker claims those that are due under a lease and commits
//! an attempt before each call; the call itself runs outside any transaction; its outcome is the next commit. `places` says how
//! many calls may be under way at once, and how many of them an account may hold.

mod backoff;
mod fallback;
mod places;
pub mod report;
mod webhook;
mod worker;

pub use worker::run;
