//! `yingda restore`: fills an empty data folder, and an empty database, from a backup.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::backup::{FORMAT, MANIFEST, Manifest, copy_file, database_file, sum};
use super::migrate::exclusive;
use super::{Common, Exit, Failure};
use crate::config::Config;
use crate::private;
use crate::store::{Backend, Error, backup};

/// `yingda restore`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The data folder of the settings must be empty or not there yet; so must the database. Every file is compared with the
backup's manifest before anything is written, the rows are counted afterwards. PostgreSQL needs pg_restore in the path.

Examples:
  yingda restore --data ./restored /backup/2026-11-22
  yingda restore --config /etc/yingda/yingda.toml /backup/2026-11-22")]
pub struct Args {
    /// The backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Restores a backup.
///
/// # Errors
/// A backup that is unfinished or damaged; a data folder or database that is not empty; a disk that fails.
pub async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings_with(&args.folder)?;
    let manifest = read(&config, &args.folder).await?;
    let rows: u64 = manifest.rows.values().sum();
    writeln!(out, "restored {rows} rows and {} files made at {}", manifest.files.len(), manifest.made_at)?;
    Ok(())
}

pub(super) async fn read(config: &Config, folder: &Path) -> Result<Manifest, Failure> {
    let manifest = verified(folder)?;
    let kind = match config.database.backend {
        crate::config::Backend::Sqlite { .. } => Backend::Sqlite,
        crate::config::Backend::Postgres { .. } => Backend::Postgres,
    };
    let (word, name) = database_file(kind);
    if manifest.database != word {
        let text = format!(
            "the backup is of {}, database.url names {word}; set database.url to the same kind",
            manifest.database
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    if manifest.city != config.city.id {
        let text =
            format!("the backup is of the city {}, city.id is {}; set it to the same", manifest.city, config.city.id);
        return Err(Failure::new(Exit::Usage, text));
    }
    let lock = exclusive(config)?;
    let data = &config.storage.data;
    for entry in data.read_dir().map_err(Failure::of(Exit::Io, data.display()))? {
        if entry?.path() != config.storage.lock_file() {
            return Err(Failure::new(Exit::Usage, format!("{} is not empty", data.display())));
        }
    }
    let put = backup::put_back(&config.database.url(), &folder.join(name)).await.map_err(|error| match error {
        Error::Invalid(text) => Failure::new(Exit::Usage, text),
        other => Failure::new(Exit::Unavailable, format!("database: {other}")),
    })?;
    if put.rows != manifest.rows {
        return Err(Failure::new(
            Exit::Data,
            format!("rows differ from the manifest: {}", difference(&manifest.rows, &put.rows)),
        ));
    }
    for file in manifest.files.iter().filter(|file| file.path != name) {
        let source = folder.join(&file.path);
        match file.path.strip_prefix("objects/") {
            Some(object) => {
                let target = config.storage.objects.join(object);
                private::make_folder(target.parent().unwrap_or(data))?;
                copy_file(&source, &target).map_err(Failure::of(Exit::Io, target.display()))?;
            }
            None => private::write(&data.join(&file.path), &std::fs::read(&source)?)?,
        }
    }
    drop(lock);
    Ok(manifest)
}

/// Reads the manifest and compares every file with it.
fn verified(folder: &Path) -> Result<Manifest, Failure> {
    let path = folder.join(MANIFEST);
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::Data, format!("{} is no finished backup: it has no {MANIFEST}", folder.display()))
        }
        _ => Failure::new(Exit::Io, format!("{}: {error}", path.display())),
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(Failure::of(Exit::Data, path.display()))?;
    if manifest.format != FORMAT {
        let text = format!(
            "the backup has format {}, this program reads {FORMAT}; use the program that wrote it",
            manifest.format
        );
        return Err(Failure::new(Exit::Data, text));
    }
    let mut wrong = Vec::new();
    for file in &manifest.files {
        let inside = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            wrong.push(format!("{}: is no path within the backup", file.path));
            continue;
        }
        match sum(&folder.join(&file.path)) {
            Ok((size, sha256)) if size == file.size && sha256 == file.sha256 => {}
            Ok(_) => wrong.push(format!("{}: differs from the manifest", file.path)),
            Err(error) => wrong.push(format!("{}: {error}", file.path)),
        }
    }
    if wrong.is_empty() {
        Ok(manifest)
    } else {
        Err(Failure::new(Exit::Data, format!("damaged backup, nothing was restored:\n{}", wrong.join("\n"))))
    }
}

