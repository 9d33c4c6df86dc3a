//! Files and folders that their owner alone may read, whatever the umask of whoever started the program.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a folder and those above it; new ones may be entered by their owner only (mode 700), one that is there is left as it is.
///
/// # Errors
/// Any failure of the file system.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Options by which a file that is made is for its owner only (mode 600).
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a new file for its owner only (mode 600).
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or any failure of the file system.
pub fn new_file(path: &Path) -> io::Result<File> {
    options().write(true).create_new(true).open(path)
}

/// Writes `bytes` to `path` so that a reader sees the old file or the new one whole, for its owner only (mode 600), and on
/// disk when this returns.
///
/// # Errors
/// Any failure of the file system.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    // One that an earlier process of this number left.
    drop(std::fs::remove_file(&temporary));
    let written = new_file(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // The first error tells the reason.
        drop(std::fs::remove_file(&temporary));
    }
    written
}

/// How others than the owner may get at a file or folder: its mode, such as `755`; `None` if they may not or nothing is there.
#[must_use]
pub fn open_to_others(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().ok()?.permissions()) & 0o777;
        (mode & 0o077 != 0).then(|| format!("{mode:o}"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// An error of a file with its path and what to do; by itself it tells neither.
pub(crate) fn refused(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => ". Run this as the user that owns the data folder, or make it that user's",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}{remedy}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_for_its_owner_and_what_is_open_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("folder");
        let (folder, file, other) = (root.path().join("a/b"), root.path().join("a/b/c"), root.path().join("a/d"));
        make_folder(&folder).expect("folder");
        write(&file, b"old").expect("written");
        write(&file, b"new").expect("written");
        new_file(&other).expect("file");
        new_file(&other).expect_err("is there");
        assert_eq!(std::fs::read(&file).expect("read"), b"new");
        for path in [&folder, &file, &other] {
            assert_eq!(open_to_others(path), None, "{}", path.display());
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("opened");
        assert_eq!(open_to_others(&file).as_deref(), Some("640"));
        assert_eq!(open_to_others(&root.path().join("none")), None);
        assert_eq!(std::fs::read_dir(&folder).expect("list").count(), 1, "no temporary file is left");
    }
}
