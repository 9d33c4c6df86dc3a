//! What the desk sets right, drafts, and what a conflict tells.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{City, MINUTE, PASSWORD};
use crate::domain::Role;
use crate::staff::{self, NewStaff};
use crate::store::staff::Grant;

async fn colleague(city: &City, name: &str, role: Role, department: Option<&str>) -> String {
    let grant = Grant { role, department: department.map(str::to_owned), identity: false };
    let new = NewStaff { login: name.to_lowercase(), name: name.to_owned(), grant, password: PASSWORD.to_owned() };
    let id = staff::create_staff(&city.hub.store, new, "test", city.hub.clock.millis()).await.expect("created");
    format!("staff:{id}")
}

#[tokio::test]
async fn somebody_takes_a_ticket_and_gives_it_on() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let taken =
        city.post(&department, &format!("{path}/take"), json!({ "version": city.version(&number).await })).await;
    assert_eq!(taken["assignee"]["name"], json!(department));
    let mine = city.get(&department, "/tickets?assignee=me&state=open").await;
    assert_eq!(mine["items"][0]["number"], json!(number));
    assert_eq!(city.get("agent", "/tickets?assignee=none").await["items"], json!([]));
    let li = colleague(&city, "Li", Role::Handler, Some(&department)).await;
    let stranger = colleague(&city, "Wu", Role::Handler, Some("somewhere-else")).await;
    let people = city.get(&department, &format!("/assignable?number={number}")).await;
    assert_eq!(people["items"], json!([{ "id": li, "name": "Li" }]));
    let body = |to: &str| json!({ "assignee": to, "version": taken["version"] });
    city.refused(&department, &format!("{path}/assign"), body(&stranger), StatusCode::UNPROCESSABLE_ENTITY, "invalid")
        .await;
    let given = city.post(&department, &format!("{path}/assign"), body(&li)).await;
    assert_eq!(given["assignee"], json!({ "id": li, "name": "Li" }));
    let other = city.hub.rules().departments().iter().map(|one| one.id.clone()).find(|id| *id != department);
    let to = json!({ "department": other, "reason": "place", "version": given["version"] });
    let elsewhere = city.post("agent", &format!("{path}/dispatch"), to).await;
    assert_eq!(elsewhere["assignee"], Value::Null, "another department gives it to whom it wants");
}

#[tokio::test]
async fn item_and_priority_are_set_right_with_a_reason() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let before = city.get("agent", &path).await;
    let item = city.hub.rules().items().iter().map(|item| item.id.clone()).find(|id| before["item"] != json!(id));
    let item = item.expect("another item");
    let body = json!({ "item": item, "reason": "it is a manhole", "version": before["version"] });
    let classified = city.post("agent", &format!("{path}/classify"), body).await;
    assert_eq!((&classified["item"], &classified["department"]), (&json!(item), &json!(department)));
    assert_eq!((&classified["state"], &classified["decision"]["decided_by"]), (&json!("dispatched"), &json!("person")));
    assert!(classified["decision"]["sentences"]["en"].as_str().is_some_and(|text| text.contains("it is a manhole")));
    let body = json!({ "priority": "urgent", "reason": "near a school", "version": classified["version"] });
    let urgent = city.post("agent", &format!("{path}/priority"), body).await;
    assert_eq!(urgent["priority"], "urgent");
    assert!(urgent["due_at"].as_str() < before["due_at"].as_str(), "{} {}", urgent["due_at"], before["due_at"]);
    assert_eq!(urgent["assignments"][0]["due_at"], urgent["due_at"]);
    let body = json!({ "priority": "soon", "reason": "x", "version": urgent["version"] });
    city.refused("agent", &format!("{path}/priority"), body, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
}

