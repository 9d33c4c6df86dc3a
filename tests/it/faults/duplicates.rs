//! A provider that repeats itself, all at once.

use futures_util::future::join_all;
use serde_json::json;

use super::{Provider, telephone, text, told};
use crate::hub::{Database, Plan, SMS_SECRET};

async fn fifty_at_once(database: Database) {
    let hub = Plan::new().on(database).await.set("channels.sms.demo.secret", SMS_SECRET).start().await;
    let provider = Provider::new(&hub);
    let from = telephone(1);
    let all = join_all((0..50).map(|_| provider.take("same", &from, text(1)))).await;

    let count = |word: &str| all.iter().filter(|(outcome, _)| outcome == word).count();
    assert_eq!((count("new"), count("duplicate")), (1, 49));
    let number = hub.only_ticket().await;
    assert!(all.iter().all(|(_, ticket)| ticket.as_ref() == Some(&number)), "{all:?}");

    // The same id with other words: neither a ticket nor lost.
    let other = join_all((0..10).map(|_| provider.say("same", &from, text(2)))).await;
    for answer in other {
        let answer = answer.expect("the hub answers");
        assert!(answer.status().is_success());
        assert_eq!(told(answer).await, ("quarantined".to_owned(), None));
    }
    assert_eq!(hub.only_ticket().await, number);
    let expected = json!({ "received": 60, "new": 1, "appended": 0, "reports": 0, "control": 0, "duplicates": 49, "quarantined": 10 });
    assert_eq!(hub.ledger().await, expected);
    hub.end().await;
}

#[tokio::test]
async fn the_same_webhook_fifty_times_at_once_is_one_ticket_on_sqlite() {
    fifty_at_once(Database::Sqlite).await;
}

#[tokio::test]
async fn the_same_webhook_fifty_times_at_once_is_one_ticket_on_postgres() {
    fifty_at_once(Database::Postgres).await;
}
