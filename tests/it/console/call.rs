//! The call form and the calls to make.

use serde_json::json;

use super::journey;
use crate::hub::Plan;

#[tokio::test]
async fn a_call_is_filed_and_nothing_typed_is_lost() {
    let hub = Plan::new().start().await;
    let arguments = json!({ "secret": hub.secret("/sms/demo/secret"), "from": "+8613800138077" });
    let seen = journey(&hub, "call.mjs", arguments).await;
    assert_eq!(seen["popped"], "+8613800138077", "the screen pop fills in the number");
    assert_eq!(seen["leaks"], json!([]), "which then stands in no address");
    assert!(seen["alarm"].to_string().contains("119"), "{seen}");
    assert_eq!(seen["moved"], 0, "suggestions and alarm move no field");
    assert_eq!(seen["item"], "燃气", "one key takes the first suggestion");
    assert!(seen["offline"].as_str().is_some_and(|told| told.contains("没有发出")), "{seen}");
    assert_eq!(seen["emptied"], true, "the next call begins empty");
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");

    let number: String = seen["spoken"].as_str().unwrap_or_default().split_whitespace().collect();
    let ticket = hub.agent().ticket(&number).await;
    assert_eq!(
        (ticket["channel"].as_str(), ticket["item"].as_str()),
        (Some("phone"), Some("utilities.gas")),
        "{ticket}"
    );
    assert_eq!(ticket["decision"]["trace"]["inputs"]["citizen_kind"], "enterprise", "whom the caller speaks for");
    assert_eq!(ticket["place"], "解放路128号三单元", "what was typed without a connection is there");
    assert!(seen["code"].as_str().is_some_and(|code| code.len() == 8), "{seen}");
    assert_eq!(hub.agent().tickets().await.len(), 2, "the session that ended on the way has not filed it twice");
    hub.end().await;
}
