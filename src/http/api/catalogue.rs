//! What the city's rules name: departments and service items; and the audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use routing_rules::Names;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Page, limit};
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::hub::Hub;
use crate::projection::moment;
use crate::store::audit;

/// A department.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DepartmentView {
    /// Its id.
    pub id: String,
    /// Its names by language (BCP 47).
    pub names: Names,
    /// The department above.
    pub parent: Option<String>,
    /// The district it works for; null for the whole city.
    pub district: Option<String>,
    /// `city`, `district`, `street` or `section`.
    pub level: String,
}

/// A list that fits on one page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whole<T> {
    /// All of them.
    pub items: Vec<T>,
}

/// The departments.
#[utoipa::path(get, path = "/api/v1/departments", tag = "catalogue", responses((status = 200, description = "All departments", body = Whole<DepartmentView>)))]
pub(super) async fn departments(State(hub): State<Arc<Hub>>) -> Json<Whole<DepartmentView>> {
    let rules = hub.rules();
    let view = |department: &routing_rules::Department| DepartmentView {
        id: department.id.clone(),
        names: department.names.clone(),
        parent: department.parent.clone(),
        district: department.district.clone(),
        level: department.level.as_str().to_owned(),
    };
    Json(Whole { items: rules.departments().iter().map(view).collect() })
}

/// A service item.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemView {
    /// Its id.
    pub id: String,
    /// Its names by language (BCP 47).
    pub names: Names,
    /// The heading it stands under.
    pub group: String,
    /// The names of that heading by language.
    pub group_names: Names,
    /// The department for the whole city; null where it depends on the district.
    pub department: Option<String>,
}

/// The service items.
#[utoipa::path(get, path = "/api/v1/items", tag = "catalogue", responses((status = 200, description = "All service items", body = Whole<ItemView>)))]
pub(super) async fn items(State(hub): State<Arc<Hub>>) -> Json<Whole<ItemView>> {
    let rules = hub.rules();
    let view = |item: &routing_rules::Item| ItemView {
        id: item.id.clone(),
        names: item.names.clone(),
        group: item.group().to_owned(),
        group_names: rules
            .groups()
            .iter()
            .find(|group| group.id == item.group())
            .map(|group| group.names.clone())
            .unwrap_or_default(),
        department: rules.department_for(&item.id, None).map(str::to_owned),
    };
    Json(Whole { items: rules.items().iter().map(view).collect() })
}

/// Which lines of the audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
    /// Only about this thing: a ticket number or an id.
    subject: Option<String>,
    /// Only of this actor, as `staff:ID` or `token:ID`.
    actor: Option<String>,
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this line: the `next` of the page before.
    after: Option<String>,
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditView {
    /// Its id.
    pub id: String,
    /// When (RFC 3339).
    pub at: String,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: Option<String>,
    /// Ids and reasons.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditParams), responses((status = 200, description = "A page", body = Page<AuditView>)))]
pub(super) async fn log(
    State(hub): State<Arc<Hub>>,
    Params(params): Params<AuditParams>,
) -> Result<Json<Page<AuditView>>, ApiError> {
    let limit = limit(params.limit);
    let rows = audit::page(
        &mut hub.store.read().await?,
        &hub.store.city,
        params.after.as_deref(),
        limit + 1,
        params.subject.as_deref(),
        params.actor.as_deref(),
    )
    .await?;
    let views = rows.into_iter().map(|row| AuditView {
        id: row.id.to_string(),
        at: moment(row.at),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: row.detail.and_then(|detail| serde_json::from_str(&detail).ok()),
    });
    Ok(Json(Page::new(views.collect(), limit, |last| last.id.clone())))
}
