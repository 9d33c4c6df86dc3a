//! A database that is full.

use serde_json::json;

use super::{Provider, telephone};
use crate::hub::{Plan, SMS_SECRET};

/// Says 503 and acknowledges nothing while full, and takes everything once there is room again.
#[tokio::test]
async fn a_full_database_acknowledges_nothing() {
    let limit = 2 * 1024 * 1024;
    let mut hub = Plan::new()
        .set("database.max_bytes", &limit.to_string())
        .set("channels.sms.demo.secret", SMS_SECRET)
        .start()
        .await;
    let provider = Provider::new(&hub);
    let text = |number: usize| format!("第{number}次反映：路灯不亮。{}", "晚上漆黑一片，老人走路很危险。".repeat(150));
    let (mut taken, mut refused) = (0, Vec::new());
    for number in 0..2_000 {
        let answer = provider.say(&format!("m-{number}"), &telephone(number), &text(number)).await.expect("an answer");
        if answer.status().is_success() {
            assert!(refused.is_empty(), "room again without a change");
            taken += 1;
            continue;
        }
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("yingda-outcome"));
        refused.push(number);
        if refused.len() == 10 {
            break;
        }
    }
    assert!(taken > 10 && refused.len() == 10, "{taken} taken, {} refused", refused.len());
    let ledger = hub.ledger().await;
    assert_eq!((&ledger["received"], &ledger["new"]), (&json!(taken), &json!(taken)));

    hub.stop().await;
    hub.set("database.max_bytes", &(4 * limit).to_string());
    hub.start_again().await;
    for number in refused {
        let (outcome, _) = provider.take(&format!("m-{number}"), &telephone(number), &text(number)).await;
        assert_eq!(outcome, "new");
    }
    assert_eq!(hub.ledger().await["new"], json!(taken + 10));
    hub.end().await;
}
