//! The life of a rule set, and what the past says of it.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::City;
use crate::config::rules;

/// A phrase that no rule of the demo city knows.
const UNKNOWN: &str = "飞艇挡路";

/// The demo city's files, with a rule more.
fn pack(more: &str) -> Value {
    let mut files: BTreeMap<String, String> =
        rules::files(None).expect("files").into_iter().map(|file| (file.path, file.text)).collect();
    if !more.is_empty() {
        files.insert("rules/more.toml".to_owned(), more.to_owned());
    }
    json!({ "files": files, "note": "airships" })
}

fn airships() -> Value {
    pack(&format!(
        "[[rule]]\nid = \"more.airship\"\nreason = \"airships\"\nweight = 4\nwhen = {{ any = [\"{UNKNOWN}\"] }}\n\
         then = {{ item = \"roads.streetlight\" }}\ntests = [{{ text = \"{UNKNOWN}\", item = \"roads.streetlight\" }}]\n"
    ))
}

impl City {
    /// As after the first start: the demo city's pack is rule set 1.
    async fn started(&self) {
        let files = rules::files(None).expect("files");
        let pack = rules::compile(None).expect("rules");
        let (caches, now) = (self.hub.caches(), self.hub.clock.millis());
        crate::rule_sets::start(&self.hub.store, pack, &files, &caches, now).await.expect("started");
    }

    async fn dispatch(&self, number: &str, department: &str, item: &str) -> Value {
        let body = json!({ "department": department, "item": item, "version": self.version(number).await });
        self.post("agent", &format!("/tickets/{number}/dispatch"), body).await
    }

    async fn filed(&self, key: &str, text: &str) -> Value {
        let filed = self.file(key, text, "phone").await;
        assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.body);
        filed.body
    }
}

fn number(ticket: &Value) -> String {
    ticket["number"].as_str().expect("a number").to_owned()
}

#[tokio::test]
async fn two_persons_bring_a_rule_set_to_decide_and_one_takes_it_back() {
    let city = City::new().await;
    city.started().await;
    city.started().await;
    let list = city.get("supervisor", "/rule-sets").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "a second start imports nothing: {list}");
    assert_eq!((&list["items"][0]["number"], &list["items"][0]["state"]), (&json!(1), &json!("published")));
    let unsure = city.filed("before", UNKNOWN).await;
    assert_eq!(unsure["state"], "triage");

    let broken = pack("[[rule]]\nid = \"more.broken\"\n");
    let checked = city.post("supervisor", "/rule-sets/check", broken.clone()).await;
    assert!(checked["problems"].as_array().is_some_and(|problems| !problems.is_empty()), "{checked}");
    let refused = city.refused("supervisor", "/rule-sets", broken, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(refused["problems"][0]["file"], "rules/more.toml");

    let drafted = city.post("supervisor", "/rule-sets", airships()).await;
    assert_eq!(
        (&drafted["number"], &drafted["state"], &drafted["note"]),
        (&json!(2), &json!("draft"), &json!("airships"))
    );
    let again = city.call("admin", Method::POST, "/rule-sets", airships()).await;
    assert_eq!((again.status, &again.body["number"]), (StatusCode::OK, &json!(2)), "known already");
    let early = city.refused("admin", "/rule-sets/2/publish", json!({}), StatusCode::CONFLICT, "not_now").await;
    assert!(early["message"].as_str().is_some_and(|text| text.contains("backtested")), "{early}");

    city.dispatch(&number(&unsure), "urban-management", "roads.streetlight").await;
    let report = city.post("supervisor", "/rule-sets/2/backtest", json!({ "days": 30 })).await;
    assert_eq!((&report["cases"], &report["tried"]["items"]["share"]), (&json!(1), &json!(1.0)), "{report}");
    assert_eq!(report["moves"][0]["to"], "urban-management");
    let whole = city.get("supervisor", "/rule-sets/2").await;
    assert_eq!(whole["state"], "backtested");
    assert!(whole["files"]["measured.toml"].as_str().is_some_and(|text| text.contains("more.airship")), "{whole}");
    assert_ne!(whole["version"], drafted["version"], "what was measured is part of it");

    city.refused("supervisor", "/rule-sets/2/publish", json!({}), StatusCode::CONFLICT, "not_now").await;
    city.refused("agent", "/rule-sets/2/publish", json!({}), StatusCode::FORBIDDEN, "forbidden").await;
    let published = city.post("admin", "/rule-sets/2/publish", json!({})).await;
    assert_eq!(published["state"], "published");
    let sure = city.filed("after", UNKNOWN).await;
    assert_eq!(sure["decision"]["rule_set"], whole["version"], "{sure}");
    assert_eq!(sure["department"], "urban-management");
    let list = city.get("admin", "/rule-sets").await;
    let states: Vec<&str> =
        list["items"].as_array().expect("items").iter().filter_map(|one| one["state"].as_str()).collect();
    assert_eq!(states, ["published", "superseded"]);

    let back = city.post("supervisor", "/rule-sets/1/rollback", json!({})).await;
    assert_eq!(back["state"], "published");
    assert_eq!(city.filed("back", UNKNOWN).await["state"], "triage");
    city.refused("supervisor", "/rule-sets/1/rollback", json!({}), StatusCode::CONFLICT, "not_now").await;
    let log = city.get("admin", "/audit?subject=2").await;
    let actions: Vec<&str> =
        log["items"].as_array().expect("lines").iter().filter_map(|line| line["action"].as_str()).collect();
    assert_eq!(actions, ["rule_set.published", "rule_set.backtested", "rule_set.drafted"]);
}

