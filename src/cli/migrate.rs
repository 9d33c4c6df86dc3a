//! `yingda migrate`: bring the database's schema up to date.

use std::io::Write;

use super::lock::{DataLock, Holder};
use super::{Common, Exit, Failure};
use crate::store::Store;

/// `yingda migrate`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
`yingda serve` does this by itself at its start; this command is for installations that do it beforehand.

Example:
  yingda migrate --config /etc/yingda/yingda.toml")]
pub struct Args {}

/// Brings the schema up to date; nothing happens if it is.
///
/// # Errors
/// A running hub, or a database that cannot be opened or migrated.
pub async fn run(common: &Common, _: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings()?;
    let _lock = exclusive(&config)?;
    let database = &config.database;
    Store::open(&database.url(), database.max_bytes, database.connections, &config.city.id)
        .await
        .map_err(|error| Failure::of_hub("database", &error.into()))?;
    writeln!(out, "the schema is up to date")?;
    Ok(())
}

/// The lock of the data folder, for a command that must not meet a running hub.
pub(super) fn exclusive(config: &crate::config::Config) -> Result<DataLock, Failure> {
    match DataLock::take(&config.storage).map_err(Failure::of(Exit::Io, config.storage.data.display()))? {
        Holder::Us(lock) => Ok(lock),
        Holder::Hub(address) => {
            Err(Failure::new(Exit::TempFail, format!("a hub is running at {address}; stop it first")))
        }
        Holder::Other => {
            Err(Failure::new(Exit::TempFail, "another command uses the data folder; try again when it is done"))
        }
    }
}
