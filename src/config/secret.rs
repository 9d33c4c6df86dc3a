//! Secrets that do not show when printed, and the hub's own secret on disk.

use std::fmt;
use std::io;
use std::path::Path;

use crate::objects::hex;
use crate::private::{refused, write};
use crate::secret::random;

/// A text that never shows in `Debug` output.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// The hub's secret, made once and kept in `path` (mode 600): 64 hexadecimal characters.
///
/// # Errors
/// When the file can be neither read nor made, or holds less than 32 characters.
pub fn load_or_create(path: &Path) -> io::Result<Secret> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().chars().count() >= super::server::SECRET_CHARACTERS => {
            Ok(Secret(text.trim().to_owned()))
        }
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} holds less than {} characters; restore it from a backup",
                path.display(),
                super::server::SECRET_CHARACTERS
            ),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = hex(&random::<32>());
            write(path, text.as_bytes()).map_err(|error| refused("write", path, &error))?;
            Ok(Secret(text))
        }
        Err(error) => Err(refused("read", path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_for_the_owner_only_and_never_shown() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret.key");
        let first = load_or_create(&path).expect("made");
        assert_eq!(first.expose().len(), 64);
        assert_eq!(load_or_create(&path).expect("read"), first);
        assert!(!format!("{first:?}").contains(first.expose()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        }
        let names: Vec<_> = std::fs::read_dir(folder.path()).expect("list").collect();
        assert_eq!(names.len(), 1, "no temporary file is left");
        std::fs::write(&path, "short").expect("written");
        load_or_create(&path).expect_err("too short");
    }
}
