//! Gives a ticket to a department: assignment, deadline, notices and feed, all into one set of changes.

use channel_contract::{DeliveryKind, Medium};
use serde_json::json;

use crate::domain::{Millis, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::store::{Changes, Event, NewDelivery};

/// Where a ticket goes.
#[derive(Debug, Clone)]
pub struct Route<'a> {
    /// The ticket.
    pub number: &'a TicketNumber,
    /// Its item, for the notice.
    pub item: Option<&'a str>,
    /// The lead department.
    pub department: &'a str,
    /// Departments that assist.
    pub assisting: &'a [String],
    /// When the answer is due.
    pub due_at: Millis,
    /// The event that the feed names: `dispatched` or `reopened`.
    pub event: &'static str,
}

/// Adds the assignments (the clock starts now), the notices to the departments, and the line of the feed.
pub fn route(hub: &Hub, changes: &mut Changes, route: &Route<'_>) {
    let now = changes.now();
    changes.assignment(&new_id(now), route.number, route.department, "lead", route.due_at);
    for department in route.assisting {
        changes.assignment(&new_id(now), route.number, department, "assisting", route.due_at);
    }
    changes.event(Event {
        kind: route.event,
        ticket: Some(route.number.clone()),
        state: Some(TicketState::Dispatched),
        department: Some(route.department.to_owned()),
        detail: None,
    });
    let template = if route.event == "reopened" { "notice_reopened" } else { "notice_dispatched" };
    for department in std::iter::once(route.department).chain(route.assisting.iter().map(String::as_str)) {
        notify(hub, changes, template, route.event, route.number, route.item, department, Some(route.due_at));
    }
}

/// Tells a department about a ticket over the ways that the city configured for it: mail and signed webhook, nothing personal in either.
#[expect(clippy::too_many_arguments, reason = "the words of one notice")]
pub fn notify(
    hub: &Hub,
    changes: &mut Changes,
    template: &str,
    event: &str,
    number: &TicketNumber,
    item: Option<&str>,
    department: &str,
    due_at: Option<Millis>,
) {
    let Some(ways) = hub.config.departments.get(department) else { return };
    let now = changes.now();
    let rules = hub.rules();
    let language = hub.config.city.default_language.clone();
    let deadline = due_at.map(|at| hub.local(at));
    let url = hub.url(&format!("console/tickets/{number}"));
    let item_name = item.map(|item| Hub::name_in(rules.item(item).map(|item| &item.names), item, &language));
    let department_name =
        Hub::name_in(rules.department(department).map(|department| &department.names), department, &language);
    let mut push = |channel: &str, account: String, address: String, subject, text, html, waits| {
        changes.delivery(NewDelivery {
            id: new_id(now),
            ticket: Some(number.clone()),
            reply_id: None,
            department: Some(department.to_owned()),
            kind: DeliveryKind::Notice,
            channel: channel.to_owned(),
            account,
            address,
            subject,
            text,
            html,
            language: Some(language.clone()),
            automatic: true,
            thread: None,
            buttons: None,
            waits,
            fallback_of: None,
        });
    };
    if let Some(address) = &ways.email
        && let Some(account) = hub.config.operator.account.clone().or_else(|| hub.account_of(Medium::Email))
    {
        let values = json!({ "number": number, "item": item_name, "department": department_name, "deadline": deadline, "url": url });
        let rendered = hub.render(template, Medium::Email, &language, values);
        let waits = hub.cannot_send(&account);
        push("email", account, address.clone(), rendered.subject, rendered.text, rendered.html, waits);
    }
    if ways.webhook_url.is_some() {
        let body = json!({
            "type": format!("ticket.{event}"), "ticket": number, "item": item, "department": department, "due_at": deadline, "url": url,
        });
        push("webhook", "webhook".to_owned(), department.to_owned(), None, body.to_string(), None, None);
    }
}
