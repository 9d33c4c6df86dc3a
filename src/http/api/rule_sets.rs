//! Rule sets: drafting, proving, publishing and rolling back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use routing_rules::{Decision, Facts, Inputs, Problem, RuleSet, SourceFile, WhyNot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Page;
use super::catalogue::Whole;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Number, Params, Staff};
use crate::hub::Hub;
use crate::projection::moment;
use crate::rule_sets;
use crate::rule_sets::in_use::InUse;
use crate::rule_sets::replay::Replay;
use crate::rule_sets::stats::Stats;
use crate::store::Error;
use crate::store::rule_sets::{self as store, RuleSetRow, Stage};

/// A rule set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleSetView {
    /// Counts from 1, in order of import.
    pub number: i64,
    /// What decisions name it by: a hash of its files.
    pub version: String,
    /// `draft`, `backtested`, `published` (it decides now) or `superseded`.
    pub state: Stage,
    /// The pack's own id.
    pub pack: String,
    /// What is new in it, in the drafter's words.
    pub note: Option<String>,
    /// Who drafted it, as the audit log names it.
    pub drafted_by: String,
    /// When (RFC 3339).
    pub drafted_at: String,
    /// Who ran its last backtest.
    pub backtested_by: Option<String>,
    /// When (RFC 3339).
    pub backtested_at: Option<String>,
    /// Who let it decide last.
    pub published_by: Option<String>,
    /// Since when it decides, or decided last (RFC 3339).
    pub published_at: Option<String>,
    /// When another one took its place (RFC 3339).
    pub superseded_at: Option<String>,
}

impl From<RuleSetRow> for RuleSetView {
    fn from(row: RuleSetRow) -> Self {
        Self {
            number: row.number,
            version: row.version,
            state: row.state,
            pack: row.pack,
            note: row.note,
            drafted_by: row.drafted_by,
            drafted_at: moment(row.drafted_at),
            backtested_by: row.backtested_by,
            backtested_at: row.backtested_at.map(moment),
            published_by: row.published_by,
            published_at: row.published_at.map(moment),
            superseded_at: row.superseded_at.map(moment),
        }
    }
}

/// A rule set, with what open tickets hang on and it does not know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Enacted {
    /// The rule set.
    #[serde(flatten)]
    pub rule_set: RuleSetView,
    /// Departments and items of open tickets that it does not have, most tickets first; look after these tickets.
    pub in_use: Vec<InUse>,
}

/// The rule sets, the newest first.
#[utoipa::path(get, path = "/api/v1/rule-sets", tag = "rule sets", responses((status = 200, description = "All rule sets", body = Whole<RuleSetView>)))]
pub(super) async fn list(State(hub): State<Arc<Hub>>) -> Result<Json<Whole<RuleSetView>>, ApiError> {
    let rows = store::all(&mut hub.store.read().await?, &hub.store.city).await?;
    Ok(Json(Whole { items: rows.into_iter().map(RuleSetView::from).collect() }))
}

/// A rule set with its files and what its last backtest found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeRuleSet {
    /// What a list shows.
    #[serde(flatten)]
    pub rule_set: RuleSetView,
    /// Its files: texts by path within the pack.
    pub files: BTreeMap<String, String>,
    /// The report of its last backtest.
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
}

/// One rule set.
#[utoipa::path(
    get, path = "/api/v1/rule-sets/{id}", tag = "rule sets", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "The rule set", body = WholeRuleSet), (status = 404, description = "No such rule set", body = ErrorBody))
)]
pub(super) async fn get(State(hub): State<Arc<Hub>>, Id(id): Id) -> Result<Json<WholeRuleSet>, ApiError> {
    let mut conn = hub.store.read().await?;
    let city = &hub.store.city;
    let row = store::get(&mut conn, city, number(&id)?).await?;
    let files = rule_sets::files_of(&store::files(&mut conn, city, &row.version).await?)?;
    let report = store::report(&mut conn, city, row.number).await?;
    Ok(Json(WholeRuleSet {
        rule_set: row.into(),
        files: files.into_iter().map(|file| (file.path, file.text)).collect(),
        report: report.and_then(|report| serde_json::from_str(&report).ok()),
    }))
}

