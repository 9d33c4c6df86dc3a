//! External processes that cannot outlive the test that started them.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::repository;

/// A server process and everything it started.
///
/// It hangs on a leash: `with_parent.py` ends the whole process group when its standard input closes, which happens
/// when this value is dropped and, by the kernel's hand, when the test binary dies.
pub(crate) struct Process {
    name: String,
    supervisor: Child,
    log: PathBuf,
}

/// How a process is started; see [`Process::start`].
pub(crate) struct Start<'a> {
    /// Its name in messages, and of its log file.
    pub(crate) name: &'a str,
    /// Its working directory, in which `NAME.log` collects what it prints.
    pub(crate) directory: &'a Path,
    /// The signal (without `SIG`) that ends it.
    pub(crate) signal: &'a str,
    /// Whether the directory is removed when it has ended.
    pub(crate) remove_directory: bool,
    /// More variables for its environment.
    pub(crate) environment: &'a [(&'a str, String)],
}

impl Process {
    /// Starts a command with its arguments. Returns at once; wait for readiness by what the process serves.
    pub(crate) fn start<A: AsRef<OsStr>>(start: &Start<'_>, command: &[A]) -> Self {
        let log = start.directory.join(format!("{}.log", start.name));
        let output = OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let mut supervisor = supervise(start);
        supervisor
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output);
        let supervisor = supervisor.spawn().expect("tests/setup.sh prepares what the peers need");
        Self { name: start.name.to_owned(), supervisor, log }
    }

    /// What it has printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Panics with its output if it has ended, which a server never does by itself.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.supervisor.try_wait().expect("the state of a child") {
            panic!("{} ended with {status}:\n{}", self.name, self.log());
        }
    }

    /// Ends the process by this signal (without `SIG`), by `KILL` if it takes longer than `grace_secs`. Returns its exit
    /// status, 128 + the signal if one ended it.
    pub(crate) fn end(mut self, signal: &str, grace_secs: u32) -> Option<i32> {
        let mut leash = self.supervisor.stdin.take().expect("the leash is held");
        // A process that has ended by itself no longer listens; its status tells.
        drop(leash.write_all(format!("{signal} {grace_secs}").as_bytes()));
        drop(leash);
        self.supervisor.wait().expect("the state of a child").code()
    }

    /// Like [`super::eventually`], but panics at once, with the output, if the process ends meanwhile.
    pub(crate) async fn ready<T>(&mut self, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
        let what = format!("readiness of {}", self.name);
        super::eventually(&what, async || {
            let found = probe().await;
            if found.is_none() {
                self.assert_running();
            }
            found
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The leash; the supervisor bounds the time its process may take to end.
        drop(self.supervisor.stdin.take());
        drop(self.supervisor.wait());
    }
}

/// Runs a command to its end under the same leash and returns what it printed on standard output.
/// Panics with its error output if it fails.
pub(crate) async fn run<A: AsRef<OsStr>>(start: &Start<'_>, command: &[A]) -> String {
    let printed = start.directory.join(format!("{}.out", start.name));
    let errors = start.directory.join(format!("{}.log", start.name));
    let mut supervisor = tokio::process::Command::from(supervise(start));
    supervisor
        .args(command)
        .stdin(Stdio::piped())
        .stdout(File::create(&printed).expect("an output file"))
        .stderr(File::create(&errors).expect("a log file"));
    let mut supervisor = supervisor.spawn().expect("tests/setup.sh prepares what the peers need");
    // `wait` would close the leash, so it is held here; a test that gives up lets go of it.
    let leash = supervisor.stdin.take();
    let status = tokio::time::timeout(super::PATIENCE, supervisor.wait()).await;
    drop(leash);
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    match status {
        Ok(Ok(status)) if status.success() => read(&printed),
        Ok(Ok(status)) => panic!("{} ended with {status}:\n{}{}", start.name, read(&printed), read(&errors)),
        Ok(Err(error)) => panic!("{}: {error}", start.name),
        Err(_) => panic!("{} did not end:\n{}{}", start.name, read(&printed), read(&errors)),
    }
}

/// The Python in which `tests/setup.sh` installed the foreign peers.
pub(crate) fn python() -> PathBuf {
    repository("tests/run/venv/bin/python")
}

fn supervise(start: &Start<'_>) -> Command {
    let mut command = Command::new(python());
    command.arg(repository("tests/counterparts/with_parent.py")).args(["--signal", start.signal]);
    if start.remove_directory {
        command.arg("--remove").arg(start.directory);
    }
    command.arg("--").current_dir(start.directory);
    command.envs(start.environment.iter().map(|(name, value)| (name, value)));
    command
}
