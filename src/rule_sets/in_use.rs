//! What open tickets hang on and a rule set does not know: whoever publishes it is told before the tickets are stranded.

use routing_rules::RuleSet;
use serde::Serialize;
use utoipa::ToSchema;

use crate::hub::Hub;
use crate::store::{Error, rule_sets as store};

/// A department or an item that a rule set does not have, though open tickets do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InUse {
    /// `department` or `item`.
    pub what: &'static str,
    /// Its id.
    pub id: String,
    /// Open tickets that it leads or assists, or that are about it.
    pub open_tickets: i64,
}

/// What the open tickets of the city hang on and these rules do not know, most tickets first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn orphaned(hub: &Hub, rules: &RuleSet) -> Result<Vec<InUse>, Error> {
    let mut conn = hub.store.read().await?;
    let city = &hub.store.city;
    let items = store::open_by_item(&mut conn, city).await?;
    let departments = store::open_by_department(&mut conn, city).await?;
    let items = items.into_iter().filter(|(id, _)| rules.item(id).is_none()).map(|own| ("item", own));
    let departments = departments.into_iter().filter(|(id, _)| rules.department(id).is_none());
    let mut found: Vec<InUse> = departments
        .map(|own| ("department", own))
        .chain(items)
        .map(|(what, (id, open_tickets))| InUse { what, id, open_tickets })
        .collect();
    found.sort_by(|one, two| two.open_tickets.cmp(&one.open_tickets).then(one.id.cmp(&two.id)));
    Ok(found)
}
