//! Yingda, an omnichannel government hotline hub. ARCHITECTURE.md is the map; this is its module list.

pub mod channels;
pub mod cli;
pub mod config;
mod connections;
pub mod demo;
pub mod dispatch;
pub mod domain;
pub mod feed;
pub mod http;
pub mod hub;
pub mod index;
pub mod intake;
pub mod locale;
pub mod logging;
pub mod objects;
pub mod outbox;
pub mod private;
pub mod projection;
pub mod pulse;
pub mod reply_templates;
pub mod rule_sets;
pub mod secret;
pub mod serve;
pub mod staff;
pub mod store;
pub mod telemetry;
pub mod templates;
pub mod watch;

#[cfg(test)]
mod walls;
