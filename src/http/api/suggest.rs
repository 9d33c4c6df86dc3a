//! What the rules would make of what somebody is typing; nothing is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use channel_contract::{CitizenKind, Form, Medium, Message};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{explain, queue};
use crate::dispatch::{Circumstances, judge};
use crate::domain::{Millis, TicketState};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Staff};
use crate::hub::Hub;
use crate::projection::{DecisionView, TicketSummary, moment};
use crate::store::search::{self, Whom};
use crate::store::tickets::Filter;

const HOUR: Millis = 3_600_000;

/// The longest text that is looked at, characters.
const LONGEST: usize = 20_000;

/// Open tickets of the same caller that are named.
const MOST_DUPLICATES: i64 = 10;

/// What has been typed so far.
#[derive(Deserialize, ToSchema)]
pub(super) struct Typed {
    /// What the caller says.
    #[serde(default)]
    pub text: String,
    /// The subject, if there is one.
    pub subject: Option<String>,
    /// Where it is, in words.
    pub place: Option<String>,
    /// The street, if it was asked for by itself.
    pub street: Option<String>,
    /// Whom the caller speaks for: `individual` or `enterprise`.
    pub citizen_kind: Option<String>,
    /// The medium; `phone` when left out.
    pub channel: Option<String>,
    /// The caller's number; with the right to identities its open tickets are named.
    pub from: Option<String>,
    /// The service item, if somebody has chosen one.
    pub item: Option<String>,
}

/// A candidate.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Candidate {
    /// The service item.
    pub item: String,
    /// Its names by language (BCP 47).
    pub names: BTreeMap<String, String>,
    /// Where it would go; null where the catalogue names no department.
    pub department: Option<String>,
    /// The sum of the weights of the rules that spoke for it.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
}

/// What the rules make of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suggested {
    /// Candidates, best first, at most five.
    pub items: Vec<Candidate>,
    /// The service item that the rules decide for; null when they leave it to a person.
    pub item: Option<String>,
    /// The department that they decide for.
    pub department: Option<String>,
    /// The district, if the text or the place tells.
    pub district: Option<String>,
    /// The appeal kind.
    pub kind: String,
    /// The priority.
    pub priority: String,
    /// Whether the caller asks for confidence.
    pub confidential: bool,
    /// Numbers to call at once (`110`, `119`, `120`); empty when there is no emergency.
    pub emergency: Vec<String>,
    /// The language of the text (BCP 47), if known.
    pub language: Option<String>,
    /// Hours from the dispatch until the answer is due.
    pub deadline_hours: u32,
    /// When the answer would be due (RFC 3339).
    pub due_at: String,
    /// `rule`, `learned` or `abstain`.
    pub decided_by: String,
    /// Why they leave it to a person.
    pub reason: Option<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// The decision in one sentence, by language (BCP 47).
    pub sentences: BTreeMap<String, String>,
    /// Open tickets of the same caller, newest first.
    pub duplicates: Vec<TicketSummary>,
}

/// Suggest item, department and the rest while somebody types. Cheap: nothing is written.
#[utoipa::path(
    post, path = "/api/v1/suggest", tag = "calls", request_body = Typed,
    responses((status = 200, description = "What the rules make of it", body = Suggested), (status = 422, description = "Unknown channel, or too long", body = ErrorBody))
)]
pub(super) async fn suggest(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(typed): Body<Typed>,
) -> Result<Json<Suggested>, ApiError> {
    if typed.text.chars().count() > LONGEST {
        return Err(ApiError::invalid(format!("text has at most {LONGEST} characters")));
    }
    let word = typed.channel.as_deref().unwrap_or(Medium::Phone.as_str());
    let medium = Medium::parse(word).ok_or_else(|| ApiError::invalid(format!("{word} is no channel")))?;
    let citizen_kind = match typed.citizen_kind.as_deref() {
        None | Some("") => None,
        Some(word) => {
            Some(CitizenKind::parse(word).ok_or_else(|| ApiError::invalid(format!("{word} is no kind of citizen")))?)
        }
    };
    let message = Message {
        subject: typed.subject,
        text: typed.text,
        form: Some(Form {
            item: typed.item,
            place: typed.place,
            street: typed.street,
            citizen_kind,
            confidential: false,
            answer_channel: None,
            answer_address: None,
            suspected_spam: false,
        }),
        ..Message::default()
    };
    let (rules, now) = (hub.rules(), hub.clock.millis());
    let circumstances = Circumstances {
        channel: medium.as_str(),
        account: medium.as_str(),
        attachments: None,
        local_time: hub.local_time(now),
    };
    let judgement = judge(&rules, &hub.languages, &circumstances, &message);
    let decision = judgement.decision;
    // An item that somebody has chosen stands first whatever the rules think of it, so that another may have the higher score.
    let best = decision.ranked.first().map_or(0.0, |best| best.score);
    let share = |place: usize, score: f64| match (place, score / best) {
        (0, _) => 1.0,
        (_, share) if share.is_finite() => share.clamp(0.0, 1.0),
        _ => 0.0,
    };
    let items = decision
        .ranked
        .iter()
        .enumerate()
        .map(|(place, ranked)| Candidate {
            item: ranked.item.clone(),
            names: rules.item(&ranked.item).map(|item| item.names.clone()).unwrap_or_default(),
            department: rules.department_for(&ranked.item, decision.district.as_deref()).map(str::to_owned),
            score: ranked.score,
            confidence: decision.confidence * share(place, ranked.score),
        })
        .collect();
    let view = DecisionView {
        id: String::new(),
        item: decision.item.clone(),
        department: decision.department.clone(),
        decided_by: decision.decided_by.as_str().to_owned(),
        reason: decision.reason.map(|reason| reason.as_str().to_owned()),
        confidence: Some(decision.confidence),
        rule_set: Some(rules.version().to_owned()),
        ranked: serde_json::to_value(&decision.ranked).unwrap_or_default(),
        trace: serde_json::to_value(&decision.trace).unwrap_or_default(),
        actor: None,
        at: moment(now),
        sentences: BTreeMap::new(),
        marks: Vec::new(),
    };
    let sentences = explain::sentences(&hub, &view, decision.district.as_deref(), &BTreeMap::new());
    let mut duplicates = Vec::new();
    if let Some(from) = typed.from.as_deref().map(str::trim).filter(|from| actor.identity && !from.is_empty()) {
        let open = TicketState::ALL.into_iter().filter(|state| *state != TicketState::Closed).collect();
        let filter = Filter { scope: actor.scope().map(str::to_owned), states: open, ..Filter::default() };
        let whom = Whom::Address(crate::channels::spellings(&hub.config.channels, from));
        let mut conn = hub.store.read().await?;
        let page = search::by_contact(&mut conn, &hub.store.city, &whom, &filter, None, MOST_DUPLICATES).await?;
        duplicates = queue::summaries(&hub, &actor, &mut conn, &page.rows).await?;
    }
    Ok(Json(Suggested {
        items,
        item: decision.item,
        department: decision.department,
        district: decision.district,
        kind: decision.kind.as_str().to_owned(),
        priority: decision.priority.as_str().to_owned(),
        confidential: decision.confidential,
        emergency: decision.emergency,
        language: judgement.facts.language,
        deadline_hours: decision.deadline_hours,
        due_at: moment(now + Millis::from(decision.deadline_hours) * HOUR),
        decided_by: view.decided_by,
        reason: view.reason,
        confidence: decision.confidence,
        sentences,
        duplicates,
    }))
}