/// The number of the address.
pub(super) fn number(id: &str) -> Result<i64, ApiError> {
    id.parse().map_err(|_| no_rule_set())
}

/// A pack.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Pack {
    /// Its TOML files: texts by path within the pack.
    pub files: BTreeMap<String, String>,
    /// What is new in it.
    pub note: Option<String>,
}

impl Pack {
    fn sources(&self) -> Vec<SourceFile> {
        self.files.iter().map(|(path, text)| SourceFile { path: path.clone(), text: text.clone() }).collect()
    }
}

/// What is wrong in a pack.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemView {
    /// Path within the pack.
    pub file: String,
    /// Line from 1; 0 when it concerns the file or pack as a whole.
    pub line: usize,
    /// The line itself, at most 120 characters.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl From<Problem> for ProblemView {
    fn from(problem: Problem) -> Self {
        let Problem { file, line, excerpt, message, advice } = problem;
        Self { file, line, excerpt, message, advice }
    }
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    /// The version that decisions would name; null when the pack cannot be read.
    pub version: Option<String>,
    /// Every problem; empty when it can be drafted.
    pub problems: Vec<ProblemView>,
    /// How many of its own tests passed.
    pub tests_passed: usize,
    /// Those that failed, a line each.
    pub test_failures: Vec<String>,
}

/// Check a pack and run the tests that it brings along, changing nothing.
#[utoipa::path(
    post, path = "/api/v1/rule-sets/check", tag = "rule sets", request_body = Pack,
    responses((status = 200, description = "What was found", body = Checked), (status = 422, description = "Not a pack", body = ErrorBody))
)]
pub(super) async fn check(State(hub): State<Arc<Hub>>, Body(pack): Body<Pack>) -> Result<Json<Checked>, ApiError> {
    let compiled = rule_sets::compile(pack.sources(), hub.caches()).await?;
    Ok(Json(match compiled {
        Err(problems) => Checked {
            version: None,
            problems: problems.into_iter().map(ProblemView::from).collect(),
            tests_passed: 0,
            test_failures: Vec::new(),
        },
        Ok(rules) => {
            let tests = rules.run_tests();
            Checked {
                version: Some(rules.version().to_owned()),
                problems: Vec::new(),
                tests_passed: tests.passed,
                test_failures: tests.failures.iter().map(ToString::to_string).collect(),
            }
        }
    }))
}

/// Draft a rule set. A pack whose text is known already keeps its number.
#[utoipa::path(
    post, path = "/api/v1/rule-sets", tag = "rule sets", request_body = Pack,
    responses((status = 201, description = "Drafted", body = Enacted), (status = 200, description = "Known already", body = Enacted), (status = 422, description = "The pack has problems, told as `problems`", body = ErrorBody))
)]
pub(super) async fn draft(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(pack): Body<Pack>,
) -> Result<(StatusCode, Json<Enacted>), ApiError> {
    let files = pack.sources();
    let rules = readable(rule_sets::compile(files.clone(), hub.caches()).await?)?;
    let (number, new) = rule_sets::draft(&hub, &rules, &files, pack.note, &actor).await?;
    let in_use = rule_sets::in_use::orphaned(&hub, &rules).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, enacted(&hub, number, in_use).await?))
}

async fn enacted(hub: &Hub, number: i64, in_use: Vec<InUse>) -> Result<Json<Enacted>, ApiError> {
    let row = store::get(&mut hub.store.read().await?, &hub.store.city, number).await?;
    Ok(Json(Enacted { rule_set: row.into(), in_use }))
}

fn readable(compiled: Result<RuleSet, Vec<Problem>>) -> Result<RuleSet, ApiError> {
    compiled.map_err(|problems| {
        let told = rule_sets::told(&problems);
        let list: Vec<ProblemView> = problems.into_iter().map(ProblemView::from).collect();
        ApiError::invalid(told).with("problems", json!(list))
    })
}

