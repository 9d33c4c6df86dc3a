//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

use crate::config::Problems;
use crate::store::Error;

/// Exit codes, those of BSD `sysexits.h`, by which a mail server knows whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something was found wrong, by a command that looks for it.
    Found = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The input is wrong and stays so.
    Data = 65,
    /// Something that is needed is not there.
    Unavailable = 69,
    /// A fault of the program.
    Software = 70,
    /// The disk or a file failed.
    Io = 74,
    /// It may work later: try again.
    TempFail = 75,
    /// The settings are wrong, or the database is none that this program can use.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not succeed. Its text goes to standard error, for the operator.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened and what to do; may have several lines.
    pub text: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// For `map_err`: what was tried, then the error.
    pub fn of<E: fmt::Display>(exit: Exit, what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::new(exit, format!("{what}: {error}"))
    }
}

impl Failure {
    /// Why a hub could not start or go on. A database that this program cannot use is no passing matter: a supervisor that
    /// starts the hub again and again is told so by [`Exit::Config`].
    pub(super) fn of_hub(what: &str, error: &anyhow::Error) -> Self {
        let exit = match error.downcast_ref::<Error>() {
            Some(Error::Damaged(_) | Error::OtherSchema(_)) => Exit::Config,
            Some(Error::Unavailable(_)) => Exit::Unavailable,
            _ => Exit::Software,
        };
        Self::new(exit, format!("{what}: {error:#}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Config, problems.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Io, error.to_string())
    }
}