#[tokio::test]
async fn whoever_publishes_is_told_which_open_tickets_are_left_behind() {
    let city = City::with(&[("two_person", toml::Value::Boolean(false))]).await;
    city.started().await;
    let (lamp, department) = city.dispatched().await;
    assert_eq!(department, "urban-management");
    // The same pack, in which the department and the item have other names.
    let renamed =
        pack("").to_string().replace("urban-management", "city-looks").replace("roads.streetlight", "roads.lamps");
    let drafted = city.post("supervisor", "/rule-sets", serde_json::from_str(&renamed).expect("a pack")).await;
    let left = json!([
        { "what": "item", "id": "roads.streetlight", "open_tickets": 1 },
        { "what": "department", "id": "urban-management", "open_tickets": 1 },
    ]);
    assert_eq!(drafted["in_use"], left, "told before anything is done");
    city.post("supervisor", "/rule-sets/2/backtest", json!({})).await;
    assert_eq!(city.post("supervisor", "/rule-sets/2/publish", json!({})).await["in_use"], left);
    let log = city.get("admin", "/audit?subject=2").await;
    assert_eq!(log["items"][0]["detail"]["in_use"], left);
    assert_eq!(city.post("supervisor", "/rule-sets/1/rollback", json!({})).await["in_use"], json!([]));
    for (actor, verb) in [(department.as_str(), "sign"), (&department, "replies"), ("agent", "close")] {
        let body = json!({ "text": "已修好", "version": city.version(&lamp).await });
        city.post(actor, &format!("/tickets/{lamp}/{verb}"), body).await;
    }
    let again =
        city.call("supervisor", Method::POST, "/rule-sets", serde_json::from_str(&renamed).expect("a pack")).await;
    assert_eq!(again.body["in_use"], json!([]), "closed tickets are past");
}

#[tokio::test]
async fn one_person_suffices_where_that_is_allowed_and_the_log_says_so() {
    let city = City::with(&[("two_person", toml::Value::Boolean(false))]).await;
    city.started().await;
    city.post("supervisor", "/rule-sets", airships()).await;
    city.post("supervisor", "/rule-sets/2/backtest", json!({})).await;
    city.post("supervisor", "/rule-sets/2/publish", json!({})).await;
    let log = city.get("admin", "/audit?subject=2").await;
    assert_eq!(log["items"][0]["detail"]["two_person"], false);
}

