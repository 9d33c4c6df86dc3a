//! The door of the staff API: who may do what, in one table, and the guard that holds every request against it.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum_extra::extract::CookieJar;

use crate::domain::{Actor, Role};
use crate::http::error::ApiError;
use crate::hub::Hub;
use crate::staff;

use Role::{Admin, Agent, Handler, Supervisor};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// Everybody, without logging in.
    Everybody,
    /// These roles.
    Roles(&'static [Role]),
    /// These roles, if they have the right to identities.
    Identity(&'static [Role]),
}

const ALL: &[Role] = &[Agent, Handler, Supervisor, Admin];
const DESK: &[Role] = &[Agent, Supervisor, Admin];
const DEPARTMENT: &[Role] = &[Handler, Supervisor, Admin];
const WATCH: &[Role] = &[Supervisor, Admin];
const ADMIN: &[Role] = &[Admin];

/// Every route of the API with who may use it; a route that is not here is closed.
pub(super) const TABLE: &[(Method, &str, Open)] = &[
    (Method::GET, "/api", Open::Everybody),
    (Method::GET, "/api/openapi.json", Open::Everybody),
    (Method::POST, "/api/v1/session", Open::Everybody),
    (Method::GET, "/api/v1/session", Open::Roles(ALL)),
    (Method::DELETE, "/api/v1/session", Open::Roles(ALL)),
    (Method::POST, "/api/v1/session/password", Open::Roles(ALL)),
    (Method::GET, "/api/v1/ledger", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets", Open::Roles(DESK)),
    (Method::GET, "/api/v1/tickets/counts", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}/events", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}/related", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}/appeals/{id}/html", Open::Identity(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/replies/preview", Open::Roles(ALL)),
    (Method::POST, "/api/v1/suggest", Open::Roles(ALL)),
    (Method::GET, "/api/v1/reply-templates", Open::Roles(ALL)),
    (Method::GET, "/api/v1/districts", Open::Roles(ALL)),
    (Method::GET, "/api/v1/health", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/channels", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/channels/{id}/test", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/tickets/{number}/drafts", Open::Roles(ALL)),
    (Method::PUT, "/api/v1/tickets/{number}/drafts/{kind}", Open::Roles(ALL)),
    (Method::DELETE, "/api/v1/tickets/{number}/drafts/{kind}", Open::Roles(ALL)),
    (Method::GET, "/api/v1/call-drafts", Open::Roles(DESK)),
    (Method::GET, "/api/v1/call-drafts/{id}", Open::Roles(DESK)),
    (Method::PUT, "/api/v1/call-drafts/{id}", Open::Roles(DESK)),
    (Method::DELETE, "/api/v1/call-drafts/{id}", Open::Roles(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/take", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/assign", Open::Roles(ALL)),
    (Method::GET, "/api/v1/assignable", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/classify", Open::Roles(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/priority", Open::Roles(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/questions", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/undo-close", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/files", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}/attachments/{id}", Open::Roles(ALL)),
    (Method::GET, "/api/v1/tickets/{number}/original/{id}", Open::Identity(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/unmask", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/sign", Open::Roles(DEPARTMENT)),
    (Method::POST, "/api/v1/tickets/{number}/send-back", Open::Roles(DEPARTMENT)),
    (Method::POST, "/api/v1/tickets/{number}/dispatch", Open::Roles(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/replies", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/notes", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/close", Open::Roles(ALL)),
    (Method::POST, "/api/v1/tickets/{number}/reopen", Open::Roles(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/answer-address", Open::Identity(DESK)),
    (Method::POST, "/api/v1/tickets/{number}/appeals/{id}/move", Open::Roles(DESK)),
    (Method::GET, "/api/v1/events", Open::Roles(ALL)),
    (Method::GET, "/api/v1/feed", Open::Roles(ALL)),
    (Method::GET, "/api/v1/search", Open::Roles(ALL)),
    (Method::POST, "/api/v1/search", Open::Identity(ALL)),
    (Method::GET, "/api/v1/call-tasks", Open::Identity(DESK)),
    (Method::POST, "/api/v1/call-tasks/{id}/done", Open::Identity(DESK)),
    (Method::POST, "/api/v1/call-tasks/{id}/failed", Open::Identity(DESK)),
    (Method::GET, "/api/v1/deliveries", Open::Roles(DESK)),
    (Method::POST, "/api/v1/deliveries/{id}/retry", Open::Roles(DESK)),
    (Method::POST, "/api/v1/deliveries/{id}/call", Open::Roles(DESK)),
    (Method::GET, "/api/v1/quarantine", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/quarantine/{id}", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/quarantine/{id}/replay", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/quarantine/{id}/discard", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/quarantine/{id}/accept", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/departments", Open::Roles(ALL)),
    (Method::GET, "/api/v1/items", Open::Roles(ALL)),
    (Method::GET, "/api/v1/rule-sets", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets/check", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets/explain", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/rule-sets/stats", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/rule-sets/history", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/tickets/{number}/replay", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/rule-sets/{id}", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets/{id}/backtest", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets/{id}/publish", Open::Roles(WATCH)),
    (Method::POST, "/api/v1/rule-sets/{id}/rollback", Open::Roles(WATCH)),
    (Method::GET, "/api/v1/audit", Open::Roles(ADMIN)),
    (Method::GET, "/api/v1/staff", Open::Roles(ADMIN)),
    (Method::POST, "/api/v1/staff", Open::Roles(ADMIN)),
    (Method::PATCH, "/api/v1/staff/{id}", Open::Roles(ADMIN)),
    (Method::GET, "/api/v1/tokens", Open::Roles(ADMIN)),
    (Method::POST, "/api/v1/tokens", Open::Roles(ADMIN)),
    (Method::DELETE, "/api/v1/tokens/{id}", Open::Roles(ADMIN)),
];

/// Who may use a route.
#[must_use]
pub(super) fn open(method: &Method, path: &str) -> Option<Open> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(known, route, _)| known == method && *route == path).map(|(_, _, open)| *open)
}

/// Whether somebody may use a route.
///
/// # Errors
/// 403 with the reason.
pub(super) fn allow(open: Open, actor: &Actor) -> Result<(), ApiError> {
    let (roles, identity) = match open {
        Open::Everybody => return Ok(()),
        Open::Roles(roles) => (roles, false),
        Open::Identity(roles) => (roles, true),
    };
    if !roles.contains(&actor.role) {
        let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        return Err(ApiError::forbidden(format!("this needs one of the roles {}", names.join(", "))));
    }
    if identity && !actor.identity {
        return Err(ApiError::forbidden("this needs the right to see identities"));
    }
    Ok(())
}

/// By what somebody was let in.
#[derive(Clone)]
pub(super) enum Credential {
    /// An API token.
    Bearer(String),
    /// The session of a cookie.
    Cookie(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Cookie(_) => "Cookie",
        })
    }
}

impl Credential {
    /// What a request brings; a bearer token goes before a cookie.
    fn of(hub: &Hub, headers: &HeaderMap) -> Option<Self> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| Self::Bearer(token.trim().to_owned()));
        }
        CookieJar::from_headers(headers).get(cookie_name(hub)).map(|cookie| Self::Cookie(cookie.value().to_owned()))
    }

    /// Whose it is now, if it is still good.
    pub(super) async fn actor(&self, hub: &Arc<Hub>) -> Result<Option<Actor>, crate::store::Error> {
        match self {
            Self::Bearer(token) => staff::by_token(hub, token).await,
            Self::Cookie(token) => staff::by_session(hub, token).await,
        }
    }
}

/// The name of the session cookie; over https one that browsers keep to this host.
pub(super) fn cookie_name(hub: &Hub) -> &'static str {
    if hub.config.server.public_url.scheme() == "https" { "__Host-yingda" } else { "yingda" }
}

/// Lets a request in or refuses it; handlers find the [`Actor`] among its extensions.
pub(super) async fn guard(
    State(hub): State<Arc<Hub>>,
    matched: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let path = matched.as_ref().map_or("", MatchedPath::as_str);
    let Some(open) = open(request.method(), path) else {
        if TABLE.iter().any(|(_, route, _)| *route == path) {
            return Err(ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address has other methods",
            ));
        }
        tracing::error!(path, "a route is missing in the table of rights");
        return Err(ApiError::forbidden("nobody may use this"));
    };
    if open == Open::Everybody {
        return Ok(next.run(request).await);
    }
    let credential = Credential::of(&hub, request.headers()).ok_or_else(ApiError::unauthorized)?;
    let actor = credential.actor(&hub).await?.ok_or_else(ApiError::unauthorized)?;
    // A browser sends the cookie with whatever page asks it to, a websocket's opening request among that.
    let changes =
        !matches!(*request.method(), Method::GET | Method::HEAD) || request.headers().contains_key(header::UPGRADE);
    if changes && matches!(credential, Credential::Cookie(_)) && !same_origin(&hub, request.headers()) {
        return Err(ApiError::forbidden("requests with a session cookie must come from the hub's own pages"));
    }
    allow(open, &actor)?;
    request.extensions_mut().insert(credential);
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}

