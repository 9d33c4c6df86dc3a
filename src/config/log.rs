//! `[log]`: what is written to standard error.

use super::section::Section;

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged: a filter such as `info,yingda=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Log {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let format = section.required("format", "Write auto, human or json");
        let filter = section.parsed("filter", "Write a level or a filter such as info,yingda=debug", |text| {
            tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned())
        });
        section.finish();
        Some(Self { format: format?, filter: filter? })
    }
}
