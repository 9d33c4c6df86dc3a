//! `yingda check`: every problem at once, changing nothing.

use std::io::Write;

use super::{Common, Exit, Failure};
use crate::channels::{Registry, http_client};
use crate::config::{Config, rules};
use crate::store::inspect;
use crate::templates::Templates;

/// `yingda check`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Settings, channel accounts, templates, rules and database are all looked at, even when one of them is wrong. Each line
names file and line, variable or key, and what to do. Exit code 0: the hub would start; 78: settings, 1: anything else.

Examples:
  yingda check --config /etc/yingda/yingda.toml
  yingda check --data ./data")]
pub struct Args {}

/// Tells every problem of settings, accounts, templates, rules and database.
///
/// # Errors
/// When anything is wrong.
pub async fn run(common: &Common, _: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut exit = Exit::Found;
    let layers = common.layers();
    let pack = layers.peek(&["rules", "path"]).filter(|path| !path.is_empty());
    let config = match common.settings() {
        Ok(config) => Some(config),
        Err(failure) => {
            exit = failure.exit;
            lines.push(failure.text);
            None
        }
    };
    let compiled = rules::compile(pack.as_deref().map(std::path::Path::new));
    match &compiled {
        Ok(rules) => writeln!(out, "rules: {} {}, {} rules", rules.id(), rules.version(), rules.rules().count())?,
        Err(problems) => lines.push(problems.to_string()),
    }
    if let Some(config) = &config {
        writeln!(out, "settings: {} channel accounts", config.channels.len())?;
        lines.extend(of_config(config, compiled.as_ref().ok(), out).await?);
    }
    if lines.is_empty() {
        writeln!(out, "no problems")?;
        return Ok(());
    }
    Err(Failure::new(exit, format!("problems:\n{}", lines.join("\n"))))
}

async fn of_config(
    config: &Config,
    rules: Option<&routing_rules::RuleSet>,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let client = http_client().map_err(Failure::of(Exit::Software, "HTTP client"))?;
    if let Err(problems) = Registry::build(config, &client) {
        lines.push(problems.to_string());
    }
    if let Err(problems) = Templates::load(config.templates.as_deref()) {
        lines.extend(problems.into_iter().map(|problem| format!("templates: {problem}")));
    }
    for id in config.departments.keys().filter(|id| rules.is_some_and(|rules| rules.department(id).is_none())) {
        lines.push(format!("departments.{id}: is no department of the rule pack. Correct the id or remove it"));
    }
    if let Some(account) = &config.operator.account
        && config.channels.get(account).is_none_or(|account| account.medium != channel_contract::Medium::Email)
    {
        lines.push(format!(
            "operator.account: {account} is no email account. Write the id of one below [channels.email]"
        ));
    }
    for account in config.operator.silent_minutes.keys().filter(|account| !config.channels.contains_key(*account)) {
        lines.push(format!("operator.silent_minutes.{account}: is no channel account. Correct the id or remove it"));
    }
    for finding in inspect::look(&config.database.url(), inspect::Depth::Quick).await {
        if finding.ok {
            writeln!(out, "{}: {}", finding.check, finding.detail)?;
        } else {
            lines.push(format!("{}: {}", finding.check, finding.detail));
        }
    }
    Ok(lines)
}
