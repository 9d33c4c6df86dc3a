//! `yingda check`: every problem at once, changing nothing.

use std::io::Write;
use std::path::Path;

use channel_contract::Medium;
use routing_rules::RuleSet;

use super::{Common, Exit, Failure};
use crate::channels::{Registry, http_client};
use crate::config::{Config, rules};
use crate::store::inspect;
use crate::store::rule_sets::RuleSetRow;
use crate::templates::Templates;

/// `yingda check`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Settings, channel accounts, templates, rules and database are all looked at, even when one of them is wrong. Each line
names file and line, variable or key, and what to do; a warning keeps no hub from starting. Exit code 0: the hub would start; 78: settings, 1: anything else.

Examples:
  yingda check --config /etc/yingda/yingda.toml
  yingda check --data ./data")]
pub struct Args {}

/// Tells every problem of settings, accounts, templates, rules and database.
///
/// # Errors
/// When anything is wrong.
pub async fn run(common: &Common, _: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let (layers, demo) = common.layers_with(&common.layers().data_folder())?;
    let mut lines = Vec::new();
    let mut exit = Exit::Found;
    let pack = layers.peek(&["rules", "path"]).filter(|path| !path.is_empty());
    let templates = layers.peek(&["templates", "path"]).filter(|path| !path.is_empty());
    let accounts = layers.accounts();
    let data = layers.data_folder();
    // As far as it can be told while other settings are wrong.
    let unread = match layers.peek(&["database", "url"]).filter(|url| !url.is_empty()) {
        Some(url) => url,
        None => format!("sqlite:{}", layers.data_folder().join("yingda.db").display()),
    };
    let config = Config::read(layers, demo).map_err(|problems| {
        exit = Exit::Config;
        lines.push(problems.to_string());
    });
    let client = http_client().map_err(Failure::of(Exit::Software, "HTTP client"))?;
    match Registry::build(&accounts, &client) {
        Ok(_) => writeln!(out, "channels: {} accounts", accounts.len())?,
        Err(problems) => {
            exit = Exit::Config;
            lines.push(problems.to_string());
        }
    }
    let rules = rules::compile(pack.as_deref().map(Path::new)).map_err(|problems| lines.push(problems.to_string()));
    if let Ok(rules) = &rules {
        writeln!(out, "rules: {} {}, {} rules", rules.id(), rules.version(), rules.rules().count())?;
    }
    if let Err(problems) = Templates::load(templates.as_deref().map(Path::new)) {
        lines.extend(problems.into_iter().map(|problem| format!("templates: {problem}")));
    }
    if let Ok(config) = &config {
        lines.extend(references(config, rules.as_ref().ok()));
    }
    let url = config.as_ref().map_or(unread, |config| config.database.url());
    if let (Ok(config), Ok(rules)) = (&config, &rules)
        && let Some(published) = published(&url, &config.city.id).await
        && published.version != rules.version()
        && published.imported != rules.version()
    {
        // No problem: it is what a folder looks like between its edit and its publication.
        let remedy = "`yingda rules import` drafts it; only `yingda rules publish` changes what decides";
        writeln!(out, "rules: the pack differs from rule set {}, which decides; {remedy}", published.number)?;
    }
    for finding in inspect::look(&url, inspect::Depth::Quick).await {
        if finding.ok {
            writeln!(out, "{}: {}", finding.check, finding.detail)?;
        } else {
            lines.push(format!("{}: {}", finding.check, finding.detail));
        }
    }
    let objects = config.as_ref().map_or_else(|()| data.join("objects"), |config| config.storage.objects.clone());
    for line in super::doctor::exposed(&data, &objects, &url) {
        // It keeps no hub from starting, which the systemd unit asks of this command.
        writeln!(out, "warning: {line}")?;
    }
    if lines.is_empty() {
        writeln!(out, "no problems")?;
        return Ok(());
    }
    Err(Failure::new(exit, format!("problems:\n{}", lines.join("\n"))))
}

/// The rule set that decides, as far as the database can be read; what is wrong with it is told elsewhere.
async fn published(url: &str, city: &str) -> Option<RuleSetRow> {
    let missing = url.strip_prefix("sqlite:").is_some_and(|path| !Path::new(path).exists());
    if missing {
        return None;
    }
    crate::store::rule_sets::published(&mut inspect::open(url).await.ok()?, city).await.ok()?
}

/// What one part of the settings says of another that is not there.
fn references(config: &Config, rules: Option<&RuleSet>) -> Vec<String> {
    let mut lines = Vec::new();
    for id in config.departments.keys().filter(|id| rules.is_some_and(|rules| rules.department(id).is_none())) {
        lines.push(format!("departments.{id}: is no department of the rule pack. Correct the id or remove it"));
    }
    if let Some(account) = &config.operator.account
        && config.channels.get(account).is_none_or(|account| account.medium != Medium::Email)
    {
        let remedy = "Write the id of one below [channels.email]";
        lines.push(format!("operator.account: {account} is no email account. {remedy}"));
    }
    for account in config.operator.silent_minutes.keys().filter(|account| !config.channels.contains_key(*account)) {
        lines.push(format!("operator.silent_minutes.{account}: is no channel account. Correct the id or remove it"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settings_accounts_rules_and_database_are_told_together() {
        let folder = tempfile::tempdir().expect("folder");
        let pack = folder.path().join("pack");
        std::fs::create_dir(&pack).expect("pack");
        std::fs::write(pack.join("pack.toml"), "nonsense = 1\n").expect("pack");
        let database = folder.path().join("broken.db");
        std::fs::write(&database, "no database, but long enough to be taken for one. ".repeat(100)).expect("database");
        let file = folder.path().join("yingda.toml");
        let text = format!(
            "[server]\ntrusted_proxies = []\n[staff]\nidle = 3\n[rules]\npath = {:?}\n[database]\nurl = {:?}\n\
             [channels.sms.one]\nprovider = \"carrier pigeon\"\n[channels.sms.two]\ncolour = \"red\"\n",
            pack.display(),
            format!("sqlite:{}", database.display()),
        );
        std::fs::write(&file, text).expect("settings");
        let common = Common { config: Some(file.clone()), data: Some(folder.path().join("data")), log: None };
        let failure = run(&common, &Args {}, &mut Vec::new()).await.expect_err("problems");
        assert_eq!(failure.exit, Exit::Config);
        for told in [
            "not set: server.public_url: is required".to_owned(),
            format!("{}:4: staff.idle: is unknown", file.display()),
            format!("{}:10: channels.sms.one.provider: ", file.display()),
            format!("{}:12: channels.sms.two.colour: ", file.display()),
            format!("{}:1: ", pack.join("pack.toml").display()),
            "\nschema: database: file is not a database".to_owned(),
        ] {
            assert!(failure.text.contains(&told), "{told:?} is not in {}", failure.text);
        }
        assert!(!folder.path().join("data").exists(), "nothing is made");
    }
}
