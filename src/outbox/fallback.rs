//! When an address is given up, the answer goes to the next one that its citizen named, at last to a person who calls.

use crate::hub::Hub;
use crate::store::deliveries::{self as store, Delivery};
use crate::store::{Changes, Conn, Error};

/// Sends a failed answer or question on its way again. Other kinds of messages end here.
pub(super) async fn next(hub: &Hub, conn: &mut Conn, changes: &mut Changes, failed: &Delivery) -> Result<(), Error> {
    let (Some(ticket), Some(reply), "reply" | "question") = (&failed.ticket, &failed.reply_id, failed.kind.as_str())
    else {
        return Ok(());
    };
    let city = hub.store.city.to_string();
    let tried = store::tried_addresses(conn, &city, reply, ticket).await?;
    let named = store::named_addresses(conn, &city, ticket).await?;
    crate::dispatch::answer_elsewhere(hub, conn, changes, ticket, reply, &named, &tried, &failed.id).await
}
