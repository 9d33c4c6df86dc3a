//! `yingda backup`: a consistent copy of database and files, also while the hub runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Common, Exit, Failure};
use crate::config::Config;
use crate::domain::Clock;
use crate::objects::{Objects, hex};
use crate::private;
use crate::store::{Backend, backup};

/// The manifest's name; it is written last, so that a copy without it is known to be unfinished.
pub(super) const MANIFEST: &str = "manifest.json";
/// The layout of a backup that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Files of the data folder that links, references and demo logins hang on.
const KEYS: [&str; 2] = ["secret.key", "demo-credentials.json"];

/// `yingda backup`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
DIR must be empty or not there yet. It holds the database as of one moment, every attachment that the database names,
the hub's secret, and a manifest with row counts and SHA-256 sums. It holds personal data and secrets: keep it so.
PostgreSQL needs pg_dump in the path.

Examples:
  yingda backup --config /etc/yingda/yingda.toml /backup/2026-11-22
  yingda restore --data ./restored /backup/2026-11-22")]
pub struct Args {
    /// Where to write it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// See [`FORMAT`].
    pub(super) format: u32,
    /// The version of the program that wrote it.
    pub(super) program: String,
    /// When, RFC 3339.
    pub(super) made_at: String,
    /// The city's id.
    pub(super) city: String,
    /// `sqlite` or `postgres`.
    pub(super) database: String,
    /// Rows by table.
    pub(super) rows: BTreeMap<String, u64>,
    /// Every file.
    pub(super) files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Path within the backup, with `/`.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 in hexadecimal.
    pub(super) sha256: String,
}

/// The word for a kind of database, and its file's name within a backup.
pub(super) const fn database_file(backend: Backend) -> (&'static str, &'static str) {
    match backend {
        Backend::Sqlite => ("sqlite", "database.sqlite"),
        Backend::Postgres => ("postgres", "database.pgdump"),
    }
}

/// Writes a backup.
///
/// # Errors
/// A folder that is not empty, a database or file that cannot be read, an attachment that is missing or damaged.
pub async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings()?;
    let manifest = write(&config, &args.folder).await?;
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let rows: u64 = manifest.rows.values().sum();
    writeln!(out, "{}: {rows} rows, {} files, {bytes} bytes", args.folder.display(), manifest.files.len())?;
    Ok(())
}

pub(super) async fn write(config: &Config, folder: &Path) -> Result<Manifest, Failure> {
    let disk = |path: &Path| Failure::of::<io::Error>(Exit::Io, path.display().to_string());
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format!("{} is not empty", folder.display())));
    }
    private::make_folder(folder).map_err(disk(folder))?;
    let kind = match config.database.backend {
        crate::config::Backend::Sqlite { .. } => Backend::Sqlite,
        crate::config::Backend::Postgres { .. } => Backend::Postgres,
    };
    let (word, name) = database_file(kind);
    let database = folder.join(name);
    let copied =
        backup::copy(&config.database.url(), &database).await.map_err(Failure::of(Exit::Unavailable, "database"))?;

    let mut files = vec![entry(folder, name).map_err(disk(&database))?];
    // Objects after the database: an object is on disk before the commit that names it, so each named one is there.
    let objects = Objects::open(&config.storage.objects).map_err(disk(&config.storage.objects))?;
    for object in &copied.objects {
        let source =
            objects.path(object).ok_or_else(|| Failure::new(Exit::Data, format!("{object} is no object name")))?;
        let (start, rest) = object.split_at_checked(2).unwrap_or((object, ""));
        let path = format!("objects/{start}/{rest}");
        let target = folder.join(&path);
        private::make_folder(target.parent().unwrap_or(folder)).map_err(disk(&target))?;
        let (size, sha256) = copy_file(&source, &target).map_err(disk(&source))?;
        if sha256 != *object {
            return Err(Failure::new(
                Exit::Data,
                format!("{} is damaged: its content does not have its name", source.display()),
            ));
        }
        files.push(FileEntry { path, size, sha256 });
    }
    for key in KEYS {
        let source = config.storage.data.join(key);
        if source.is_file() {
            let target = folder.join(key);
            private::write(&target, &std::fs::read(&source).map_err(disk(&source))?).map_err(disk(&target))?;
            files.push(entry(folder, key).map_err(disk(&target))?);
        }
    }
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Clock::System.now().to_rfc3339(),
        city: config.city.id.clone(),
        database: word.to_owned(),
        rows: copied.rows,
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(Failure::of(Exit::Software, "manifest"))?;
    let path = folder.join(MANIFEST);
    private::write(&path, &text).map_err(disk(&path))?;
    Ok(manifest)
}

fn entry(folder: &Path, name: &str) -> io::Result<FileEntry> {
    let (size, sha256) = sum(&folder.join(name))?;
    Ok(FileEntry { path: name.to_owned(), size, sha256 })
}

/// Size and SHA-256 of a file.
pub(super) fn sum(path: &Path) -> io::Result<(u64, String)> {
    stream(&mut File::open(path)?, &mut io::sink())
}

/// Copies a file onto disk, for its owner only, and tells its size and SHA-256.
pub(super) fn copy_file(source: &Path, target: &Path) -> io::Result<(u64, String)> {
    let mut into = private::new_file(target)?;
    let told = stream(&mut File::open(source)?, &mut into)?;
    into.sync_all()?;
    Ok(told)
}

fn stream(from: &mut impl Read, into: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hash.update(chunk);
        into.write_all(chunk)?;
        size += read as u64;
    }
    Ok((size, hex(&hash.finalize())))
}
