//! The life of rule sets: drafted from a pack, tried on the past, published by a second person, superseded, rolled back to.
//!
//! The database says which one decides. A node that publishes swaps its rules at once, others follow within a second. What
//! was judged before the swap stays as it is, because every decision names the version that judged it.

pub mod backtest;
pub mod bench;
pub mod cache;
pub mod history;
pub mod in_use;
pub mod replay;
pub mod stats;

use std::collections::BTreeSet;
use std::sync::Arc;

use routing_rules::{Problem, RuleSet, SourceFile};
use serde_json::{Map, Value, json};

use self::cache::Caches;
use self::in_use::InUse;

use crate::dispatch::actions::write;
use crate::domain::{Actor, Millis};
use crate::hub::Hub;
use crate::store::rule_sets::{self as store, NewRuleSet, RuleSetRow, Stage};
use crate::store::{Conn, Error, Event, Store};

/// Who imports the pack of the settings at the first start.
const FIRST_START: &str = "hub:first start";

/// The files of a pack as the database keeps them: a JSON object of paths and texts.
#[must_use]
pub fn text_of(files: &[SourceFile]) -> String {
    let files: Map<String, Value> =
        files.iter().map(|file| (file.path.clone(), Value::from(file.text.as_str()))).collect();
    Value::Object(files).to_string()
}

/// Reads [`text_of`] back.
///
/// # Errors
/// [`Error::Shape`] for anything else.
pub fn files_of(text: &str) -> Result<Vec<SourceFile>, Error> {
    let files: std::collections::BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|_| Error::Shape("files of a rule set".to_owned()))?;
    Ok(files.into_iter().map(|(path, text)| SourceFile { path, text }).collect())
}

/// Compiles a pack beside the runtime's threads, for a learned one takes a while.
///
/// # Errors
/// Every problem of the pack.
pub async fn compile(files: Vec<SourceFile>, caches: Caches) -> Result<Result<RuleSet, Vec<Problem>>, Error> {
    tokio::task::spawn_blocking(move || caches.compile(&files)).await.map_err(|_| Error::Stopping)
}

/// The rule set of a version that was kept.
///
/// # Errors
/// [`Error::NotFound`] when it was not; [`Error::Invalid`] when this engine cannot read it any more.
pub async fn kept(conn: &mut Conn, city: &str, version: &str, caches: &Caches) -> Result<RuleSet, Error> {
    let files = files_of(&store::files(conn, city, version).await?)?;
    compile(files, caches.clone()).await?.map_err(|problems| Error::Invalid(told(&problems)))
}

