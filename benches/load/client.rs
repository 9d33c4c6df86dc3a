//! A client that costs next to nothing: requests are bytes made beforehand, answers are read just far enough.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one measurement came to.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// From sending to the whole answer, seconds, sorted.
    pub(crate) latencies: Vec<f64>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// What the server's process took of the CPUs meanwhile.
    pub(crate) cpu: Duration,
    /// What it took afterwards, for what it had put off.
    pub(crate) later: Duration,
    /// How many were taken before the measurement began.
    pub(crate) warm: usize,
}

impl Run {
    /// Seconds of CPU for one appeal, while they came in.
    pub(crate) fn each(&self) -> f64 {
        self.cpu.as_secs_f64() / self.latencies.len() as f64
    }

    /// Seconds of CPU for one appeal afterwards, of all that came in since it last had caught up.
    pub(crate) fn each_later(&self) -> f64 {
        self.later.as_secs_f64() / (self.latencies.len() + self.warm) as f64
    }

    /// Accepted appeals a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// A connection that is kept alive, one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and returns the body of its answer, which must be a 2xx for a new ticket.
    pub(crate) async fn accepted(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let (head, body) = self.buffer.split_at(end + 4);
            let head = std::str::from_utf8(head)?;
            let header = |name: &str| {
                head.lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            };
            let length: usize = header("content-length").context("no content-length")?.parse()?;
            if body.len() < length {
                continue;
            }
            if !head.starts_with("HTTP/1.1 2") || header("yingda-outcome") != Some("new") {
                bail!("not accepted: {}", head.lines().next().unwrap_or_default());
            }
            return Ok(self.buffer.get(end + 4..).unwrap_or_default());
        }
    }
}

/// Sends requests over so many connections until the time is over or there are no more.
pub(crate) async fn load(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Run> {
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for mut connection in open {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        senders.spawn(async move {
            let mut latencies = Vec::with_capacity(requests.len());
            while began.elapsed() < time {
                let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let sent = Instant::now();
                connection.accepted(request).await?;
                latencies.push(sent.elapsed().as_secs_f64());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut run = Run::default();
    while let Some(latencies) = senders.join_next().await {
        run.latencies.extend(latencies??);
    }
    run.elapsed = began.elapsed();
    run.latencies.sort_by(f64::total_cmp);
    ensure!(!run.latencies.is_empty(), "nothing was accepted");
    Ok(run)
}
