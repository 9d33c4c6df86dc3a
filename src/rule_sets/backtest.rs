//! A rule set tried on the city's own past, before it may decide.

use std::sync::Arc;

use routing_rules::backtest::{Report, Tally};
use routing_rules::{RuleSet, SourceFile, fingerprint};
use serde_json::json;

use super::bench::{Bench, Trained};
use super::{compile, files_of, history, kept, text_of, told};
use crate::dispatch::actions::write;
use crate::domain::Actor;
use crate::hub::Hub;
use crate::store::Error;
use crate::store::rule_sets::{self as store, Backtested, Stage};

/// The file that holds what a backtest measured.
pub const MEASURED: &str = "measured.toml";

/// Tries a rule set on the tickets of the last so many days, beside another one or the one that decides, and keeps the
/// report. A draft becomes backtested and carries what was measured of its rules; what decides or has decided stays as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] while another backtest runs; [`Error::Invalid`] when one of them cannot be read.
pub async fn backtest(
    hub: &Arc<Hub>,
    number: i64,
    days: u32,
    against: Option<i64>,
    actor: &Actor,
) -> Result<Report, Error> {
    let Ok(_alone) = hub.backtesting.try_lock() else {
        return Err(Error::Illegal("another backtest runs; wait for its end".to_owned()));
    };
    let city = &hub.store.city;
    let (row, files, old) = {
        let mut conn = hub.store.read().await?;
        let row = store::get(&mut conn, city, number).await?;
        let files = files_of(&store::files(&mut conn, city, &row.version).await?)?;
        let old = match against {
            None => hub.rules(),
            Some(other) => {
                let other = store::get(&mut conn, city, other).await?;
                Arc::new(kept(&mut conn, city, &other.version, &hub.caches()).await?)
            }
        };
        (row, files, old)
    };
    let draft = matches!(row.state, Stage::Draft | Stage::Backtested);
    let (rules, files) =
        if draft { measure(hub, files, days).await? } else { (readable(hub, files.clone()).await?, files) };
    let rules = Arc::new(rules);
    let old = (old.version() != rules.version()).then_some(old);
    let tally = run(hub, &rules, old.as_ref(), days).await?;
    let report = tally.report(&rules, old.as_deref());
    let done = Backtested {
        version: rules.version().to_owned(),
        files: text_of(&files),
        report: serde_json::to_string(&report).unwrap_or_default(),
        by: actor.id.clone(),
    };
    let cases = report.cases;
    write(hub, move |hub, conn, changes| {
        let done = done.clone();
        Box::pin(async move {
            let city = &hub.store.city;
            store::lock(conn, city).await?;
            if draft {
                store::backtested(conn, city, number, &done, changes.now()).await?;
            } else {
                store::keep_report(conn, city, number, &done, changes.now()).await?;
            }
            let detail = json!({ "days": days, "cases": cases, "version": done.version }).to_string();
            changes.audit(&done.by, "rule_set.backtested", Some(&number.to_string()), Some(detail));
            Ok(())
        })
    })
    .await?;
    Ok(report)
}

/// The rule set with what is measured of its rules on the past: their confidence hangs on it.
async fn measure(hub: &Arc<Hub>, mut files: Vec<SourceFile>, days: u32) -> Result<(RuleSet, Vec<SourceFile>), Error> {
    files.retain(|file| file.path != MEASURED);
    let bare = Arc::new(readable(hub, files.clone()).await?);
    if let Some(text) = run(hub, &bare, None, days).await?.measured() {
        files.push(SourceFile { path: MEASURED.to_owned(), text });
    }
    Ok((readable(hub, files.clone()).await?, files))
}

async fn readable(hub: &Hub, files: Vec<SourceFile>) -> Result<RuleSet, Error> {
    compile(files, hub.caches()).await?.map_err(|problems| Error::Invalid(told(&problems)))
}

async fn run(hub: &Arc<Hub>, new: &Arc<RuleSet>, old: Option<&Arc<RuleSet>>, days: u32) -> Result<Tally, Error> {
    // The intake keeps a core.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
    let mut bench = Bench::start(Some(threads), new, old, &trained(new, old));
    let mut after = history::since(hub, days);
    loop {
        let (page, next) = history::page(hub, &after).await?;
        let cases: Vec<_> = page.iter().filter_map(|past| history::case(hub, past)).collect();
        bench = tokio::task::spawn_blocking(move || {
            bench.cases(cases);
            bench
        })
        .await
        .map_err(|_| Error::Stopping)?;
        match next {
            Some(next) if !hub.stopping.is_cancelled() => after = next.to_string(),
            Some(_) => return Err(Error::Stopping),
            None => break,
        }
    }
    let (tally, _) = tokio::task::spawn_blocking(move || bench.end()).await.map_err(|_| Error::Stopping)?;
    Ok(tally)
}

/// The cases that either rule set was trained on.
#[must_use]
pub fn trained(new: &Arc<RuleSet>, old: Option<&Arc<RuleSet>>) -> Trained {
    let rule_sets: Vec<Arc<RuleSet>> =
        old.into_iter().chain([new]).filter(|rules| rules.learned().is_some()).map(Arc::clone).collect();
    Arc::new(move |case| {
        // The fingerprint is a hash, asked for only where there is something to compare it with.
        !rule_sets.is_empty() && {
            let own = fingerprint(Some(&case.id), case.title.as_deref(), &case.text);
            rule_sets.iter().filter_map(|rules| rules.learned()).any(|learned| learned.trained_on(own))
        }
    })
}
