//! The staff console in a browser, on a real hub: the scripts of `tests/e2e/console`.

mod admin;
mod agents;
mod call;
mod desk;
mod frame;
mod health;

use serde_json::Value;

use crate::hub::Hub;
use crate::peers::browser;

/// Runs a script of `tests/e2e/console` with the demo's logins, asserts that axe, console and content security policy are
/// clean, and returns what it printed. `arguments` is an object of what the script's head asks for besides.
async fn journey(hub: &Hub, script: &str, mut arguments: Value) -> Value {
    arguments["staff"] = hub.credentials()["staff"].clone();
    let seen = browser::run(&format!("console/{script}"), &hub.url(""), &arguments).await;
    browser::assert_clean(&seen);
    seen
}
