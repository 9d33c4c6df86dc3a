//! A ticket as a line of a list, and people as others see them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Eyes, moment};
use crate::domain::TicketState;
use crate::store::tickets::{Beside, TicketRow};

/// Somebody who acts: a member of staff, a program with a token, or the hub itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// As the audit log names it: `staff:ID`, `token:ID`, `system`, `citizen`.
    pub id: String,
    /// What people read; the id where no name is known.
    pub name: String,
}

impl Person {
    /// The person of an id, named by `names`.
    #[must_use]
    pub fn of(id: &str, names: &BTreeMap<String, String>) -> Self {
        Self { id: id.to_owned(), name: names.get(id).cloned().unwrap_or_else(|| id.to_owned()) }
    }
}

/// A line of a list of tickets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TicketSummary {
    /// The number.
    pub number: String,
    /// The state.
    pub state: TicketState,
    /// The service item, if known.
    pub item: Option<String>,
    /// The lead department, if any.
    pub department: Option<String>,
    /// The language of the citizen (BCP 47), if known.
    pub language: Option<String>,
    /// The medium it came by.
    pub channel: String,
    /// The subject.
    pub subject: String,
    /// The version to name when changing it.
    pub version: i64,
    /// The appeal kind: `inquiry`, `help`, `complaint`, `report`, `suggestion`, `praise`, `invalid`.
    pub kind: String,
    /// `low`, `normal`, `high` or `urgent`.
    pub priority: String,
    /// Whether the citizen asked for confidence.
    pub confidential: bool,
    /// Whether it looks like form spam.
    pub spam: bool,
    /// Emergency numbers that were named to the citizen.
    pub emergency: Vec<String>,
    /// The district, if known.
    pub district: Option<String>,
    /// When the answer is due (RFC 3339).
    pub due_at: Option<String>,
    /// When it was opened (RFC 3339).
    pub created_at: String,
    /// When it last changed (RFC 3339).
    pub updated_at: String,
    /// Who works on it.
    pub assignee: Option<Person>,
    /// When the citizen last wrote (RFC 3339).
    pub last_inbound_at: Option<String>,
    /// Whether the citizen wrote after the department signed or the last answer left.
    pub new_message: bool,
    /// Who else is writing something about it.
    pub drafting: Vec<Person>,
}

/// Shows a ticket in a list; `names` are those of the people that it may name, `me` is who looks.
#[must_use]
pub fn summary(
    eyes: Eyes,
    ticket: &TicketRow,
    beside: &Beside,
    names: &BTreeMap<String, String>,
    me: &str,
) -> TicketSummary {
    let dealt_with = beside.signed_at.max(beside.answered_at);
    TicketSummary {
        number: ticket.number.to_string(),
        state: ticket.state,
        item: ticket.item.clone(),
        department: ticket.department.clone(),
        language: ticket.language.clone(),
        channel: ticket.channel.clone(),
        subject: eyes.text(&ticket.subject),
        version: ticket.version,
        kind: ticket.kind.clone(),
        priority: ticket.priority.clone(),
        confidential: ticket.confidential,
        spam: ticket.spam,
        emergency: ticket.emergency.split(',').filter(|number| !number.is_empty()).map(str::to_owned).collect(),
        district: ticket.district.clone(),
        due_at: ticket.due_at.map(moment),
        created_at: moment(ticket.created_at),
        updated_at: moment(ticket.updated_at),
        assignee: ticket.assignee.as_deref().map(|id| Person::of(id, names)),
        last_inbound_at: beside.last_inbound_at.map(moment),
        new_message: dealt_with.is_some() && beside.last_inbound_at > dealt_with,
        drafting: beside.drafting.iter().filter(|id| *id != me).map(|id| Person::of(id, names)).collect(),
    }
}
