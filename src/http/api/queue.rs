//! The queue: tickets narrowed, in order and counted; and search.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::tickets::audit;
use super::{Page, after_number, limit, millis};
use crate::domain::{Actor, TicketNumber, TicketState};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Params, Staff};
use crate::hub::Hub;
use crate::projection::{self, Eyes, TicketSummary};
use crate::store::search::{self, Whom};
use crate::store::tickets::{self, Assignee, Filter, MOST_COUNTED, Order, TicketRow};
use crate::store::{Conn, staff};

/// What a list of tickets is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this: the `next` of the page before.
    after: Option<String>,
    /// `created` (the oldest first, when left out), `newest`, or `due` (open tickets by what is due first).
    order: Option<String>,
    /// Only these states, parted by commas; `open` is all but `closed`.
    state: Option<String>,
    /// Only this lead department.
    department: Option<String>,
    /// Only this medium.
    channel: Option<String>,
    /// Only this priority: `low`, `normal`, `high` or `urgent`.
    priority: Option<String>,
    /// Only this district.
    district: Option<String>,
    /// Only this service item.
    item: Option<String>,
    /// Only this language (BCP 47).
    language: Option<String>,
    /// Only this appeal kind.
    kind: Option<String>,
    /// Only those whose answer is due before this moment (RFC 3339).
    due_before: Option<String>,
    /// Only open ones whose answer is overdue now.
    #[serde(default)]
    overdue: bool,
    /// `me`, `none`, or the id of a person as `staff:ID`.
    assignee: Option<String>,
    /// Opened at or after this moment (RFC 3339).
    from: Option<String>,
    /// Opened before this moment (RFC 3339).
    until: Option<String>,
    /// Words that must occur; then the newest come first.
    q: Option<String>,
}

/// Left out and empty are the same.
fn said(value: Option<&String>) -> Option<String> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
}

impl ListParams {
    fn states(&self) -> Result<Vec<TicketState>, ApiError> {
        let mut states = Vec::new();
        for word in said(self.state.as_ref()).iter().flat_map(|words| words.split(',')).map(str::trim) {
            match (word, TicketState::parse(word)) {
                ("open", _) => {
                    states.extend(TicketState::ALL.into_iter().filter(|state| *state != TicketState::Closed))
                }
                (_, Some(state)) => states.push(state),
                _ => return Err(ApiError::invalid(format!("{word} is no state"))),
            }
        }
        Ok(states)
    }

    fn order(&self) -> Result<Order, ApiError> {
        match said(self.order.as_ref()).as_deref() {
            None | Some("created") => Ok(Order::Oldest),
            Some("newest") => Ok(Order::Newest),
            Some("due") => Ok(Order::Due),
            Some(other) => Err(ApiError::invalid(format!("{other} is no order; write created, newest or due"))),
        }
    }

    fn filter(&self, hub: &Hub, actor: &Actor) -> Result<Filter, ApiError> {
        let mut states = self.states()?;
        let time = |text: &Option<String>| said(text.as_ref()).as_deref().map(millis).transpose();
        let mut due_before = time(&self.due_before)?;
        if self.overdue {
            let now = hub.clock.millis();
            due_before = Some(due_before.map_or(now, |before| before.min(now)));
            if states.is_empty() {
                states.extend(TicketState::ALL.into_iter().filter(|state| *state != TicketState::Closed));
            }
        }
        let assignee = match said(self.assignee.as_ref()).as_deref() {
            None => None,
            Some("none") => Some(Assignee::Nobody),
            Some("me") => Some(Assignee::Person(actor.id.clone())),
            Some(id) => Some(Assignee::Person(id.to_owned())),
        };
        Ok(Filter {
            scope: actor.scope().map(str::to_owned),
            states,
            department: said(self.department.as_ref()),
            channel: said(self.channel.as_ref()),
            priority: said(self.priority.as_ref()),
            district: said(self.district.as_ref()),
            item: said(self.item.as_ref()),
            language: said(self.language.as_ref()),
            kind: said(self.kind.as_ref()),
            due_before,
            assignee,
            from: time(&self.from)?,
            until: time(&self.until)?,
        })
    }
}

