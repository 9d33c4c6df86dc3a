//! Messages whose origin cannot be verified.

use serde_json::json;

use super::{Provider, telephone, text, told};
use crate::hub::{Plan, SMS_SECRET};
use crate::peers;

/// A forged message is kept aside and never a ticket; when too many are, the account's forgers get 429 and nobody else.
#[tokio::test]
async fn the_forged_are_kept_aside_within_a_budget() {
    let hub =
        Plan::new().set("intake.quarantine_bytes", "1048576").set("channels.sms.demo.secret", SMS_SECRET).start().await;
    let provider = Provider::new(&hub);
    let forger = provider.forger();
    assert_eq!(forger.take("f-0", &telephone(1), text(1)).await, ("quarantined".to_owned(), None));
    // An id that a forger used is not taken.
    assert_eq!(provider.take("f-0", &telephone(1), text(1)).await.0, "new");

    let long = text(0).repeat(4_000);
    let mut kept = 1;
    let refused = loop {
        let answer = forger.say(&format!("f-{kept}"), &telephone(1), &long).await.expect("an answer");
        if !answer.status().is_success() {
            break answer;
        }
        assert_eq!(told(answer).await, ("quarantined".to_owned(), None));
        kept += 1;
        assert!(kept < 20, "no end of the budget");
    };
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));

    // The provider itself goes on, and so do the other accounts.
    assert_eq!(provider.take("real", &telephone(2), text(2)).await.0, "new");
    let kannel = hub.url("/channels/sms/kannel?secret=wrong&id=k-1&from=13800138000&to=12345&text=hello");
    let answer = provider.http.get(kannel).send().await.expect("an answer");
    assert_eq!(answer.headers()["yingda-outcome"], "quarantined");
    let expected = json!({ "received": kept + 3, "new": 2, "appended": 0, "reports": 0, "control": 0, "duplicates": 0, "quarantined": kept + 1 });
    assert_eq!(hub.ledger().await, expected);
    hub.end().await;
}

/// A wrong bearer token is turned away and leaves no trace in the ledger.
#[tokio::test]
async fn a_wrong_bearer_token_is_turned_away() {
    let hub = Plan::new().start().await;
    let mail = "From: Zhang <zhang@example.com>\r\nMessage-ID: <1@example.com>\r\nSubject: light\r\n\r\nThe street light is broken.\r\n";
    let post = async |token: Option<&str>| {
        let mut call = peers::http().post(hub.url("/channels/email/mailbox")).header("content-type", "message/rfc822");
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        call.body(mail).send().await.expect("the hub answers")
    };
    for token in [None, Some("wrong"), Some("")] {
        assert_eq!(post(token).await.status(), 401, "{token:?}");
    }
    assert_eq!(hub.ledger().await["received"], 0);
    assert_eq!(told(post(Some(hub.secret("/email/mailbox/token"))).await).await.0, "new");
    hub.end().await;
}
