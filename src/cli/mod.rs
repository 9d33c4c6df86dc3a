//! The command line: one file per subcommand. Exit codes are those of `sysexits.h`, see [`Exit`].

pub mod backup;
pub mod check;
pub mod doctor;
mod door;
mod failure;
pub mod lock;
pub mod mail_in;
pub mod migrate;
pub mod openapi;
pub mod quarantine;
mod remote;
pub mod restore;
pub mod rules;
pub mod serve;
pub mod token;
pub mod user;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::{Exit, Failure};

use crate::config::{Config, Layers, LogFormat, Origin, environment};

/// Yingda, a hotline hub: messages come in by SMS, mail, Telegram, app and form, rules route them, answers go back.
#[derive(Debug, Parser)]
#[command(
    name = "yingda",
    version,
    after_help = "\
Settings come from built-in defaults, then --config FILE, then YINGDA__SECTION__KEY, then flags; \
`yingda check` tells every problem at once.

Exit codes (sysexits.h): 0 well, 1 something was found wrong, 64 usage, 65 bad input, 69 unavailable,
70 a fault of the program, 74 disk, 75 try again, 78 settings, or a database that this program cannot use.

Examples:
  yingda serve --demo --data ./data
  yingda check --config /etc/yingda/yingda.toml
  yingda serve --config /etc/yingda/yingda.toml"
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Common {
    /// The settings file (TOML)
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The data folder, instead of storage.data
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// How log lines look, instead of log.format: auto, human or json
    #[arg(long, value_name = "FORMAT", global = true, value_parser = ["auto", "human", "json"])]
    pub log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub
    Serve(serve::Args),
    /// Bring the database's schema up to date and end
    Migrate(migrate::Args),
    /// Tell every problem of settings, rules and database, changing nothing
    Check(check::Args),
    /// Try what the hub depends on: accounts, clock, disk, database
    Doctor(doctor::Args),
    /// Manage staff logins
    User(user::Args),
    /// Manage API tokens
    Token(token::Args),
    /// Take one raw mail from standard input, for a mail server's pipe
    MailIn(mail_in::Args),
    /// Look through messages that were kept aside, and decide on them
    Quarantine(quarantine::Args),
    /// Write a consistent copy of database and files, also while the hub runs
    Backup(backup::Args),
    /// Fill an empty data folder from a backup
    Restore(restore::Args),
    /// Write the description of the staff API (OpenAPI)
    Openapi(openapi::Args),
    /// Check, test, prove and publish rule packs
    Rules(rules::Args),
}

impl Common {
    /// The merged layers, without the demo's.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let mut layers = Layers::defaults();
        self.upon(&mut layers);
        layers
    }

    /// Lays file, environment and flags upon what is there.
    pub(crate) fn upon(&self, layers: &mut Layers) {
        if let Some(file) = &self.config {
            layers.file(file);
        }
        layers.env(&environment());
        if let Some(data) = &self.data {
            let data = toml::Value::String(data.to_string_lossy().into_owned());
            layers.set(&["storage", "data"], data, Origin::Flag("--data"));
        }
        if let Some(format) = &self.log {
            layers.set(&["log", "format"], toml::Value::String(format.clone()), Origin::Flag("--log"));
        }
    }

    /// The settings for a command other than `serve`. A data folder of the demo city is read as such.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn settings(&self) -> Result<Config, Failure> {
        self.settings_with(&self.layers().data_folder())
    }

    /// As [`Self::settings`], with the demo's credentials looked for in another folder.
    pub(crate) fn settings_with(&self, folder: &Path) -> Result<Config, Failure> {
        let (layers, demo) = self.layers_with(folder)?;
        Ok(Config::read(layers, demo)?)
    }

    /// The merged layers, with the demo's when its credentials are in this folder; and whether they are.
    pub(crate) fn layers_with(&self, folder: &Path) -> Result<(Layers, bool), Failure> {
        let demo = crate::demo::there(folder)?;
        let mut layers = Layers::defaults();
        if demo {
            layers.table(&crate::demo::Credentials::load_or_create(folder, &[])?.layer(), &Origin::Demo);
        }
        self.upon(&mut layers);
        Ok((layers, demo))
    }
}

