//! The integration tests: one binary with a file per journey, and the real servers that stand opposite the hub.

mod console;
mod contract;
mod documents;
mod faults;
mod hub;
#[path = "journeys/mod.rs"]
mod journeys_on_postgres;
#[expect(clippy::duplicate_mod, reason = "the same tests run on both databases")]
#[path = "journeys/mod.rs"]
mod journeys_on_sqlite;
mod peers;