/// Let a backtested rule set decide, from the next message on; `in_use` warns of departments and items that open tickets hang on
/// and it does not have. With `rules.two_person` it takes another person than its drafter.
#[utoipa::path(
    post, path = "/api/v1/rule-sets/{id}/publish", tag = "rule sets", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "It decides", body = Enacted), (status = 404, description = "No such rule set", body = ErrorBody), (status = 409, description = "It may not be published, or not by you", body = ErrorBody))
)]
pub(super) async fn publish(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<Enacted>, ApiError> {
    let number = number(&id)?;
    let in_use = rule_sets::publish(&hub, number, &actor).await.map_err(conflict)?;
    enacted(&hub, number, in_use).await
}

/// Let a rule set decide again that decided before, at once.
#[utoipa::path(
    post, path = "/api/v1/rule-sets/{id}/rollback", tag = "rule sets", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "It decides", body = Enacted), (status = 404, description = "No such rule set", body = ErrorBody), (status = 409, description = "It never decided, or does now", body = ErrorBody))
)]
pub(super) async fn roll_back(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<Enacted>, ApiError> {
    let number = number(&id)?;
    let in_use = rule_sets::roll_back(&hub, number, &actor).await.map_err(conflict)?;
    enacted(&hub, number, in_use).await
}

/// What is to be explained.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Question {
    /// The subject.
    pub subject: Option<String>,
    /// The citizen's words.
    pub text: String,
    /// What else is known: `language`, `channel`, `account`, `item` (the citizen's choice), `place`, `street`, `district`, `kind`,
    /// `citizen_kind`, `attachments`, `local_time`. What is left out is unknown, and what is unknown fires no rule.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub inputs: Inputs,
    /// The number of the rule set that is asked; the one that decides when left out.
    pub rule_set: Option<i64>,
    /// A department: tell why the text does not go there.
    pub why_not: Option<String>,
}

/// A decision explained.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explained {
    /// The decision with its trace.
    #[schema(value_type = Object)]
    pub decision: Decision,
    /// Why it does not go to the department that was asked for: `items` with the points they lack, `silent` rules with what
    /// they lack; null when none was asked for.
    #[schema(value_type = Option<Object>)]
    pub why_not: Option<WhyNot>,
}

/// Explain what a rule set makes of a text, and why not something else. Nothing is kept.
#[utoipa::path(
    post, path = "/api/v1/rule-sets/explain", tag = "rule sets", request_body = Question,
    responses((status = 200, description = "The decision", body = Explained), (status = 404, description = "No such rule set", body = ErrorBody), (status = 422, description = "No such department", body = ErrorBody))
)]
pub(super) async fn explain(
    State(hub): State<Arc<Hub>>,
    Body(question): Body<Question>,
) -> Result<Json<Explained>, ApiError> {
    let rules = match question.rule_set {
        None => hub.rules(),
        Some(number) => {
            let mut conn = hub.store.read().await?;
            let row = store::get(&mut conn, &hub.store.city, number).await?;
            Arc::new(rule_sets::kept(&mut conn, &hub.store.city, &row.version, &hub.caches()).await?)
        }
    };
    let facts = Facts::of_inputs(&question.inputs, question.subject.as_deref(), &question.text);
    let why_not = match &question.why_not {
        None => None,
        Some(department) => {
            let found = rules.why_not(&facts, department);
            Some(found.ok_or_else(|| ApiError::invalid(format!("there is no department {department}")))?)
        }
    };
    Ok(Json(Explained { decision: rules.decide(&facts), why_not }))
}

/// How a rule set is tried.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Trial {
    /// On the tickets of the last so many days, 1 to 3650; 365 when left out.
    pub days: Option<u32>,
    /// The number of the rule set that it is compared with; the one that decides when left out.
    pub against: Option<i64>,
}

