//! What the rules see of the sender, and what waits for a person.

use axum::http::StatusCode;
use serde_json::Value;

use super::City;

/// The decision of a call that was just filed.
async fn decision(city: &City, key: &str, text: &str) -> (Value, Value) {
    let filed = city.file(key, text, "phone").await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.body);
    let number = filed.body["number"].as_str().expect("a number");
    let ticket = city.get("agent", &format!("/tickets/{number}")).await;
    (ticket["decision"].clone(), ticket)
}

#[tokio::test]
async fn rules_see_what_the_sender_has_already() {
    let city = City::new().await;
    let mut seen = Vec::new();
    for key in ["first", "second", "third"] {
        let (decision, ticket) = decision(&city, key, "中山路的路灯还是不亮").await;
        let sender = &decision["trace"]["inputs"]["sender"];
        let earlier = sender["earlier_days"].as_array().map_or(0, Vec::len);
        seen.push((sender["open_tickets"].as_u64(), earlier, ticket["priority"].as_str().map(str::to_owned)));
    }
    let priority = |word: &str| Some(word.to_owned());
    assert_eq!(
        seen,
        [(Some(0), 0, priority("normal")), (Some(1), 1, priority("normal")), (Some(2), 2, priority("high"))],
        "who asks a third time within a week does not wait again"
    );
}

#[tokio::test]
async fn a_refusal_waits_for_a_person_with_what_it_would_have_been() {
    let city = City::new().await;
    let (decision, ticket) = decision(&city, "court", "路灯的事我不服法院的判决").await;
    assert_eq!((ticket["state"].as_str(), ticket["department"].as_str()), (Some("triage"), None));
    assert_eq!(decision["reason"], "refuse");
    assert_eq!(decision["ranked"][0]["item"], "roads.streetlight");
    let said = decision["trace"]["hits"].as_array().expect("hits").iter().find(|hit| hit["rule"] == "refuse.court");
    assert_eq!(said.expect("the rule")["effects"][0]["refuse"], "court", "the lawful route is named");
}
