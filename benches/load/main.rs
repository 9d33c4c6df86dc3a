//! What the hub costs: appeals a second through the whole path, how soon a department sees them, memory, start.
//!
//! The release binary runs on SQLite on the disk of the build folder and takes signed short messages of distinct
//! senders over keep-alive connections. Its figures are taken alternately with those of a bare program ([`bare`]),
//! so that both see the same machine; a figure is the median of its rounds. The search index stands back while much comes
//! in; each measurement is followed by its catching up, which has a column of its own. `make bench` builds and runs all;
//! `target/release/load --rounds 1` is quicker, `--only-hub 32` loads the hub alone for a profiler (`--seconds 10` a time),
//! `--feeds 1000` and `--queue 1000000` take the console's figures alone, and `load seed FOLDER` makes a demo hub with a
//! million tickets.

mod bare;
mod browser;
mod client;
mod crowd;
mod feed;
mod process;
mod queue;
mod seed;
mod table;
mod texts;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::client::{Run, load};
use crate::process::{Bare, Hub};
use crate::table::{Table, median, micros, millis, percentile};
use crate::texts::Citizens;

/// The connections that the issue names.
const CONNECTIONS: [usize; 3] = [1, 8, 32];
/// How long one measurement takes, after a warm-up of a quarter of it.
const MEASURE: Duration = Duration::from_secs(2);
/// What the ratio at 32 connections shall be at least.
const AIM: f64 = 0.4;
/// The feeds and the tickets that the console's issue names.
const FEEDS: usize = 1000;
const TICKETS: usize = 1_000_000;
/// How soon the first rows of a queue of a million shall stand in the browser, milliseconds.
const QUEUE_AIM_MS: f64 = 300.0;
/// What the hub's memory when idle shall stay below.
const IDLE_AIM_MIB: f64 = 60.0;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, listen, database, secret] = arguments.as_slice()
        && first == bare::SUBCOMMAND
    {
        return bare::run(listen, database, secret);
    }
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)?.parse::<usize>().ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let [first, folder, ..] = arguments.as_slice()
        && first == "seed"
    {
        let count = option("--tickets").unwrap_or(TICKETS);
        return runtime.block_on(seed(std::path::Path::new(folder), count));
    }
    match (option("--only-hub"), option("--feeds"), option("--queue")) {
        (Some(connections), ..) => runtime.block_on(only_hub(connections, option("--seconds"))),
        (None, Some(feeds), _) => runtime.block_on(crowd(feeds)),
        (None, None, Some(tickets)) => runtime.block_on(queue(tickets)),
        (None, None, None) => {
            runtime.block_on(compare(option("--rounds").unwrap_or(3).max(1)))?;
            runtime.block_on(crowd(FEEDS))?;
            runtime.block_on(queue(TICKETS))
        }
    }
}

/// Makes a demo hub with very many tickets in a folder that stays.
async fn seed(folder: &std::path::Path, count: usize) -> anyhow::Result<()> {
    let seconds = seed::seed(folder, count).await?;
    writeln!(std::io::stdout().lock(), "{count} tickets in {}: {seconds:.0} s", folder.display())?;
    Ok(())
}

/// The figures of connected feeds, with a hub of its own.
async fn crowd(feeds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(process::build_folder()?)?;
    let hub = Hub::start(folder.path()).await?;
    let mut citizens = Citizens::new(&hub.secret)?;
    let told = crowd::measure(&hub, &mut citizens, feeds).await.context("connected feeds")?;
    write!(std::io::stdout().lock(), "\n{told}")?;
    Ok(())
}

/// The figures of the queue with very many tickets.
async fn queue(tickets: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(process::build_folder()?)?;
    let seconds = seed::seed(folder.path(), tickets).await?;
    let hub = Hub::start(folder.path()).await?;
    let table = queue::measure(&hub).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{tickets} tickets stored (made in {seconds:.0} s), the answer of the API to")?;
    write!(out, "{table}")?;
    match browser::measure(&hub, folder.path()).await? {
        Some((median, slowest)) => writeln!(
            out,
            "first rows of the queue in the browser {median:.0} ms, slowest {slowest:.0} ms (aim: below {QUEUE_AIM_MS:.0})"
        )?,
        None => writeln!(out, "first rows in the browser: no driver, run tests/setup.sh")?,
    }
    writeln!(out, "memory {:.0} MiB", hub.process.resident_mib()?)?;
    Ok(())
}

