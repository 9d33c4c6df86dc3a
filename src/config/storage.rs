//! `[storage]`: files of the hub.

use std::path::PathBuf;

use super::section::Section;

/// Files and how long they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The data folder: database, objects, keys, lock.
    pub data: PathBuf,
    /// The folder of attachments, by content hash.
    pub objects: PathBuf,
    /// How many days the raw bytes of an inbound message are kept; their hash stays.
    pub raw_days: u64,
    /// The largest attachment taken, bytes. A larger one is refused, never its message.
    pub max_attachment_bytes: u64,
    /// Media types taken, lower case; `image/*` takes all of a kind.
    pub allowed_media_types: Vec<String>,
}

impl Storage {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        const TYPES: &str = r#"Write media types such as ["image/*", "application/pdf"]"#;
        let data: Option<PathBuf> = section.required("data", "Write the path of the data folder");
        let objects: Option<PathBuf> =
            section.optional("objects", "Write the path of a folder, or leave it out for DATA/objects");
        let raw_days = section.number("raw_days", 1..=36_500);
        let max_attachment_bytes = section.number("max_attachment_bytes", 1024..=1024 * 1024 * 1024);
        let origin = section.origin("allowed_media_types");
        let types: Option<Vec<String>> = section.required("allowed_media_types", TYPES);
        for kind in types.iter().flatten().filter(|kind| !kind.contains('/')) {
            section.wrong(origin.clone(), "allowed_media_types", format!("{kind:?} is not a media type"), TYPES);
        }
        section.finish();
        let data = data?;
        Some(Self {
            objects: objects.unwrap_or_else(|| data.join("objects")),
            data,
            raw_days: raw_days?,
            max_attachment_bytes: max_attachment_bytes?,
            allowed_media_types: types?.iter().map(|kind| kind.to_ascii_lowercase()).collect(),
        })
    }

    /// Whether files of this media type are taken; parameters are passed over.
    #[must_use]
    pub fn allows(&self, media_type: &str) -> bool {
        let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.allowed_media_types.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(family) => kind.starts_with(family),
            None => kind == *allowed,
        })
    }

    /// The file with the hub's own secret.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.data.join("secret.key")
    }

    /// The file whose lock says that the database is in use.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.data.join("yingda.lock")
    }

    /// The file with the token by which commands reach the running hub.
    #[must_use]
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join("admin.token")
    }
}
