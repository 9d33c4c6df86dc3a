//! A message that breaks its batch.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use super::{Provider, telephone, text};
use crate::hub::{Plan, SMS_SECRET};

const WORD: &str = "poison";

/// It is kept aside as `poisoned`; those that shared its batch become tickets.
#[tokio::test]
async fn a_message_that_breaks_its_batch_is_kept_aside_alone() {
    let mut hub = Plan::new().set("channels.sms.demo.secret", SMS_SECRET).start().await;
    hub.stop().await;
    // No text is known to break a statement, so one is made to.
    let database = format!("sqlite:{}", hub.data().join("data/yingda.db").display());
    let mut connection = SqliteConnection::connect(&database).await.expect("the database");
    sqlx::raw_sql(
        "create trigger poison before insert on appeals when new.text = 'poison' begin select raise(abort, 'poison'); end",
    )
    .execute(&mut connection)
    .await
    .expect("a trigger");
    connection.close().await.expect("closed");
    hub.start_again().await;

    let provider = Provider::new(&hub);
    let taken = join_all((0..40).map(async |number| {
        let text = if number == 7 { WORD } else { text(number) };
        provider.take(&format!("m-{number}"), &telephone(number), text).await
    }))
    .await;
    for (number, (outcome, ticket)) in taken.iter().enumerate() {
        let expected = if number == 7 { ("quarantined", false) } else { ("new", true) };
        assert_eq!((outcome.as_str(), ticket.is_some()), expected, "{number}");
    }
    let kept = hub.supervisor().get("/quarantine").await;
    assert_eq!(kept["items"][0]["reason"], "poisoned", "{kept:#}");
    assert_eq!(hub.ledger().await["quarantined"], json!(1));
    hub.end().await;
}