#[tokio::test]
async fn a_question_leaves_state_and_clock_alone() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let before = city.get(&department, &path).await;
    let body = json!({ "text": "是哪一根灯杆？", "version": before["version"] });
    let asked = city.post(&department, &format!("{path}/questions"), body).await;
    assert_eq!((&asked["state"], &asked["due_at"]), (&before["state"], &before["due_at"]));
    assert_eq!((&asked["replies"][0]["kind"], &asked["notes"]), (&json!("question"), &json!([])));
    let delivery = asked["deliveries"].as_array().expect("deliveries").last().expect("one");
    assert_eq!((&delivery["kind"], &delivery["channel"]), (&json!("question"), &json!("phone")));
}

#[tokio::test]
async fn a_close_is_taken_back_within_ten_seconds_by_who_closed() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let version = city.version(&number).await;
    let reply = city.post(&department, &format!("{path}/replies"), json!({ "text": "好了", "version": version })).await;
    let close = async |version: &Value| {
        city.hub.clock.advance(1_000);
        city.post("agent", &format!("{path}/close"), json!({ "version": version })).await
    };
    let closed = close(&reply["version"]).await;
    let undo = json!({ "version": closed["version"] });
    city.refused("supervisor", &format!("{path}/undo-close"), undo.clone(), StatusCode::CONFLICT, "illegal_move").await;
    let open = city.post("agent", &format!("{path}/undo-close"), undo).await;
    assert_eq!((&open["state"], &open["closed_at"]), (&json!("replied"), &Value::Null));
    assert_eq!(
        (&open["assignments"][0]["state"], &open["assignments"][0]["ended_at"]),
        (&json!("replied"), &Value::Null)
    );
    let closed = close(&open["version"]).await;
    city.hub.clock.advance(11_000);
    let undo = json!({ "version": closed["version"] });
    city.refused("agent", &format!("{path}/undo-close"), undo, StatusCode::CONFLICT, "illegal_move").await;
}

#[tokio::test]
async fn a_conflict_tells_field_by_field_what_changed_and_who_changed_it() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let seen = city.get("agent", &path).await;
    city.hub.clock.advance(MINUTE);
    let taken = city.post(&department, &format!("{path}/take"), json!({ "version": seen["version"] })).await;
    city.hub.clock.advance(MINUTE);
    let signed = city.post(&department, &format!("{path}/sign"), json!({ "version": taken["version"] })).await;
    let stale = json!({ "text": "x", "version": seen["version"] });
    let told = city.refused("agent", &format!("{path}/notes"), stale, StatusCode::CONFLICT, "changed").await;
    let field =
        |name: &str| told["fields"].as_array().expect("fields").iter().find(|field| field["field"] == name).cloned();
    let state = field("state").expect("the state");
    assert_eq!((&state["from"], &state["to"]), (&json!("dispatched"), &json!("signed")));
    assert_eq!(state["by"]["name"], json!(department));
    let assignee = field("assignee").expect("the assignee");
    assert_eq!((&assignee["from"], &assignee["to"]["name"]), (&Value::Null, &json!(department)));
    assert!(assignee["at"].as_str() < state["at"].as_str());
    assert_eq!(told["fields"].as_array().map(Vec::len), Some(2), "{told}");
    let kinds: Vec<_> = told["events"].as_array().expect("events").iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, [json!("assigned"), json!("signed")]);
    assert_eq!((&told["more"], &told["new_messages"]), (&json!(false), &json!(0)));
    let history = city.get("agent", &format!("{path}/events")).await;
    let last = history["items"].as_array().expect("items").last().expect("one").clone();
    assert_eq!((&last["kind"], &last["actor"]["name"]), (&json!("signed"), &json!(department)));
    let stale = json!({ "text": "x", "version": signed["version"].as_i64().expect("a version") - 1 });
    let told = city.refused("agent", &format!("{path}/notes"), stale, StatusCode::CONFLICT, "changed").await;
    assert_eq!(told["fields"].as_array().map(Vec::len), Some(1), "only what changed since that version: {told}");
}

