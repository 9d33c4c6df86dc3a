//! The administration.

use serde_json::json;

use super::journey;
use crate::hub::Plan;

#[tokio::test]
async fn an_administrator_makes_users_and_tokens_and_takes_them_away() {
    let hub = Plan::new().start().await;
    let seen = journey(&hub, "admin.mjs", json!({})).await;
    assert_eq!(
        (&seen["shownAgain"], &seen["tokenShownAgain"]),
        (&json!(false), &json!(false)),
        "secrets are shown once"
    );
    assert_eq!(seen["shut"], 401, "a disabled login is out at once");
    assert_eq!((&seen["good"], &seen["revoked"]), (&json!(200), &json!(401)));
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");
    hub.end().await;
}
