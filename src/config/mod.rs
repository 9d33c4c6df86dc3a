//! The settings: one commented default file that is built in, then the file of `--config`, then `YINGDA__SECTION__KEY`, then flags.
//!
//! One file per section here; each reads and checks its own keys and tells every wrong one. Unknown keys are errors. Any key `x`
//! may be given as `x_file`, the path of a file with the value. Every problem of one reading is told at once, with its origin.
//!
//! The environment is read here and nowhere else.

pub mod accounts;
pub mod city;
pub mod database;
pub mod departments;
pub mod intake;
mod layer;
pub mod log;
pub mod network;
pub mod operator;
pub mod outbox;
mod problem;
pub mod rules;
pub mod secret;
mod section;
pub mod server;
pub mod staff;
pub mod storage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use accounts::Account;
pub use city::City;
pub use database::{Backend, Database};
pub use departments::Department;
pub use intake::Intake;
pub use layer::{ENV_PREFIX, Layers, environment};
pub use log::{Log, LogFormat};
pub use network::Network;
pub use operator::Operator;
pub use outbox::Outbox;
pub use problem::{Origin, Problem, Problems};
pub use rules::Rules;
pub use secret::Secret;
use section::Section;
pub use server::Server;
pub use staff::Staff;
pub use storage::Storage;

/// The commented default file, `deploy/yingda.default.toml`.
pub const DEFAULTS: &str = include_str!("../../deploy/yingda.default.toml");

/// All settings, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether this is the demo city on a loopback address.
    pub demo: bool,
    /// The city.
    pub city: City,
    /// Address, proxies, secret.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// Files and how long they are kept.
    pub storage: Storage,
    /// What limits and times the intake.
    pub intake: Intake,
    /// How deliveries are tried.
    pub outbox: Outbox,
    /// Sessions and lockout of staff.
    pub staff: Staff,
    /// Who is told when something is wrong.
    pub operator: Operator,
    /// The rule pack, and how rule sets are published and measured.
    pub rules: Rules,
    /// A folder whose templates take the place of built-in ones; `None` for none.
    pub templates: Option<PathBuf>,
    /// Logging.
    pub log: Log,
    /// Channel accounts by id, which is unique in the installation.
    pub channels: BTreeMap<String, Account>,
    /// How departments are told of tickets, by department id.
    pub departments: BTreeMap<String, Department>,
}

impl Layers {
    /// The built-in defaults only.
    #[must_use]
    pub fn defaults() -> Self {
        let mut layers = Self::default();
        layers.text(DEFAULTS, None);
        layers
    }

    /// The data folder as far as these layers say.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        PathBuf::from(self.peek(&["storage", "data"]).unwrap_or_default())
    }
}

impl Layers {
    /// The channel accounts alone, so that they can be looked at while other settings are wrong. An id may come twice.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        // What is wrong is told by Config::read.
        let mut problems = Vec::new();
        accounts::read(Section::new(String::new(), self.nodes.clone(), &mut problems).child("channels"))
    }
}

impl Config {
    /// Reads and checks merged layers.
    ///
    /// # Errors
    /// Every problem of every layer and key at once.
    pub fn read(layers: Layers, demo: bool) -> Result<Self, Problems> {
        let Layers { nodes, mut problems } = layers;
        let mut root = Section::new(String::new(), nodes, &mut problems);
        let city = City::read(root.child("city"));
        let server = Server::read(root.child("server"), demo);
        let storage = Storage::read(root.child("storage"));
        let data = storage.as_ref().map_or(Path::new(""), |storage| storage.data.as_path());
        let database = Database::read(root.child("database"), data);
        let intake = Intake::read(root.child("intake"));
        let outbox = Outbox::read(root.child("outbox"));
        let staff = Staff::read(root.child("staff"));
        let operator = Operator::read(root.child("operator"));
        let rules = Rules::read(root.child("rules"));
        let templates = {
            let mut section = root.child("templates");
            let path = folder(&mut section);
            section.finish();
            path
        };
        let log = Log::read(root.child("log"));
        let channels =
            accounts::read(root.child("channels")).into_iter().map(|account| (account.id.clone(), account)).collect();
        let departments = departments::read(root.child("departments"));
        root.finish();
        let config = (|| {
            Some(Self {
                demo,
                city: city?,
                server: server?,
                database: database?,
                storage: storage?,
                intake: intake?,
                outbox: outbox?,
                staff: staff?,
                operator: operator?,
                rules: rules?,
                templates,
                log: log?,
                channels,
                departments,
            })
        })();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Problems(problems)),
        }
    }
}

/// The key `path` of a section: a folder that must exist.
fn folder(section: &mut Section<'_>) -> Option<PathBuf> {
    const EXPECTED: &str = "Write the path of a folder, or leave it out for the built-in one";
    let origin = section.origin("path");
    let path: Option<PathBuf> = section.optional("path", EXPECTED);
    if let Some(path) = path.as_ref().filter(|path| !path.is_dir()) {
        section.wrong(origin, "path", format!("{} is not a folder", path.display()), EXPECTED);
    }
    path
}

/// The PostgreSQL cluster of `tests/postgres.sh`, as an address without a database, for tests that run on both.
#[cfg(test)]
pub(crate) fn test_cluster() -> Option<String> {
    std::env::var("YINGDA_TEST_POSTGRES").ok()
}

#[cfg(test)]
mod tests;