/// Tickets in order of creation, newest first, or by what is due; with `q` those that are found, newest first. A page may be
/// shorter than `limit` and still have a `next`.
#[utoipa::path(
    get, path = "/api/v1/tickets", tag = "tickets", params(ListParams),
    responses((status = 200, description = "A page", body = Page<TicketSummary>), (status = 422, description = "A wrong parameter", body = ErrorBody))
)]
pub(super) async fn list(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<TicketSummary>>, ApiError> {
    let (filter, order, limit) = (params.filter(&hub, &actor)?, params.order()?, limit(params.limit));
    let mut conn = hub.store.read().await?;
    let (city, query) = (&hub.store.city, said(params.q.as_ref()));
    // By what is due, a page goes on after a time, which the store reads itself.
    let after = match (&query, order) {
        (None, Order::Due) => said(params.after.as_ref()),
        _ => after_number(params.after.as_deref())?,
    };
    let after = after.as_deref();
    let page = match query {
        Some(query) => search::find(&mut conn, city, &words(&query), &filter, after, limit).await?,
        None => tickets::page(&mut conn, city, &filter, order, after, limit).await?,
    };
    show(&hub, &actor, &mut conn, page).await.map(Json)
}

/// A ticket number is looked for as one word, however it was typed.
fn words(query: &str) -> String {
    TicketNumber::parse(query).map_or_else(|| query.to_owned(), |number| number.to_string())
}

async fn show(hub: &Hub, actor: &Actor, conn: &mut Conn, page: tickets::Page) -> Result<Page<TicketSummary>, ApiError> {
    Ok(Page { items: summaries(hub, actor, conn, &page.rows).await?, next: page.next })
}

/// Tickets as lines of a list.
pub(super) async fn summaries(
    hub: &Hub,
    actor: &Actor,
    conn: &mut Conn,
    rows: &[TicketRow],
) -> Result<Vec<TicketSummary>, ApiError> {
    let city = &hub.store.city;
    let numbers: Vec<TicketNumber> = rows.iter().map(|row| row.number.clone()).collect();
    let mut beside = tickets::beside(conn, city, &numbers, hub.clock.millis()).await?;
    let assignees = rows.iter().filter_map(|row| row.assignee.as_deref());
    let drafting = beside.values().flat_map(|beside| beside.drafting.iter().map(String::as_str));
    let names = staff::names(conn, city, assignees.chain(drafting)).await?;
    let show = |row: &TicketRow| {
        let beside = beside.remove(&row.number).unwrap_or_default();
        projection::summary(Eyes::of(actor), row, &beside, &names, &actor.id)
    };
    Ok(rows.iter().map(show).collect())
}

/// How many open tickets there are of each kind.
#[derive(Debug, Default, Serialize, ToSchema)]
// The rules have counts too; schemas are told apart by name alone.
#[schema(as = QueueCounts)]
pub(super) struct Counts {
    /// All that the filters let through.
    pub total: i64,
    /// By state; counted without the filter of the state, as each of these four without its own.
    pub state: BTreeMap<String, i64>,
    /// By medium.
    pub channel: BTreeMap<String, i64>,
    /// By lead department.
    pub department: BTreeMap<String, i64>,
    /// By priority.
    pub priority: BTreeMap<String, i64>,
    /// Of the total, those whose answer is overdue.
    pub overdue: i64,
    /// Of the total, those that nobody has taken.
    pub unassigned: i64,
    /// Of the total, those that the caller has taken.
    pub mine: i64,
    /// Whether every ticket was counted; if not, only the newest 50,000 were.
    pub exact: bool,
}

/// Open tickets, counted by state, channel, department and priority under the same filters as the list.
#[utoipa::path(
    get, path = "/api/v1/tickets/counts", tag = "tickets", params(ListParams),
    responses((status = 200, description = "How many there are", body = Counts), (status = 422, description = "A wrong parameter", body = ErrorBody))
)]
pub(super) async fn counts(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<ListParams>,
) -> Result<Json<Counts>, ApiError> {
    let filter = params.filter(&hub, &actor)?;
    let (city, now) = (&hub.store.city, hub.clock.millis());
    let mut conn = hub.store.read().await?;
    let within = match said(params.q.as_ref()) {
        Some(query) => Some(search::newest(&mut conn, city, &words(&query)).await?),
        None => None,
    };
    let rows = tickets::counts(&mut conn, city, &filter, within.as_deref(), &actor.id, now).await?;
    let mut counts = Counts { exact: true, ..Counts::default() };
    let mut seen = 0;
    for row in &rows {
        seen += row.tickets;
        let state = filter.states.is_empty() || filter.states.contains(&row.state);
        let channel = filter.channel.as_ref().is_none_or(|channel| *channel == row.channel);
        let department = filter.department.is_none() || filter.department == row.department;
        let priority = filter.priority.as_ref().is_none_or(|priority| *priority == row.priority);
        if state && channel && department && priority {
            counts.total += row.tickets;
            counts.overdue += row.overdue;
            counts.unassigned += row.unassigned;
            counts.mine += row.mine;
        }
        let add = |counts: &mut BTreeMap<String, i64>, key: &str, others: bool| {
            if others {
                *counts.entry(key.to_owned()).or_default() += row.tickets;
            }
        };
        add(&mut counts.state, row.state.as_str(), channel && department && priority);
        add(&mut counts.channel, &row.channel, state && department && priority);
        add(&mut counts.priority, &row.priority, state && channel && department);
        if let Some(id) = &row.department {
            add(&mut counts.department, id, state && channel && priority);
        }
    }
    counts.exact = seen <= MOST_COUNTED;
    Ok(Json(counts))
}

