//! `yingda doctor`: tries what the hub depends on.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use channel_contract::Finding;

use super::{Common, Exit, Failure};
use crate::channels::{Registry, http_client};
use crate::config::Config;
use crate::domain::Clock;
use crate::private;
use crate::store::inspect;

/// Below so much free space the disk is told to be short, bytes.
const SPARE_BYTES: u64 = 1024 * 1024 * 1024;

/// `yingda doctor`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Signs in at every channel's far end without sending anything, looks at clock, disk and database settings. May run beside
the hub. Exit code 1 when anything is not well.

Examples:
  yingda doctor --config /etc/yingda/yingda.toml
  yingda doctor --data ./data --account mailbox")]
pub struct Args {
    /// Only this channel account, nothing else
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// Tells every finding.
///
/// # Errors
/// When any of them is bad.
pub async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings()?;
    let client = http_client().map_err(Failure::of(Exit::Software, "HTTP client"))?;
    let registry = Registry::build(config.channels.values(), &client)?;
    let mut bad = 0;
    let mut tell = |scope: &str, findings: Vec<Finding>, out: &mut dyn Write| {
        for Finding { check, ok, detail, .. } in findings {
            bad += usize::from(!ok);
            writeln!(out, "{} {scope}{check}: {detail}", if ok { "ok " } else { "BAD" })?;
        }
        std::io::Result::Ok(())
    };
    if args.account.is_none() {
        tell("", vec![clock()], out)?;
        tell("", disk(&config), out)?;
        let exposed = exposed(&config.storage.data, &config.storage.objects, &config.database.url());
        tell("", exposed.into_iter().map(|line| Finding::bad("permissions", line)).collect(), out)?;
        tell("", inspect::look(&config.database.url(), inspect::Depth::Full).await, out)?;
    }
    let wanted = |account: &str| args.account.as_ref().is_none_or(|wanted| wanted == account);
    if let Some(account) = args.account.as_ref().filter(|account| registry.get(account).is_none()) {
        return Err(Failure::new(Exit::Usage, format!("no channel account {account} in the settings")));
    }
    for (account, channel) in registry.iter().filter(|(account, _)| wanted(account)) {
        let scope = format!("{} {account} ", channel.descriptor().medium);
        let findings = tokio::time::timeout(Duration::from_secs(60), channel.probe()).await.unwrap_or_else(|_| {
            vec![Finding::bad("probe", "no answer within 60 seconds; look at address and firewall")]
        });
        // A far end that is not configured is told by most probes already.
        let told = findings.iter().any(|finding| !finding.ok);
        tell(&scope, findings, out)?;
        if let Some(reason) = channel.descriptor().cannot_send.filter(|_| !told) {
            tell(&scope, vec![Finding::bad("sending", format!("deliveries wait: {reason}"))], out)?;
        }
    }
    if bad == 0 { Ok(()) } else { Err(Failure::new(Exit::Found, format!("{bad} findings need attention"))) }
}

/// Judges the clock: before this program was made, or with a jump between two readings, it cannot be right.
fn clock() -> Finding {
    const MADE: i64 = 1_763_000_000_000;
    let now = Clock::System.now();
    if now.timestamp_millis() < MADE {
        return Finding::bad(
            "clock",
            format!("{now} lies before this program was made; set up NTP: signatures and deadlines hang on it"),
        );
    }
    Finding::good("clock", format!("{}", now.format("%Y-%m-%d %H:%M:%S UTC")))
}

/// What of the data folder others than its owner may look into, a line each with what to do.
pub(super) fn exposed(data: &Path, objects: &Path, database: &str) -> Vec<String> {
    let line = |path: &Path, mode: &str, wanted: &str| {
        let path = path.display();
        format!("{path} has mode {mode}: others may get at personal data. Close it: chmod {wanted} {path}")
    };
    let mut lines = Vec::new();
    lines.extend(private::open_to_others(data).map(|mode| line(data, &mode, "700")));
    let database = database.strip_prefix("sqlite:").map(Path::new);
    for (path, wanted) in [(Some(objects), "700"), (database, "600")] {
        // Behind a closed folder nobody gets at it.
        if let Some(path) = path.filter(|path| path.parent().and_then(private::open_to_others).is_some()) {
            lines.extend(private::open_to_others(path).map(|mode| line(path, &mode, wanted)));
        }
    }
    lines
}

