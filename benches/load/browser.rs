//! The queue in a browser: how soon its first rows stand on the screen.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::process::Hub;
use crate::table::percentile;

/// How often the page is opened.
const ROUNDS: usize = 15;

/// Median and slowest time to the first rows, milliseconds; `None` where the browser's driver is not installed.
pub(crate) async fn measure(hub: &Hub, data: &Path) -> anyhow::Result<Option<(f64, f64)>> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e");
    if !scripts.join("node_modules").is_dir() {
        return Ok(None);
    }
    let credentials: Value = serde_json::from_slice(&std::fs::read(data.join("demo-credentials.json"))?)?;
    let arguments = json!({ "staff": credentials["staff"], "rounds": ROUNDS });
    let output = tokio::process::Command::new("node")
        .arg(scripts.join("console/speed.mjs"))
        .env("BASE_URL", format!("http://{}", hub.address))
        .env("ARGUMENTS", arguments.to_string())
        .output()
        .await
        .context("node")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(last.lines().last().unwrap_or_default())?;
    let mut millis: Vec<f64> =
        seen["millis"].as_array().context("no times")?.iter().filter_map(Value::as_f64).collect();
    millis.sort_by(f64::total_cmp);
    Ok(Some((percentile(&millis, 0.50), percentile(&millis, 1.0))))
}
