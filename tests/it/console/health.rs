//! The supervisor's pages.

use serde_json::json;

use super::journey;
use crate::hub::Plan;

#[tokio::test]
async fn a_supervisor_mends_what_is_stuck() {
    let hub = Plan::new().start().await;
    let arguments = json!({
        "secret": hub.secret("/sms/demo/secret"), "forged": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "from": "+8613800138077", "department": "urban-management",
    });
    let seen = journey(&hub, "health.mjs", arguments).await;
    assert_eq!(seen["ledger"], json!({ "received": 3, "new": 1, "quarantined": 2 }));
    assert!(seen["number"].as_str().is_some_and(|call| call.contains("+8613800138077")), "{seen}");
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");

    let held = hub.supervisor().get("/quarantine?state=all").await;
    let mut states: Vec<&str> =
        held["items"].as_array().into_iter().flatten().filter_map(|held| held["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["accepted", "discarded"], "{held}");
    let answered = hub.agent().tickets().await.into_iter().find(|ticket| ticket["state"] == "delivered");
    assert!(answered.is_some(), "the call brought the answer");
    hub.end().await;
}
