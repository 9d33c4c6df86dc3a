//! The integration tests: one binary with a file per journey, and the real servers that stand opposite the hub.

mod console;
mod contract;
mod documents;
mod faults;
mod hub;
mod journeys;
mod peers;