/// Writes and syncs a file in the data folder, and asks for free space.
fn disk(config: &Config) -> Vec<Finding> {
    let data = &config.storage.data;
    let mut findings = Vec::new();
    if !data.is_dir() {
        return vec![Finding::bad("disk", format!("{} is not there yet; `yingda serve` makes it", data.display()))];
    }
    let probe = data.join("doctor.probe");
    let started = std::time::Instant::now();
    let written = private::write(&probe, &[0; 4096]).and_then(|()| std::fs::remove_file(&probe));
    let took = started.elapsed().as_millis();
    findings.push(match written {
        Ok(()) if took > 500 => {
            Finding::bad("disk write", format!("writing 4 KiB to disk took {took} ms; every message waits for this"))
        }
        Ok(()) => Finding::good("disk write", format!("4 KiB written and synced in {took} ms")),
        Err(error) => {
            Finding::bad("disk write", format!("{}: {error}; the hub's user must own the folder", data.display()))
        }
    });
    findings.push(match free_bytes(data) {
        Ok(free) if free < SPARE_BYTES => {
            Finding::bad("disk space", format!("{} MiB free; make room", free / (1024 * 1024)))
        }
        Ok(free) => Finding::good("disk space", format!("{} MiB free", free / (1024 * 1024))),
        Err(error) => Finding::bad("disk space", error),
    });
    findings
}

/// Free bytes of the file system of `folder`, told by `df` (POSIX), since the standard library cannot.
fn free_bytes(folder: &Path) -> Result<u64, String> {
    let output = std::process::Command::new("df")
        .args(["-P", "-k"])
        .arg(folder)
        .output()
        .map_err(|error| format!("df cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let available =
        text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).and_then(|word| word.parse::<u64>().ok());
    available.map(|kib| kib * 1024).ok_or_else(|| "df gave no answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_others_may_look_into_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("folder");
        let (data, objects) = (root.path().join("data"), root.path().join("data/objects"));
        let (database, url) = (data.join("yingda.db"), format!("sqlite:{}", data.join("yingda.db").display()));
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
        };
        private::make_folder(&objects).expect("folder");
        private::new_file(&database).expect("file");
        assert!(exposed(&data, &objects, &url).is_empty());
        open(&database, 0o644);
        open(&objects, 0o755);
        assert!(exposed(&data, &objects, &url).is_empty(), "the folder is closed");
        open(&data, 0o755);
        let told = exposed(&data, &objects, &url);
        assert_eq!(told.len(), 3, "{told:?}");
        for (path, mode) in [(&data, 700), (&objects, 700), (&database, 600)] {
            let remedy = format!("chmod {mode} {}", path.display());
            assert!(told.iter().any(|line| line.ends_with(&remedy)), "{remedy} is not in {told:?}");
        }
    }

    #[test]
    fn clock_and_disk_are_judged() {
        assert!(clock().ok);
        let folder = tempfile::tempdir().expect("folder");
        assert!(free_bytes(folder.path()).is_ok_and(|free| free > 0));
        let mut layers = crate::config::Layers::defaults();
        let path = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned());
        layers.set(&["storage", "data"], path(folder.path()), crate::config::Origin::Flag("--data"));
        let config = Config::read(layers.clone(), true).expect("config");
        assert!(disk(&config).iter().any(|finding| finding.ok && finding.check == "disk write"));
        layers.set(&["storage", "data"], path(&folder.path().join("none")), crate::config::Origin::Flag("--data"));
        let config = Config::read(layers, true).expect("config");
        assert!(disk(&config).iter().all(|finding| !finding.ok));
    }
}