fn difference(told: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) -> String {
    let names: std::collections::BTreeSet<&String> = told.keys().chain(found.keys()).collect();
    let count =
        |rows: &BTreeMap<String, u64>, name: &str| rows.get(name).map_or_else(|| "none".to_owned(), u64::to_string);
    let differing = names.into_iter().filter(|name| told.get(*name) != found.get(*name));
    differing
        .map(|name| format!("{name} {} instead of {}", count(found, name), count(told, name)))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::backup::write;
    use super::*;
    use crate::config::{Layers, Origin};
    use crate::objects::Objects;
    use crate::store::Store;

    fn config(data: &Path) -> Config {
        let mut layers = Layers::defaults();
        layers.set(
            &["storage", "data"],
            toml::Value::String(data.to_string_lossy().into_owned()),
            Origin::Flag("--data"),
        );
        Config::read(layers, true).expect("config")
    }

    async fn store(config: &Config) -> Store {
        std::fs::create_dir_all(&config.storage.data).expect("data folder");
        // As one that somebody made by hand.
        #[cfg(unix)]
        std::fs::set_permissions(&config.storage.data, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("mode");
        Store::open(&config.database.url(), 0, 2, &config.city.id).await.expect("store")
    }

    /// Every file and folder below a folder.
    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("list").map(|entry| entry.expect("entry").path());
        entries.flat_map(|path| if path.is_dir() { [below(&path), vec![path]].concat() } else { vec![path] }).collect()
    }

    #[tokio::test]
    async fn a_backup_made_while_the_hub_writes_comes_back_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let original = config(&folder.path().join("data"));
        let running = store(&original).await;
        let objects = Objects::open(&original.storage.objects).expect("objects");
        let object = objects.put(bytes::Bytes::from_static(b"a photo")).await.expect("stored");
        let orphan = objects.put(bytes::Bytes::from_static(b"named by nobody")).await.expect("stored");
        crate::config::secret::load_or_create(&original.storage.secret_file()).expect("secret");
        let named = object.clone();
        running
            .write(move |conn| {
                let named = named.clone();
                Box::pin(async move {
                    let row = vec![
                        "demo".into(),
                        "a1".into(),
                        "1".into(),
                        "form".into(),
                        "p.jpg".into(),
                        "image/jpeg".into(),
                        named.into(),
                        "stored".into(),
                    ];
                    conn.insert("attachments", "city, id, ticket, account, name, media_type, sha256, state", vec![row])
                        .await
                })
            })
            .await
            .expect("written");

        let backup = folder.path().join("backup");
        let manifest = write(&original, &backup).await.expect("backup");
        assert_eq!(manifest.rows.get("attachments"), Some(&1));
        assert!(!manifest.files.iter().any(|file| file.path.ends_with(orphan.split_at(2).1)), "orphans are left out");
        write(&original, &backup).await.expect_err("not empty");

        let restored = config(&folder.path().join("restored"));
        let manifest = read(&restored, &backup).await.expect("restored");
        assert_eq!(manifest.files.len(), 3);
        let there = Objects::open(&restored.storage.objects).expect("objects").get(&object).await.expect("object");
        assert_eq!(there, b"a photo");
        assert_eq!(
            std::fs::read(restored.storage.secret_file()).expect("secret"),
            std::fs::read(original.storage.secret_file()).expect("secret")
        );
        let again = store(&restored).await;
        let names: String = again
            .read()
            .await
            .expect("conn")
            .fetch_value("select name from attachments", Vec::new())
            .await
            .expect("row");
        assert_eq!(names, "p.jpg");
        // Folders that are there already, as `store` makes them, stay as they are.
        for data in [&original.storage.data, &restored.storage.data, &backup] {
            for path in below(data) {
                assert_eq!(crate::private::open_to_others(&path), None, "{}", path.display());
            }
        }
        assert_eq!(read(&restored, &backup).await.expect_err("not empty").exit, Exit::Usage);
    }

    #[tokio::test]
    async fn a_damaged_backup_restores_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let original = config(&folder.path().join("data"));
        store(&original).await;
        crate::config::secret::load_or_create(&original.storage.secret_file()).expect("secret");
        let backup = folder.path().join("backup");
        write(&original, &backup).await.expect("backup");
        let target = config(&folder.path().join("restored"));
        std::fs::write(backup.join("secret.key"), "0".repeat(64)).expect("damaged");
        let failure = read(&target, &backup).await.expect_err("damaged");
        assert_eq!((failure.exit, failure.text.contains("secret.key: differs")), (Exit::Data, true), "{failure}");
        assert!(!target.storage.data.exists(), "nothing was made");
        std::fs::remove_file(backup.join(MANIFEST)).expect("removed");
        assert!(read(&target, &backup).await.expect_err("unfinished").text.contains("no finished backup"));
    }
}
