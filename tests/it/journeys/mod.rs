//! The journeys of citizens: in by a channel, routed, answered, received. `main.rs` includes them twice, once for each
//! database.

use crate::hub::{Database, Plan};

/// A demo city on the database that this module stands for.
async fn plan() -> Plan {
    let database = if module_path!().ends_with("postgres") { Database::Postgres } else { Database::Sqlite };
    Plan::new().on(database).await
}

mod backup;
mod cross;
mod email;
mod kannel;
mod phone;
mod rules;
mod sms;
mod telegram;
mod twilio;
mod web;
mod websocket;