#[tokio::test]
async fn another_node_follows_and_tells_once_what_it_cannot_read() {
    let city = City::new().await;
    city.started().await;
    city.post("supervisor", "/rule-sets", airships()).await;
    city.post("supervisor", "/rule-sets/2/backtest", json!({})).await;
    let old = rules::compile(None).expect("rules");
    city.post("admin", "/rule-sets/2/publish", json!({})).await;
    let published = city.hub.rules().version().to_owned();
    // As a node that has not heard of it.
    city.hub.run_rules(old);
    let mut unreadable = std::collections::BTreeSet::new();
    assert!(crate::rule_sets::follow(&city.hub, &mut unreadable).await.expect("followed"));
    assert_eq!(city.hub.rules().version(), published);
    assert!(!crate::rule_sets::follow(&city.hub, &mut unreadable).await.expect("nothing new"));
    city.hub
        .store
        .write(|conn| {
            Box::pin(async move {
                conn.execute("update rule_sets set files = '{\"pack.toml\": \"x = 1\"}'", Vec::new()).await
            })
        })
        .await
        .expect("broken");
    city.hub.run_rules(rules::compile(None).expect("rules"));
    let told = crate::rule_sets::follow(&city.hub, &mut unreadable).await;
    assert!(matches!(told, Err(crate::store::Error::Invalid(_))), "{told:?}");
    assert!(!crate::rule_sets::follow(&city.hub, &mut unreadable).await.expect("not again"));
    // A start takes messages all the same, with the pack of the settings.
    let files = rules::files(None).expect("files");
    let pack = rules::compile(None).expect("rules");
    let version = pack.version().to_owned();
    let started = crate::rule_sets::start(&city.hub.store, pack, &files, &city.hub.caches(), 0).await.expect("started");
    assert_eq!(started.version(), version);
}