/// Problems as one text, a line each.
#[must_use]
pub fn told(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The rules that decide after a start: the published ones. The first start imports the pack of the settings; later a pack
/// that differs is only told of.
///
/// # Errors
/// [`Error`] of the store.
pub async fn start(
    store: &Store,
    pack: RuleSet,
    files: &[SourceFile],
    caches: &Caches,
    now: Millis,
) -> Result<RuleSet, Error> {
    let city = store.city.to_string();
    let published = {
        let mut conn = store.read().await?;
        store::published(&mut conn, &city).await?
    };
    let Some(published) = published else {
        first(store, &pack, files, now).await?;
        return Ok(pack);
    };
    if published.version == pack.version() {
        return Ok(pack);
    }
    let found = {
        let mut conn = store.read().await?;
        kept(&mut conn, &city, &published.version, caches).await
    };
    match found {
        Ok(rules) => {
            if published.imported != pack.version() {
                tracing::warn!(
                    rule_set = published.number,
                    "the pack of the settings differs from the rule set that decides and is not taken; `yingda rules import` drafts it"
                );
            }
            Ok(rules)
        }
        // Messages must be taken whatever happens, and the pack of the settings is known to be whole.
        Err(Error::Invalid(problems)) => {
            tracing::error!(
                rule_set = published.number,
                problems,
                "the published rule set cannot be read by this version; the pack of the settings decides until another one is published"
            );
            let (version, files) = (pack.version().to_owned(), text_of(files));
            store
                .write(move |conn| {
                    let (city, version, files) = (city.clone(), version.clone(), files.clone());
                    Box::pin(async move { store::keep_files(conn, &city, &version, &files, now).await })
                })
                .await?;
            Ok(pack)
        }
        Err(error) => Err(error),
    }
}

/// Imports the pack of the settings as the rule set that decides.
async fn first(store: &Store, pack: &RuleSet, files: &[SourceFile], now: Millis) -> Result<(), Error> {
    let new = NewRuleSet {
        version: pack.version().to_owned(),
        pack: pack.id().to_owned(),
        files: text_of(files),
        note: None,
        by: FIRST_START.to_owned(),
    };
    let store_of_job = store.clone();
    let position = store
        .write(move |conn| {
            let (store, new) = (store_of_job.clone(), new.clone());
            Box::pin(async move {
                store::lock(conn, &store.city).await?;
                // Another node may have been first.
                if store::published(conn, &store.city).await?.is_some() {
                    return Ok(None);
                }
                let number = match store::by_version(conn, &store.city, &new.version).await? {
                    Some(known) => known.number,
                    None => store::draft(conn, &store.city, &new, now).await?,
                };
                store::publish(conn, &store.city, number, FIRST_START, now).await?;
                let mut changes = store.changes(now);
                changes.audit(FIRST_START, "rule_set.published", Some(&number.to_string()), None);
                changes.flush(conn).await
            })
        })
        .await?;
    store.announce(position);
    Ok(())
}

/// Drafts a pack that was compiled; one whose text is known already keeps its number. Returns the number and whether it is new.
///
/// # Errors
/// [`Error::Invalid`] for a pack without departments; otherwise of the store.
pub async fn draft(
    hub: &Arc<Hub>,
    rules: &RuleSet,
    files: &[SourceFile],
    note: Option<String>,
    actor: &Actor,
) -> Result<(i64, bool), Error> {
    if rules.is_without_departments() {
        let advice = "put its learned/ folder beside the pack's own files";
        return Err(Error::Invalid(format!("learned phrases alone route nothing: {advice}")));
    }
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let new = NewRuleSet {
        version: rules.version().to_owned(),
        pack: rules.id().to_owned(),
        files: text_of(files),
        note,
        by: actor.id.clone(),
    };
    write(hub, move |hub, conn, changes| {
        let new = new.clone();
        Box::pin(async move {
            let city = &hub.store.city;
            store::lock(conn, city).await?;
            if let Some(known) = store::by_version(conn, city, &new.version).await? {
                return Ok((known.number, false));
            }
            let number = store::draft(conn, city, &new, changes.now()).await?;
            let detail = json!({ "version": new.version, "note": new.note }).to_string();
            changes.audit(&new.by, "rule_set.drafted", Some(&number.to_string()), Some(detail));
            Ok((number, true))
        })
    })
    .await
}

/// How a rule set comes to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Publish,
    RollBack,
}

/// Makes a backtested rule set the one that decides, from the next message on. Returns what open tickets hang on and it does
/// not know any more.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] when it is not backtested, when its own tests fail, or when whoever drafted it
/// wants to publish it where two persons are asked for; [`Error::Invalid`] when this engine cannot read it.
pub async fn publish(hub: &Arc<Hub>, number: i64, actor: &Actor) -> Result<Vec<InUse>, Error> {
    enact(hub, number, actor, Way::Publish).await
}

/// Makes a rule set that decided once the one that decides again, at once and by one person. Returns as [`publish`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] when it never decided, or does now; [`Error::Invalid`] when this engine cannot
/// read it.
pub async fn roll_back(hub: &Arc<Hub>, number: i64, actor: &Actor) -> Result<Vec<InUse>, Error> {
    enact(hub, number, actor, Way::RollBack).await
}

