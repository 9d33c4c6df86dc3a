//! What is wrong with the settings, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The default file that is built into the program.
    Default,
    /// The demo city.
    Demo,
    /// A line of the file named by `--config`.
    File {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1; 0 for the whole file.
        line: usize,
    },
    /// An environment variable.
    Env {
        /// Its name as it was given.
        name: String,
        /// Its value as it was given: values that look like TOML by chance are read back from this.
        raw: String,
    },
    /// A command line flag, such as `--listen`.
    Flag(&'static str),
    /// Nowhere: the setting is missing.
    Missing,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("built-in defaults"),
            Self::Demo => formatter.write_str("demo city"),
            Self::File { path, line: 0 } => write!(formatter, "{}", path.display()),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Env { name, .. } => write!(formatter, "environment {name}"),
            Self::Flag(name) => formatter.write_str(name),
            Self::Missing => formatter.write_str("not set"),
        }
    }
}

/// One thing that is wrong. Holds no secret: values are quoted only where a section says they are harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// The key, dotted, such as `server.public_url`; empty if it concerns a whole file.
    pub key: String,
    /// What is wrong.
    pub fault: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// A problem of one key.
    #[must_use]
    pub fn new(origin: Origin, key: impl Into<String>, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { origin, key: key.into(), fault: fault.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        write!(formatter, "{}", self.fault)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(formatter, ". {}", self.remedy) }
    }
}

/// All problems of one reading, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