/// Search by words; two Chinese characters are enough. Contacts are not found here.
#[utoipa::path(
    get, path = "/api/v1/search", tag = "tickets", params(ListParams),
    responses((status = 200, description = "Found tickets, newest first", body = Page<TicketSummary>), (status = 422, description = "Nothing to look for", body = ErrorBody))
)]
pub(super) async fn find(
    state: State<Arc<Hub>>,
    staff: Staff,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<TicketSummary>>, ApiError> {
    if said(params.q.as_ref()).is_none() {
        return Err(ApiError::invalid("q must say what to look for"));
    }
    list(state, staff, Params(params)).await
}

/// A citizen's address or name.
#[derive(Deserialize, ToSchema)]
pub(super) struct ContactSearch {
    /// Number (with or without country code, however it is spaced), mailbox, chat id.
    pub contact: Option<String>,
    /// The beginning of the name, when there is no contact.
    pub name: Option<String>,
    /// At most so many, 1 to 500; 50 when left out.
    pub limit: Option<i64>,
    /// Go on after this number: the `next` of the page before.
    pub after: Option<String>,
}

/// Search by a citizen's address or name; in the body, so that it stands in no log. Audited.
#[utoipa::path(
    post, path = "/api/v1/search", tag = "tickets", request_body = ContactSearch,
    responses((status = 200, description = "Found tickets, newest first", body = Page<TicketSummary>), (status = 403, description = "Without the right to identities", body = ErrorBody), (status = 422, description = "Nobody to look for", body = ErrorBody))
)]
pub(super) async fn find_contact(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(wanted): Body<ContactSearch>,
) -> Result<Json<Page<TicketSummary>>, ApiError> {
    let whom = match (said(wanted.contact.as_ref()), said(wanted.name.as_ref())) {
        (Some(contact), _) => Whom::Address(crate::channels::spellings(&hub.config.channels, &contact)),
        (None, Some(name)) => Whom::Name(name),
        (None, None) => return Err(ApiError::invalid("contact or name must say whom to look for")),
    };
    let filter = Filter { scope: actor.scope().map(str::to_owned), ..Filter::default() };
    let (limit, after) = (limit(wanted.limit), after_number(wanted.after.as_deref())?);
    let page = {
        let mut conn = hub.store.read().await?;
        let page = search::by_contact(&mut conn, &hub.store.city, &whom, &filter, after.as_deref(), limit).await?;
        show(&hub, &actor, &mut conn, page).await?
    };
    // Address and name themselves stay out of the audit log.
    let by = if matches!(whom, Whom::Name(_)) { "name" } else { "contact" };
    audit(&hub, &actor, "contact.searched", None, json!({ "by": by, "found": page.items.len() })).await?;
    Ok(Json(page))
}