/// Whether a request comes from a page of this hub: by the browser's own word (Fetch Metadata, `Sec-Fetch-Site`), by `Origin`, or by
/// a header that pages of other origins cannot set without being asked first.
fn same_origin(hub: &Hub, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    if let Some(origin) = text("origin") {
        // A page cannot choose its origin, so one that is served from where it asks is the hub's, by whichever of its names.
        let asked = text("host");
        let here = origin.split_once("://").map(|(_, host)| host);
        return (here.is_some() && here == asked)
            || origin == hub.config.server.public_url.origin().ascii_serialization();
    }
    headers.contains_key("yingda-console")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, identity: bool) -> Actor {
        Actor { id: String::new(), name: String::new(), role, department: None, identity }
    }

    #[test]
    fn the_table_names_each_route_once() {
        for (index, (method, path, _)) in TABLE.iter().enumerate() {
            assert!(
                !TABLE.iter().skip(index + 1).any(|(other, route, _)| other == method && route == path),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn roles_and_rights() {
        for (method, path, allowed) in [
            (Method::GET, "/api/v1/tickets", "agent handler supervisor admin"),
            (Method::POST, "/api/v1/tickets", "agent supervisor admin"),
            (Method::POST, "/api/v1/tickets/{number}/sign", "handler supervisor admin"),
            (Method::POST, "/api/v1/tickets/{number}/dispatch", "agent supervisor admin"),
            (Method::POST, "/api/v1/quarantine/{id}/accept", "supervisor admin"),
            (Method::GET, "/api/v1/audit", "admin"),
            (Method::POST, "/api/v1/tokens", "admin"),
        ] {
            let open = open(&method, path).expect("in the table");
            for role in Role::ALL {
                let expected = allowed.split(' ').any(|word| word == role.as_str());
                assert_eq!(allow(open, &actor(role, true)).is_ok(), expected, "{method} {path} {role:?}");
            }
        }
        for (method, path) in [
            (Method::POST, "/api/v1/search"),
            (Method::GET, "/api/v1/tickets/{number}/original/{id}"),
            (Method::GET, "/api/v1/call-tasks"),
        ] {
            let open = open(&method, path).expect("in the table");
            assert!(allow(open, &actor(Role::Admin, true)).is_ok(), "{path}");
            assert!(allow(open, &actor(Role::Admin, false)).is_err(), "{path}");
        }
        assert_eq!(open(&Method::PUT, "/api/v1/tickets"), None);
    }
}