/// Loads the hub alone and says which process to look at.
async fn only_hub(connections: usize, seconds: Option<usize>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(process::build_folder()?)?;
    let hub = Hub::start(folder.path()).await?;
    let mut citizens = Citizens::new(&hub.secret)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "the hub is process {}", hub.process.id())?;
    let time = seconds.map_or(MEASURE, |seconds| Duration::from_secs(seconds as u64));
    for _ in 0..5 {
        let run = measure(&hub.process, hub.address, &mut citizens, connections, time).await?;
        writeln!(out, "{:.0} a second, {} of CPU each", run.rate(), micros(run.each()))?;
    }
    Ok(())
}

async fn compare(rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(process::build_folder()?)?;
    let hub = Hub::start(&folder.path().join("hub")).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = hub.process.resident_mib()?;
    let mut citizens = Citizens::new(&hub.secret)?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "start to ready {}, idle {idle:.0} MiB (aim: below {IDLE_AIM_MIB:.0})", millis(hub.ready_after))?;
    let seen = feed::measure(&hub, &mut citizens).await.context("feed")?;
    writeln!(
        out,
        "acceptance to the department's feed at {}/s: p50 {}, p99 {}, of {} appeals in {} departments",
        seen.rate,
        millis(Duration::from_secs_f64(percentile(&seen.delays, 0.50))),
        millis(Duration::from_secs_f64(percentile(&seen.delays, 0.99))),
        seen.delays.len(),
        seen.departments,
    )?;

    let bare = Bare::start(&folder.path().join("bare"), &hub.secret).await?;
    writeln!(out, "each figure is the median of {rounds} rounds of {} s, taken alternately\n", MEASURE.as_secs())?;
    let mut table =
        Table::new(&["connections", "program", "appeals/s", "p50", "p99", "CPU each", "index each", "ratio"]);
    let mut at_most = 0.0;
    for connections in CONNECTIONS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            theirs.push(measure(&bare.process, bare.address, &mut citizens, connections, MEASURE).await?);
            ours.push(measure(&hub.process, hub.address, &mut citizens, connections, MEASURE).await?);
        }
        let ratio = median(ours.iter().zip(&theirs).map(|(our, their)| our.rate() / their.rate()));
        for (program, runs, ratio) in [("bare", &theirs, String::new()), ("yingda", &ours, format!("{ratio:.2}"))] {
            table.row(vec![
                connections.to_string(),
                program.to_owned(),
                format!("{:.0}", median(runs.iter().map(Run::rate))),
                millis(Duration::from_secs_f64(median(runs.iter().map(|run| percentile(&run.latencies, 0.50))))),
                millis(Duration::from_secs_f64(median(runs.iter().map(|run| percentile(&run.latencies, 0.99))))),
                micros(median(runs.iter().map(Run::each))),
                micros(median(runs.iter().map(Run::each_later))),
                ratio,
            ]);
        }
        at_most = ratio;
    }
    write!(out, "{table}")?;
    writeln!(out, "\nratio at {} connections {at_most:.2} (aim: at least {AIM})", CONNECTIONS[CONNECTIONS.len() - 1])?;

    writeln!(out, "memory afterwards {:.0} MiB", hub.process.resident_mib()?)?;
    Ok(())
}

/// One measurement with its CPU time; the warm-up before it is not counted. It ends when the program has caught up with what
/// it put off while it was crowded, so that the next measurement, of either program, has the machine for itself.
async fn measure(
    process: &process::Process,
    address: std::net::SocketAddr,
    citizens: &mut Citizens,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Run> {
    let warm = load(address, citizens.requests(time / 4), connections, time / 4).await?.latencies.len();
    let requests = citizens.requests(time);
    let (before, began) = (process.cpu()?, Instant::now());
    let mut run = load(address, requests, connections, time).await?;
    run.elapsed = began.elapsed();
    run.cpu = process.cpu()?.saturating_sub(before);
    run.warm = warm;
    run.later = process.rest().await?;
    Ok(run)
}
