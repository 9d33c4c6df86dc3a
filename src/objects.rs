//! Files as content-addressed objects: named by the SHA-256 of their bytes, on disk before the commit that names them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The folder of objects: `ab/cd…` by the hexadecimal hash.
#[derive(Debug, Clone)]
pub struct Objects {
    root: PathBuf,
}

impl Objects {
    /// Objects under `root`, which is made when missing, for its owner only.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        crate::private::make_folder(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of an object; `None` when the name is no SHA-256 in hexadecimal.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| {
            let (folder, file) = name.split_at(2);
            self.root.join(folder).join(file)
        })
    }

    /// Stores bytes and returns their name, after file and folder are on disk. Equal bytes are stored once.
    ///
    /// # Errors
    /// Of the file system; then nothing is named.
    pub async fn put(&self, bytes: bytes::Bytes) -> std::io::Result<String> {
        let objects = self.clone();
        tokio::task::spawn_blocking(move || objects.put_now(&bytes)).await.map_err(std::io::Error::other)?
    }

    fn put_now(&self, bytes: &[u8]) -> std::io::Result<String> {
        let name: String = hex(&Sha256::digest(bytes));
        let path = self.path(&name).ok_or_else(|| std::io::Error::other("object name"))?;
        if path.exists() {
            return Ok(name);
        }
        let folder = path.parent().ok_or_else(|| std::io::Error::other("object folder"))?;
        let new_folder = !folder.exists();
        crate::private::make_folder(folder)?;
        let temporary = folder.join(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
        let mut file = crate::private::new_file(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        std::fs::File::open(folder)?.sync_all()?;
        if new_folder {
            std::fs::File::open(&self.root)?.sync_all()?;
        }
        Ok(name)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// Of the file system.
    pub async fn get(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let path = self.path(name).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
        tokio::fs::read(path).await
    }

    /// The names of all objects last touched before `before`, and half-written files of that age under their own file names.
    ///
    /// # Errors
    /// Of the file system.
    pub fn older_than(&self, before: std::time::SystemTime) -> std::io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(&self.root)? {
            let folder = folder?.path();
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(&folder)? {
                let file = file?;
                if file.metadata()?.modified()? < before {
                    let prefix = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    found.push((format!("{prefix}{}", file.file_name().to_string_lossy()), file.path()));
                }
            }
        }
        Ok(found)
    }
}

/// Bytes in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn equal_bytes_are_one_object() {
        let folder = tempfile::tempdir().expect("folder");
        let objects = Objects::open(folder.path()).expect("open");
        let name = objects.put(bytes::Bytes::from_static(b"photo")).await.expect("put");
        assert_eq!(objects.put(bytes::Bytes::from_static(b"photo")).await.expect("again"), name);
        assert_eq!(objects.get(&name).await.expect("get"), b"photo");
        assert!(objects.get("../../etc/passwd").await.is_err());
    }
}