/// Runs the program with these arguments, the first being its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ended(arguments.into_iter().collect()).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn ended(arguments: Vec<OsString>) -> Result<(), Exit> {
    // The word anywhere: a flag that this version does not know may stand before it, and must not bounce mail.
    if arguments.iter().any(|word| word == "mail-in") {
        mail_in::deferring(|| started(arguments))
    } else {
        started(arguments)
    }
}

fn started(arguments: Vec<OsString>) -> Result<(), Exit> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            // A closed pipe is no reason to complain.
            drop(error.print());
            return if asked { Ok(()) } else { Err(Exit::Usage) };
        }
    };
    crate::channels::install_tls();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Err(told(&Failure::new(Exit::Software, format!("cannot start the runtime: {error}")))),
    };
    runtime.block_on(command(cli)).map_err(|failure| told(&failure))
}

fn told(failure: &Failure) -> Exit {
    // Nobody can be told when standard error is closed.
    drop(writeln!(std::io::stderr(), "yingda: {failure}"));
    failure.exit
}

async fn command(cli: Cli) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    let mut out = std::io::stdout();
    if !matches!(command, Command::Serve(_)) {
        let filter = "warn".to_owned();
        let format = if common.log.as_deref() == Some("json") { LogFormat::Json } else { LogFormat::Human };
        crate::logging::start(&crate::config::Log { format, filter });
    }
    match command {
        Command::Serve(args) => serve::run(&common, &args, &mut out).await,
        Command::Migrate(args) => migrate::run(&common, &args, &mut out).await,
        Command::Check(args) => check::run(&common, &args, &mut out).await,
        Command::Doctor(args) => doctor::run(&common, &args, &mut out).await,
        Command::User(args) => user::run(&common, args, &mut out).await,
        Command::Token(args) => token::run(&common, args, &mut out).await,
        Command::MailIn(args) => mail_in::run(&common, &args, &mut std::io::stdin(), &mut out).await,
        Command::Quarantine(args) => quarantine::run(&common, args, &mut out).await,
        Command::Backup(args) => backup::run(&common, &args, &mut out).await,
        Command::Restore(args) => restore::run(&common, &args, &mut out).await,
        Command::Openapi(args) => openapi::run(&args, &mut out),
        Command::Rules(args) => rules::run(&common, args, &mut out).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_fault_on_our_side_never_bounces_mail() {
        let folder = tempfile::tempdir().expect("folder");
        let ended =
            |words: &[&str]| ended(std::iter::once("yingda").chain(words.iter().copied()).map(Into::into).collect());
        let none = folder.path().join("none.toml");
        let none = none.to_str().expect("text");
        assert_eq!(ended(&["mail-in", "--config", none, "--account", "box"]), Err(Exit::TempFail), "settings");
        assert_eq!(ended(&["check", "--config", none]), Err(Exit::Config));
        let data = folder.path().join("data");
        std::fs::write(&data, "no folder").expect("written");
        let data = data.to_str().expect("text");
        assert_eq!(ended(&["mail-in", "--data", data, "--account", "box"]), Err(Exit::TempFail), "data folder");
        for words in [&["mail-in", "--of-tomorrow"][..], &["--of-tomorrow", "mail-in"], &["mail-in"]] {
            assert_eq!(ended(words), Err(Exit::TempFail), "{words:?}");
        }
        assert_eq!(ended(&["serve", "--of-tomorrow"]), Err(Exit::Usage));
        assert_eq!(ended(&["mail-in", "--help"]), Ok(()));
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_command_says_what_it_is_for() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            assert!(
                sub.get_after_help().is_some_and(|help| help.to_string().contains("yingda ")),
                "{} shows no example",
                sub.get_name()
            );
        }
    }
}
