//! The queue: filters, both orders, counts; and who is found.

use serde_json::{Value, json};

use super::{City, MINUTE};
use crate::domain::Clock;

fn numbers(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["number"].as_str().expect("a number").to_owned()).collect()
}

/// Every page of a list, one ticket a page.
async fn walk(city: &City, token: &str, query: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = city.get(token, &format!("/tickets?limit=1&{query}&after={after}")).await;
        all.extend(numbers(&page));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return all,
        }
    }
}

async fn three() -> (City, Vec<String>, String) {
    let city = City::new().await;
    let mut all = Vec::new();
    let mut department = String::new();
    for (key, text) in [("one", "中山路的路灯坏了三天"), ("two", "小区自来水停水"), ("three", "解放路的路灯不亮")]
    {
        let filed = city.file(key, text, "phone").await;
        all.push(filed.body["number"].as_str().expect("a number").to_owned());
        if key == "one" {
            department = filed.body["department"].as_str().expect("a department").to_owned();
        }
        city.hub.clock.advance(MINUTE);
    }
    (city, all, department)
}

#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let (city, all, department) = three().await;
    let newest: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(walk(&city, "agent", "").await, all);
    assert_eq!(walk(&city, "agent", "order=newest").await, newest);
    assert_eq!(walk(&city, "agent", "order=newest&state=open").await, newest);
    let due = walk(&city, "agent", "order=due").await;
    let mut by_due: Vec<(String, String)> = city.get("agent", "/tickets").await["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (item["due_at"].to_string(), item["number"].as_str().expect("a number").to_owned()))
        .collect();
    by_due.sort();
    assert_eq!(due, by_due.into_iter().map(|(_, number)| number).collect::<Vec<_>>());
    let own = [all[0].clone(), all[2].clone()];
    let own_by_due: Vec<String> = due.iter().filter(|number| own.contains(number)).cloned().collect();
    for (order, own) in [("created", own.to_vec()), ("due", own_by_due)] {
        assert_eq!(walk(&city, &department, &format!("order={order}")).await, own, "{order}");
        assert_eq!(walk(&city, "agent", &format!("order={order}&department={department}")).await, own, "{order}");
    }
    assert_eq!(walk(&city, "agent", "state=closed&channel=phone").await, Vec::<String>::new());
    assert_eq!(walk(&city, "agent", "q=%E8%B7%AF%E7%81%AF").await, Vec::<String>::new());
    while crate::index::index_once(&city.hub).await.expect("indexed") > 0 {}
    assert_eq!(walk(&city, "agent", "q=%E8%B7%AF%E7%81%AF").await, [own[1].clone(), own[0].clone()]);
    assert_eq!(walk(&city, "agent", "q=%E8%B7%AF%E7%81%AF&state=closed").await, Vec::<String>::new());
}

#[tokio::test]
async fn counts_are_those_of_the_list() {
    let (city, all, department) = three().await;
    let counts = city.get("agent", "/tickets/counts?state=open").await;
    assert_eq!((&counts["total"], &counts["channel"]["phone"], &counts["exact"]), (&json!(3), &json!(3), &json!(true)));
    assert_eq!((&counts["unassigned"], &counts["overdue"]), (&json!(3), &json!(0)));
    let narrowed = city.get("agent", &format!("/tickets/counts?department={department}")).await;
    assert_eq!(narrowed["total"], 2);
    assert_eq!(narrowed["department"], counts["department"], "a facet is counted without its own filter");
    assert_eq!(city.get(&department, "/tickets/counts").await["total"], 2);
    city.hub.clock.advance(400 * 24 * 60 * MINUTE);
    assert_eq!(city.get("agent", "/tickets/counts").await["overdue"], 3);
    assert_eq!(numbers(&city.get("agent", "/tickets?overdue=true").await), all);
    let version = city.version(&all[1]).await;
    let path = format!("/tickets/{}", all[1]);
    city.post("agent", &format!("{path}/replies"), json!({ "text": "已恢复供水", "version": version })).await;
    let version = city.version(&all[1]).await;
    city.post("agent", &format!("{path}/close"), json!({ "version": version })).await;
    assert_eq!(city.get("agent", "/tickets/counts").await["total"], 2);
    assert_eq!(numbers(&city.get("agent", "/tickets?state=closed&item=").await), [all[1].clone()]);
}

#[tokio::test]
async fn a_citizen_is_found_by_number_and_name_however_they_are_typed() {
    let (city, all, department) = three().await;
    for contact in ["13800138000", "+86 138-0013-8000", "008613800138000", "+8613800138000"] {
        let found = city.post("agent", "/search", json!({ "contact": contact })).await;
        assert_eq!(numbers(&found).len(), all.len(), "{contact}");
    }
    for (name, found) in [("张", 3), ("张三", 3), ("三", 0)] {
        assert_eq!(numbers(&city.post("agent", "/search", json!({ "name": name })).await).len(), found, "{name}");
    }
    let refused = city.call(&department, axum::http::Method::POST, "/search", json!({ "name": "张" })).await;
    assert_eq!(refused.status, axum::http::StatusCode::FORBIDDEN);
    assert!(matches!(city.hub.clock, Clock::Manual(_)));
}

#[tokio::test]
async fn a_decision_is_told_in_a_sentence_with_the_words_that_decided() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let ticket = city.get(&department, &format!("/tickets/{number}")).await;
    let decision = &ticket["decision"];
    let sentence = |language: &str| decision["sentences"][language].as_str().unwrap_or_default().to_owned();
    assert!(sentence("zh-Hans").contains("路灯") && sentence("en").starts_with("Sent to "), "{decision}");
    let text: Vec<char> = ticket["appeals"][0]["text"].as_str().expect("a text").chars().collect();
    let marks = decision["marks"].as_array().expect("marks");
    assert!(!marks.is_empty());
    for mark in marks.iter().filter(|mark| mark["field"] == "text") {
        let at = |key: &str| usize::try_from(mark[key].as_u64().expect("a place")).expect("a place");
        let words: String = text[at("start")..at("end")].iter().collect();
        assert!(!words.contains('*') && !words.is_empty(), "{mark}");
    }
    assert!(
        marks.iter().any(|mark| mark["phrase"].as_str().is_some_and(|phrase| phrase.contains("路灯"))),
        "{marks:?}"
    );
}