#[tokio::test]
async fn drafts_survive_and_show_to_others_only_that_somebody_writes() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}/drafts");
    let put = async |token: &str, path: &str, body: Value| city.call(token, Method::PUT, path, body).await;
    let kept = put(&department, &format!("{path}/reply"), json!({ "text": "已派", "revision": 0, "version": 1 })).await;
    assert_eq!((kept.status, &kept.body["revision"]), (StatusCode::OK, &json!(1)), "{}", kept.body);
    let again = put(&department, &format!("{path}/reply"), json!({ "text": "已派人", "revision": 1 })).await;
    assert_eq!(again.body["revision"], 2);
    let stale = put(&department, &format!("{path}/reply"), json!({ "text": "别的", "revision": 1 })).await;
    assert_eq!((stale.status, &stale.body["error"]["code"]), (StatusCode::CONFLICT, &json!("draft_changed")));
    assert_eq!(stale.body["error"]["draft"]["text"], "已派人", "nothing typed is lost");
    let seen = city.get("agent", &path).await;
    assert_eq!((&seen["mine"], &seen["others"][0]["text"]), (&json!([]), &Value::Null));
    assert_eq!(seen["others"][0]["who"]["name"], json!(department));
    assert_eq!(city.get("supervisor", &path).await["others"][0]["text"], "已派人");
    assert_eq!(city.get(&department, &path).await["mine"][0]["text"], "已派人");
    let row = city.get("agent", "/tickets").await["items"][0]["drafting"].clone();
    assert_eq!(row[0]["name"], json!(department));
    assert_eq!(city.get(&department, "/tickets").await["items"][0]["drafting"], json!([]));
    let body = json!({ "text": "已派人", "version": city.version(&number).await });
    city.post(&department, &format!("/tickets/{number}/replies"), body).await;
    assert_eq!(city.get(&department, &path).await["mine"], json!([]), "what was sent is no draft any more");

    let call = "/call-drafts/0195f0c2-1111-7000-8000-000000000001";
    let body = json!({ "text": "停水", "data": { "from": "+8613800138000" }, "revision": 0 });
    assert_eq!(put("agent", call, body).await.status, StatusCode::OK);
    assert_eq!(city.get("agent", call).await["data"]["from"], "+8613800138000");
    assert_eq!(city.get("supervisor", "/call-drafts").await["items"], json!([]));
    city.hub.clock.advance(31 * 24 * 60 * MINUTE);
    assert_eq!(city.get("agent", "/call-drafts").await["items"], json!([]), "a draft is forgotten in the end");
}

#[tokio::test]
async fn a_new_address_gets_the_answer_that_reached_nobody() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let version = city.version(&number).await;
    let replied =
        city.post(&department, &format!("{path}/replies"), json!({ "text": "好了", "version": version })).await;
    let address = json!({ "channel": "sms", "address": "+8613900139000", "version": replied["version"] });
    let set = city.post("agent", &format!("{path}/answer-address"), address).await;
    let ways = |ticket: &Value| -> Vec<(Value, Value)> {
        let all = ticket["deliveries"].as_array().expect("deliveries");
        let replies = all.iter().filter(|one| one["kind"] == "reply");
        replies.map(|one| (one["channel"].clone(), one["state"].clone())).collect()
    };
    assert_eq!(ways(&set), [(json!("phone"), json!("failed")), (json!("sms"), json!("queued"))], "{set}");
    let sms = set["deliveries"].as_array().expect("deliveries").last().expect("one")["id"].clone();
    let sms = sms.as_str().expect("an id");
    city.post("agent", &format!("/deliveries/{sms}/call"), Value::Null).await;
    let called = city.get("agent", &path).await;
    assert_eq!(ways(&called).last(), Some(&(json!("phone"), json!("queued"))));
    let again = format!("/deliveries/{sms}/call");
    city.refused("agent", &again, Value::Null, StatusCode::CONFLICT, "illegal_move").await;
}
