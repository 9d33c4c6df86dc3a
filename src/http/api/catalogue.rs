//! What the city's rules name: departments and service items; and the audit log.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pinyin::{Pinyin, ToPinyin as _};
use routing_rules::Names;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Page, after_id, limit, millis};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Params, Staff};
use crate::hub::Hub;
use crate::projection::{Eyes, moment};
use crate::store::{audit, staff};

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
    /// What it is found by while typing: id, names, pinyin, initials.
    pub keys: Vec<String>,
}

/// What a thing is found by while somebody types: its names in small letters, those in Chinese also in pinyin without tones,
/// in one word, and by the initials of their syllables.
fn keys(id: &str, names: &Names) -> Vec<String> {
    let mut keys = vec![id.to_lowercase()];
    for name in names.values() {
        keys.push(name.to_lowercase());
        let syllables: Vec<&str> = name.as_str().to_pinyin().flatten().map(Pinyin::plain).collect();
        if !syllables.is_empty() {
            keys.push(syllables.concat());
            keys.push(syllables.iter().filter_map(|syllable| syllable.chars().next()).collect());
        }
    }
    let mut known = BTreeSet::new();
    keys.retain(|key| known.insert(key.clone()));
    keys
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
        keys: keys(&department.id, &department.names),
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
    /// What it is found by while typing: id, names, pinyin, initials.
    pub keys: Vec<String>,
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
        keys: keys(&item.id, &item.names),
    };
    Json(Whole { items: rules.items().iter().map(view).collect() })
}

/// A district.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DistrictView {
    /// Its id.
    pub id: String,
    /// Its names by language (BCP 47).
    pub names: Names,
    /// What it is found by while typing: id, names, pinyin, initials.
    pub keys: Vec<String>,
}

/// The districts.
#[utoipa::path(get, path = "/api/v1/districts", tag = "catalogue", responses((status = 200, description = "All districts", body = Whole<DistrictView>)))]
pub(super) async fn districts(State(hub): State<Arc<Hub>>) -> Json<Whole<DistrictView>> {
    let rules = hub.rules();
    let view = |district: &routing_rules::District| DistrictView {
        id: district.id.clone(),
        names: district.names.clone(),
        keys: keys(&district.id, &district.names),
    };
    Json(Whole { items: rules.districts().iter().map(view).collect() })
}

/// Which lines of the audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
    /// Only about this thing: a ticket number or an id.
    subject: Option<String>,
    /// Only of this actor, as `staff:ID` or `token:ID`.
    actor: Option<String>,
    /// Only this action, such as `ticket.unmasked`.
    action: Option<String>,
    /// At or after this moment (RFC 3339).
    from: Option<String>,
    /// Before this moment (RFC 3339).
    until: Option<String>,
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
    /// Who, by id.
    pub actor: String,
    /// Who, by name; the id where no name is known.
    pub actor_name: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: Option<String>,
    /// Ids and reasons.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditParams), responses((status = 200, description = "A page", body = Page<AuditView>), (status = 422, description = "A wrong time", body = ErrorBody)))]
pub(super) async fn log(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<AuditParams>,
) -> Result<Json<Page<AuditView>>, ApiError> {
    let (limit, after) = (limit(params.limit), after_id(params.after.as_deref())?);
    let given = |value: Option<String>| value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let filter = audit::Filter {
        subject: given(params.subject),
        actor: given(params.actor),
        action: given(params.action),
        from: given(params.from).as_deref().map(millis).transpose()?,
        until: given(params.until).as_deref().map(millis).transpose()?,
    };
    let mut conn = hub.store.read().await?;
    let city = &hub.store.city;
    let rows = audit::page(&mut conn, city, after.as_deref(), limit + 1, &filter).await?;
    let names = staff::names(&mut conn, city, rows.iter().map(|row| row.actor.as_str())).await?;
    let eyes = Eyes::of(&actor);
    let detail = |detail: String| {
        let mut detail: serde_json::Value = serde_json::from_str(&detail).ok()?;
        // The rest are ids and words of the program.
        for written in ["reason", "text"] {
            if let Some(serde_json::Value::String(written)) = detail.get_mut(written) {
                *written = eyes.text(written);
            }
        }
        Some(detail)
    };
    let views = rows.into_iter().map(|row| AuditView {
        id: row.id.to_string(),
        at: moment(row.at),
        actor_name: names.get(&row.actor).cloned().unwrap_or_else(|| row.actor.clone()),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: row.detail.and_then(detail),
    });
    Ok(Json(Page::new(views.collect(), limit, |last| last.id.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_by_name_pinyin_and_initials() {
        let names: Names =
            [("zh-Hans".to_owned(), "路灯".to_owned()), ("en".to_owned(), "Streetlight".to_owned())].into();
        assert_eq!(keys("roads.streetlight", &names), ["roads.streetlight", "streetlight", "路灯", "ludeng", "ld"]);
    }
}
