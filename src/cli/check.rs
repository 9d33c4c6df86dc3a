//! `yingda check`: every problem at once, changing nothing.

use std::io::Write;
use std::path::Path;

use channel_contract::Medium;
use routing_rules::RuleSet;

use super::{Common, Exit, Failure};
use crate::channels::{Registry, http_client};
use crate::config::{Account, Config, rules};
use crate::intake::tells;
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
    let doubts = doubts(&accounts, config.as_ref().ok());
    // They keep no hub from starting, which the systemd unit asks of this command.
    for line in doubts.into_iter().chain(super::doctor::exposed(&data, &objects, &url)) {
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

/// What may be meant so, but hardly is.
fn doubts(accounts: &[Account], config: Option<&Config>) -> Vec<String> {
    const SECRETS: [&str; 4] = ["secret", "token", "auth_token", "webhook_secret"];
    const CHARACTERS: usize = 16;
    let mut lines = Vec::new();
    for account in accounts {
        for key in SECRETS {
            let count = account.text(key).map_or(0, |secret| secret.trim().chars().count());
            if (1..CHARACTERS).contains(&count) {
                let remedy = format!("Use at least {CHARACTERS} random ones where the far end allows it");
                lines.push(format!("{} has {count} characters and may be guessed. {remedy}", account.path(key)));
            }
        }
        if let (Some(language), Some(config)) = (&account.language, config)
            && !config.city.languages.contains(language)
        {
            lines.push(format!("{}: {language} is not in city.languages", account.path("language")));
        }
    }
    for language in config.iter().flat_map(|config| &config.city.languages).filter(|language| !tells(language)) {
        lines.push(format!("city.languages: no text is ever found to be in {language}. Correct or remove it"));
    }
    lines
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

    /// What `check` says of these settings: on standard output, and why it fails.
    async fn checked(folder: &Path, settings: &str) -> (String, Option<Failure>) {
        let file = folder.join("checked.toml");
        let text = format!(
            "[server]\npublic_url = \"https://12345.example.org\"\ntrusted_proxies = []\n[database]\nurl = \"sqlite:{}\"\n{settings}",
            folder.join("yingda.db").display()
        );
        std::fs::write(&file, text).expect("settings");
        let common = Common { config: Some(file), data: Some(folder.join("data")), log: None };
        let mut out = Vec::new();
        let failure = run(&common, &Args {}, &mut out).await.err();
        (String::from_utf8(out).expect("text"), failure)
    }

    #[tokio::test]
    async fn no_problem_of_an_account_hides_another() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("empty"), "\n").expect("written");
        let settings = r#"
[city]
languages = ["zh-Hans", "english!", "xx-notalang"]
[channels.email.m]
address = "nomail"
imap_url = "http://x"
nokey = 1
smtp_url = "smtp://"
[channels.email.twice]
address = "a@example.org"
[channels.telegram.twice]
mode = "pigeon"
token = "nonsense"
max_file_bytes = 0
[channels.webform.form]
language = "klingon"
[channels.sms.k]
provider = "kannel"
secret_file = "empty"
"#;
        let (_, failure) = checked(folder.path(), settings).await;
        let failure = failure.expect("problems");
        for told in [
            "channels.email.m.nokey: is unknown. Known here: address, ",
            "channels.email.m.address: ",
            "channels.email.m.imap_url: ",
            "channels.email.m.smtp_url: ",
            "channels.telegram.twice: is also an account of email",
            "channels.telegram.twice.mode: ",
            "channels.telegram.twice.token: is no bot token",
            "channels.telegram.twice.max_file_bytes: ",
            "city.languages: \"english!\" is no language",
            "channels.webform.form.language: \"klingon\" is no language",
            "empty is empty. Write the value into it",
        ] {
            assert!(failure.text.contains(told), "{told:?} is not in {}", failure.text);
        }
    }

    #[tokio::test]
    async fn what_is_hardly_meant_is_a_warning() {
        let folder = tempfile::tempdir().expect("folder");
        let settings = r#"
[city]
languages = ["zh-Hans", "xx-notalang"]
[channels.sms.k]
provider = "kannel"
secret = "x"
language = "fr"
[channels.sms.t]
provider = "twilio"
auth_token = "x"
"#;
        let (out, failure) = checked(folder.path(), settings).await;
        assert!(failure.is_none(), "{failure:?}");
        for told in [
            "warning: channels.sms.k.secret has 1 characters and may be guessed",
            "warning: channels.sms.t.auth_token has 1 characters",
            "warning: channels.sms.k.language: fr is not in city.languages",
            "warning: city.languages: no text is ever found to be in xx-notalang",
            "no problems",
        ] {
            assert!(out.contains(told), "{told:?} is not in {out}");
        }
    }

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
            "\nschema: the database is damaged: file is not a database. Stop the hub".to_owned(),
        ] {
            assert!(failure.text.contains(&told), "{told:?} is not in {}", failure.text);
        }
        assert!(!folder.path().join("data").exists(), "nothing is made");
    }
}