/// Try a rule set on the city's own past. A draft becomes backtested. Takes a minute for some hundred thousand tickets.
#[utoipa::path(
    post, path = "/api/v1/rule-sets/{id}/backtest", tag = "rule sets", request_body = Trial, params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "What it would have done", body = Object), (status = 404, description = "No such rule set", body = ErrorBody), (status = 409, description = "Another backtest runs", body = ErrorBody), (status = 422, description = "It cannot be read", body = ErrorBody))
)]
pub(super) async fn backtest(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(trial): Body<Trial>,
) -> Result<Json<Value>, ApiError> {
    let days = days(trial.days, 365)?;
    let report = rule_sets::backtest::backtest(&hub, number(&id)?, days, trial.against, &actor).await;
    let report = report.map_err(conflict)?;
    Ok(Json(serde_json::to_value(report).unwrap_or_default()))
}

/// Days back from now.
fn days(wanted: Option<u32>, otherwise: u32) -> Result<u32, ApiError> {
    match wanted.unwrap_or(otherwise) {
        days @ 1..=3650 => Ok(days),
        _ => Err(ApiError::invalid("days must be from 1 to 3650")),
    }
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatsParams {
    /// The tickets of the last so many days, 1 to 3650; 30 when left out.
    days: Option<u32>,
}

/// What the rules did lately: how often they decided, and how often each rule and phrase spoke, was right, or was sent back.
#[utoipa::path(
    get, path = "/api/v1/rule-sets/stats", tag = "rule sets", params(StatsParams),
    responses((status = 200, description = "The figures", body = Stats), (status = 422, description = "Not so many days", body = ErrorBody))
)]
pub(super) async fn stats(
    State(hub): State<Arc<Hub>>,
    Params(params): Params<StatsParams>,
) -> Result<Json<Stats>, ApiError> {
    Ok(Json(rule_sets::stats::stats(&hub, days(params.days, 30)?).await?))
}

/// Which part of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// The tickets of the last so many days, 1 to 3650; 365 when left out.
    days: Option<u32>,
    /// Go on after this ticket: the `next` of the page before.
    after: Option<String>,
}

/// The labelled history: for each past ticket of which it is known, where its appeal belonged or did not. Persons are masked.
/// A page may be empty and still not be the last. Audited.
#[utoipa::path(
    get, path = "/api/v1/rule-sets/history", tag = "rule sets", params(HistoryParams),
    responses((status = 200, description = "A page", body = Page<Object>), (status = 422, description = "Not so many days", body = ErrorBody))
)]
pub(super) async fn history(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<HistoryParams>,
) -> Result<Json<Page<Value>>, ApiError> {
    let days = days(params.days, 365)?;
    let after = super::after_number(params.after.as_deref())?;
    if after.is_none() {
        super::tickets::audit(&hub, &actor, "history.read", None, json!({ "days": days })).await?;
    }
    let after = after.unwrap_or_else(|| rule_sets::history::since(&hub, days));
    let (page, next) = rule_sets::history::page(&hub, &after).await?;
    let cases = page.iter().filter_map(|past| rule_sets::history::case(&hub, past));
    let items = cases.map(|case| serde_json::to_value(case).unwrap_or_default()).collect();
    Ok(Json(Page { items, next: next.map(|next| next.to_string()) }))
}

/// Judge the stored inputs of a ticket's decision again, by its own rules and by those that decide now, changing nothing. By its
/// own rules it comes to the same, unless the engine has changed.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/replay", tag = "rule sets", params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "What differs", body = Replay), (status = 404, description = "No such ticket, or rules never judged it", body = ErrorBody), (status = 422, description = "Its rule set was not kept", body = ErrorBody))
)]
pub(super) async fn replay(State(hub): State<Arc<Hub>>, Number(number): Number) -> Result<Json<Replay>, ApiError> {
    Ok(Json(rule_sets::replay::replay(&hub, &number).await?))
}

/// Whoever may ask of rule sets may see them all, so that nothing is given away.
fn no_rule_set() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no rule set of this number; the list has them all")
}

/// A rule set has no moves of a ticket, so its conflict has a code of its own.
fn conflict(error: Error) -> ApiError {
    match error {
        Error::Illegal(message) => ApiError::conflict("not_now", message),
        Error::NotFound => no_rule_set(),
        other => other.into(),
    }
}