#[tokio::test]
async fn the_past_is_told_masked_and_judged_again() {
    let city = City::new().await;
    city.started().await;
    let (lamp, department) = city.dispatched().await;
    let moved = number(&city.filed("moved", "小区停水三天了").await);
    city.dispatch(&moved, "urban-management", "roads.streetlight").await;
    let back = number(&city.filed("back", "解放路的路灯不亮了").await);
    let version = city.version(&back).await;
    let body = json!({ "reason": "not ours", "text": "", "version": version });
    city.post(&department, &format!("/tickets/{back}/send-back"), body).await;
    city.post("agent", &format!("/tickets/{back}/close"), json!({ "version": city.version(&back).await })).await;
    for (actor, verb) in [(department.as_str(), "sign"), (&department, "replies"), ("agent", "close")] {
        let body = json!({ "text": "已修好", "version": city.version(&lamp).await });
        city.post(actor, &format!("/tickets/{lamp}/{verb}"), body).await;
    }

    let history = city.get("supervisor", "/rule-sets/history?days=7").await;
    assert_eq!(history["next"], Value::Null);
    let told: Vec<Value> = history["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|case| json!([case["id"], case["label"], case["department"], case["weight"], case["not"]]))
        .collect();
    let streetlight = "roads.streetlight";
    assert_eq!(
        told,
        [
            json!([lamp, streetlight, department, 0.25, null]),
            json!([moved, streetlight, "urban-management", 1.0, null]),
            json!([back, null, null, 1.0, streetlight]),
        ]
    );
    assert!(!history.to_string().contains("13900139000"), "{history}");
    assert!(history["items"][0]["local_time"].is_string(), "the city's clock is an input: {history}");
    assert_eq!(city.call("agent", Method::GET, "/rule-sets/history", Value::Null).await.status, StatusCode::FORBIDDEN);

    let stats = city.get("supervisor", "/rule-sets/stats?days=7").await;
    assert_eq!((&stats["judged"], &stats["decided"], &stats["abstention_rate"]), (&json!(3), &json!(3), &json!(0.0)));
    assert_eq!(stats["send_back_rate"], json!(0.3333));
    let rule = |name: &str| {
        let rules = stats["rules"].as_array().expect("rules");
        rules.iter().find(|rule| rule["rule"] == name).unwrap_or_else(|| panic!("{name} in {stats}")).clone()
    };
    let lamp_rule =
        city.get("agent", &format!("/tickets/{lamp}")).await["decision"]["trace"]["hits"][0]["rule"].clone();
    let lights = rule(lamp_rule.as_str().expect("a rule"));
    assert_eq!(
        (&lights["hits"], &lights["led"], &lights["send_back_rate"], &lights["told"], &lights["precision"]),
        (&json!(2), &json!(2), &json!(0.5), &json!(2), &json!(0.5))
    );
    assert!(stats["phrases"].as_array().is_some_and(|phrases| phrases.iter().any(|phrase| phrase["hits"] == 2)));

    let replay = city.get("supervisor", &format!("/tickets/{lamp}/replay")).await;
    assert_eq!((&replay["differences"], &replay["changes"]), (&json!([]), &json!([])), "{replay}");
    city.post("supervisor", "/rule-sets", pack("[[rule]]\nid = \"more.hold\"\nreason = \"r\"\nphase = \"guard\"\nwhen = { any = [\"路灯\"] }\nthen = { hold = true }\ntests = [{ text = \"路灯\", abstains = true }]\n")).await;
    city.post("supervisor", "/rule-sets/2/backtest", json!({})).await;
    let refused = city.call("admin", Method::POST, "/rule-sets/2/publish", json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "the demo's own tests speak of lamps: {}", refused.body);
    let rules = crate::rule_sets::compile(
        serde_json::from_value::<BTreeMap<String, String>>(city.get("admin", "/rule-sets/2").await["files"].clone())
            .expect("files")
            .into_iter()
            .map(|(path, text)| routing_rules::SourceFile { path, text })
            .collect(),
        city.hub.caches(),
    )
    .await
    .expect("compiled")
    .expect("a pack");
    city.hub.run_rules(rules);
    let replay = city.get("supervisor", &format!("/tickets/{lamp}/replay")).await;
    assert_eq!(replay["differences"], json!([]), "its own rules say the same");
    assert_eq!((&replay["stored"]["number"], &replay["published"]["number"]), (&json!(1), &json!(2)));
    assert!(
        replay["changes"]
            .as_array()
            .is_some_and(|changes| changes.iter().any(|change| change["field"] == "department"))
    );
}

#[tokio::test]
async fn what_is_left_unseen_shows_nothing_and_measures() {
    let city = City::with(&[("unseen_share", toml::Value::Float(1.0))]).await;
    city.started().await;
    let filed = city.filed("one", "解放路的路灯不亮了").await;
    let number = number(&filed);
    assert_eq!((&filed["state"], &filed["item"], &filed["department"]), (&json!("triage"), &Value::Null, &Value::Null));
    assert_eq!(filed["decision"]["reason"], "unseen");
    assert!(!filed.to_string().contains("roads.streetlight"), "nothing gives it away: {filed}");
    let emergency = city.filed("fire", "着火了，快来救火").await;
    assert_ne!(emergency["decision"]["reason"], "unseen", "{emergency}");
    let replay = city.get("supervisor", &format!("/tickets/{number}/replay")).await;
    assert_eq!(replay["differences"], json!([]), "{replay}");
    city.dispatch(&number, "urban-management", "roads.streetlight").await;
    let stats = city.get("supervisor", "/rule-sets/stats").await;
    assert_eq!((&stats["unseen"], &stats["unseen_items"]["share"]), (&json!(1), &json!(1.0)), "{stats}");
    assert_eq!(stats["unseen_departments"]["cases"], 1);
    let history = city.get("supervisor", "/rule-sets/history").await;
    assert_eq!((&history["items"][0]["unseen"], &history["items"][0]["weight"]), (&json!(true), &json!(1.0)));
}

#[tokio::test]
async fn a_text_is_explained() {
    let city = City::new().await;
    city.started().await;
    let body = json!({ "text": "解放路的路灯不亮了", "channel": "sms", "why_not": "water-company" });
    let told = city.post("supervisor", "/rule-sets/explain", body).await;
    assert_eq!(told["decision"]["department"], "urban-management");
    assert_eq!(told["why_not"]["goes_there"], false);
    assert!(told["why_not"]["silent"].as_array().is_some_and(|rules| !rules.is_empty()), "{told}");
    let body = json!({ "text": "x", "why_not": "nobody" });
    city.refused("supervisor", "/rule-sets/explain", body, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let body = json!({ "text": "x", "rule_set": 7 });
    city.refused("supervisor", "/rule-sets/explain", body, StatusCode::NOT_FOUND, "not_found").await;
}