async fn enact(hub: &Arc<Hub>, number: i64, actor: &Actor, way: Way) -> Result<Vec<InUse>, Error> {
    let rules = {
        let mut conn = hub.store.read().await?;
        let row = store::get(&mut conn, &hub.store.city, number).await?;
        permitted(hub, &row, actor, way)?;
        kept(&mut conn, &hub.store.city, &row.version, &hub.caches()).await?
    };
    if way == Way::Publish {
        let tests = rules.run_tests();
        if let Some(failure) = tests.failures.first() {
            return Err(Error::Illegal(format!("{} of its own tests fail, first {failure}", tests.failures.len())));
        }
    }
    let orphaned = in_use::orphaned(hub, &rules).await?;
    let left = json!(orphaned);
    let (actor, version) = (actor.clone(), rules.version().to_owned());
    write(hub, move |hub, conn, changes| {
        let (actor, version, left) = (actor.clone(), version.clone(), left.clone());
        Box::pin(async move {
            let city = &hub.store.city;
            store::lock(conn, city).await?;
            let row = store::get(conn, city, number).await?;
            permitted(hub, &row, &actor, way)?;
            if row.version != version {
                return Err(Error::Illegal("it was backtested again meanwhile; look at it once more".to_owned()));
            }
            let before = store::published(conn, city).await?.map(|before| before.number);
            store::publish(conn, city, number, &actor.id, changes.now()).await?;
            let action = if way == Way::Publish { "rule_set.published" } else { "rule_set.rolled_back" };
            let detail = json!({
                "version": version,
                "before": before,
                "two_person": hub.config.rules.two_person,
                "drafted_by": row.drafted_by,
                "in_use": left,
            });
            changes.audit(&actor.id, action, Some(&number.to_string()), Some(detail.to_string()));
            let detail = Some(json!({ "number": number, "version": version, "actor": actor.id }).to_string());
            changes.event(Event { kind: "rules_published", ticket: None, state: None, department: None, detail });
            Ok(())
        })
    })
    .await?;
    tracing::info!(rule_set = number, version = rules.version(), "other rules decide from now on");
    hub.run_rules(rules);
    Ok(orphaned)
}

fn permitted(hub: &Hub, row: &RuleSetRow, actor: &Actor, way: Way) -> Result<(), Error> {
    let refused = |why: String| Err(Error::Illegal(why));
    match (way, row.state) {
        (_, Stage::Published) => refused(format!("rule set {} decides already", row.number)),
        (Way::Publish, Stage::Draft) => {
            refused(format!("rule set {} must be backtested before it is published", row.number))
        }
        (Way::Publish, Stage::Superseded) => {
            refused(format!("rule set {} has decided before; roll back to it", row.number))
        }
        (Way::RollBack, Stage::Draft | Stage::Backtested) => {
            refused(format!("rule set {} has never decided; publish it", row.number))
        }
        (Way::Publish, Stage::Backtested) if hub.config.rules.two_person && row.drafted_by == actor.id => {
            refused("whoever drafted a rule set may not publish it; ask a second person".to_owned())
        }
        (Way::Publish, Stage::Backtested) | (Way::RollBack, Stage::Superseded) => Ok(()),
    }
}

/// Takes what another node published. `unreadable` remembers a version that this engine cannot read, so that it is tried and
/// told once. Returns whether other rules decide now.
///
/// # Errors
/// [`Error`] of the store; [`Error::Invalid`] for a version that cannot be read.
pub async fn follow(hub: &Arc<Hub>, unreadable: &mut BTreeSet<String>) -> Result<bool, Error> {
    let mut conn = hub.store.read().await?;
    let Some(published) = store::published(&mut conn, &hub.store.city).await? else { return Ok(false) };
    if published.version == hub.rules().version() || unreadable.contains(&published.version) {
        return Ok(false);
    }
    match kept(&mut conn, &hub.store.city, &published.version, &hub.caches()).await {
        Ok(rules) => {
            tracing::info!(rule_set = published.number, version = rules.version(), "other rules decide from now on");
            hub.run_rules(rules);
            Ok(true)
        }
        Err(error) => {
            unreadable.insert(published.version);
            Err(error)
        }
    }
}
