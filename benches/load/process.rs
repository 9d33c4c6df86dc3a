//! The programs under test, each a process of its own, ended with its value.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bare;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// User and system time so far (proc(5), `stat`, fields 14 and 15).
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        /// USER_HZ, which is 100 on every Linux that Rust knows.
        const TICKS: u64 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // The name in parentheses may hold anything; fields are counted behind it.
        let (_, fields) = stat.rsplit_once(") ").context("stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |place: usize| fields.get(place).context("stat")?.parse::<u64>().context("stat");
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS))
    }

    /// Waits until it has caught up with what it put off (the search index), and returns what that took of the CPUs.
    pub(crate) async fn rest(&self) -> anyhow::Result<Duration> {
        const LOOK: Duration = Duration::from_millis(500);
        let before = self.cpu()?;
        let (mut last, mut calm) = (before, 0);
        while calm < 3 {
            tokio::time::sleep(LOOK).await;
            let now = self.cpu()?;
            calm = if now.saturating_sub(last) < LOOK / 20 { calm + 1 } else { 0 };
            last = now;
        }
        Ok(last.saturating_sub(before))
    }

    /// What it holds of memory (proc(5), `status`, `VmRSS`).
    pub(crate) fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }

    fn alive(&mut self) -> anyhow::Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended: {status}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both may fail only because it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The hub with its demo city.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From the start of the process until `/readyz` said so.
    pub(crate) ready_after: Duration,
    /// The secret of its generic SMS account.
    pub(crate) secret: String,
    /// Departments with their handlers' tokens.
    pub(crate) handlers: Vec<(String, String)>,
    /// A supervisor's token.
    pub(crate) supervisor: String,
}

impl Hub {
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data)?;
        let address = free_address()?;
        let mut command = Command::new(build_folder()?.join("yingda"));
        command.args(["serve", "--demo", "--listen", &address.to_string(), "--data"]).arg(data);
        let began = Instant::now();
        let mut process = spawn(command, data)?;
        ready(&mut process, address).await.context("the hub")?;
        let ready_after = began.elapsed();
        let credentials: Value = serde_json::from_slice(&std::fs::read(data.join("demo-credentials.json"))?)?;
        let secret = credentials["sms"]["demo"]["secret"].as_str().context("no secret")?.to_owned();
        let handlers = credentials["tokens"]["handlers"].as_object().context("no handlers")?;
        let handlers = handlers
            .iter()
            .filter_map(|(department, token)| Some((department.clone(), token.as_str()?.to_owned())))
            .collect();
        let supervisor = credentials["tokens"]["supervisor"].as_str().context("no supervisor")?.to_owned();
        Ok(Self { process, address, ready_after, secret, handlers, supervisor })
    }

    /// What the staff API answers a supervisor.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.get_as(&self.supervisor, path).await
    }

    /// What the staff API answers the holder of a token.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        let mut stream = tokio::net::TcpStream::connect(self.address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no answer")?;
        let (head, body) = answer.split_at(end + 4);
        if !head.starts_with(b"HTTP/1.1 200") {
            bail!("{path}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(serde_json::from_slice(body)?)
    }
}

/// The bare program to compare with.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Bare {
    pub(crate) async fn start(folder: &Path, secret: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([bare::SUBCOMMAND, &address.to_string()]).arg(folder.join("bare.db")).arg(secret);
        let mut process = spawn(command, folder)?;
        ready(&mut process, address).await.context("the bare program")?;
        Ok(Self { process, address })
    }
}

/// Where this program and the hub were built, which is on a real disk.
pub(crate) fn build_folder() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.parent().context("no folder")?.to_owned())
}

fn spawn(mut command: Command, folder: &Path) -> anyhow::Result<Process> {
    let log = File::create(folder.join("bench.log"))?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(Process(child))
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Asks `/readyz` every millisecond until it answers 200.
async fn ready(process: &mut Process, address: SocketAddr) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        tick.tick().await;
        process.alive()?;
        let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { continue };
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        if stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
    }
    bail!("it was not ready within 30 s")
}
