//! What the rules see of the sender, and what waits for a person.

use axum::http::StatusCode;
use serde_json::{Value, json};

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

/// The demo city's rules with one on a street and one on who speaks.
fn rules_on_forms() -> routing_rules::RuleSet {
    let mut files = crate::config::rules::files(None).expect("files");
    let text = "[[rule]]\nid = \"more.street\"\nreason = \"t\"\nphase = \"decorate\"\nwhen.street = \"竹影巷\"\nthen.tags = [\"lane\"]\n\
                tests = [{ text = \"竹影巷\" }]\n\
                [[rule]]\nid = \"more.business\"\nreason = \"t\"\nphase = \"decorate\"\nwhen.citizen_kind = \"enterprise\"\n\
                then.tags = [\"business\"]\ntests = [{ text = \"a\", citizen_kind = \"enterprise\" }]\n";
    files.push(routing_rules::SourceFile { path: "rules/more.toml".to_owned(), text: text.to_owned() });
    routing_rules::RuleSet::compile(&files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[tokio::test]
async fn rules_see_the_street_and_the_kind_of_citizen_of_a_call() {
    let city = City::new().await;
    city.hub.run_rules(rules_on_forms());
    for (more, fired, place) in [
        (
            json!({ "street": "竹影巷", "citizen_kind": "enterprise" }),
            vec!["more.business", "more.street"],
            json!("竹影巷"),
        ),
        (
            json!({ "street": "竹影巷", "place": "5号", "citizen_kind": "individual" }),
            vec!["more.street"],
            json!("竹影巷 5号"),
        ),
        (json!({ "place": "竹影巷5号" }), vec!["more.street"], json!("竹影巷5号")),
        (json!({}), vec![], Value::Null),
    ] {
        let mut call = json!({ "from": "+8613800138000", "text": "路灯坏了" });
        call.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let suggested = city.post("agent", "/suggest", call.clone()).await;
        let filed = city.post("agent", "/tickets", call).await;
        let ticket = city.get("agent", &format!("/tickets/{}", filed["number"].as_str().expect("a number"))).await;
        let hits = ticket["decision"]["trace"]["hits"].as_array().expect("hits");
        let own: Vec<_> =
            hits.iter().filter_map(|hit| hit["rule"].as_str()).filter(|rule| rule.starts_with("more")).collect();
        assert_eq!((own, &ticket["place"]), (fired, &place), "{more}");
        assert_eq!(suggested["district"], ticket["district"], "{more}");
    }
    let wrong = json!({ "text": "路灯坏了", "citizen_kind": "company" });
    city.refused("agent", "/tickets", wrong.clone(), StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    city.refused("agent", "/suggest", wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
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
