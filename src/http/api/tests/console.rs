//! What the console asks for beside tickets: suggestions, previews, mails as they looked, health, the catalogue.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use channel_contract::{Content, Inbound, Message, RawRequest, Receipt};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::City;

const MAIL: &str = "From: Li <li@example.org>\r\nSubject: lamp\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
    <p>Hi<script>x()</script><img src=\"https://tracker.example/p.gif\"></p>\r\n";

/// Takes a message as an account would have brought it.
async fn arrive(city: &City, account: &str, raw: &str, message: Message) -> String {
    let channel = Arc::clone(city.hub.channels.get(account).expect("the account"));
    let request = RawRequest {
        method: "POST".to_owned(),
        url: format!("http://127.0.0.1/channels/{account}"),
        headers: Vec::new(),
        peer: None,
        body: raw.to_owned().into(),
        received_at: city.hub.clock.now(),
    };
    let digest = channel_contract::digest([raw.as_bytes()]);
    let item = Inbound { key: raw.to_owned(), digest, content: Content::Message(Box::new(message)) };
    let taken = city.hub.take(&channel, request, Receipt::Verified(vec![item]), None).await.expect("taken");
    taken[0].ticket.clone().expect("a ticket")
}

async fn raw(city: &City, token: &str, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(format!("/api/v1{path}")).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.body(Body::empty()).expect("a request");
    let response = city.router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn suggestions_come_while_typing_and_name_the_callers_open_tickets() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let before = city.get("agent", "/ledger").await;
    let body = json!({ "text": "路灯坏了", "place": "中山路", "from": "13800138000" });
    let suggested = city.post("agent", "/suggest", body.clone()).await;
    assert_eq!(suggested["department"], json!(department));
    assert_eq!(suggested["items"][0]["item"], suggested["item"]);
    assert!(suggested["items"][0]["names"]["zh-Hans"].as_str().is_some_and(|name| name.contains("路灯")));
    assert!(suggested["sentences"]["zh-Hans"].as_str().is_some_and(|text| text.starts_with("已派至")), "{suggested}");
    assert_eq!(suggested["duplicates"][0]["number"], json!(number));
    let unseen = city.post(&department, "/suggest", body).await;
    assert_eq!(unseen["duplicates"], json!([]), "who may not search by number is told of nobody's tickets");
    let fire = city.post("agent", "/suggest", json!({ "text": "着火了，有人被困" })).await;
    assert!(fire["emergency"].as_array().is_some_and(|numbers| numbers.contains(&json!("119"))), "{fire}");
    let nothing = city.post("agent", "/suggest", json!({ "text": "你好" })).await;
    assert_eq!((&nothing["decided_by"], &nothing["item"]), (&json!("abstain"), &Value::Null));
    assert_eq!(city.get("agent", "/ledger").await, before, "nothing is stored");
}

#[tokio::test]
async fn items_and_departments_are_found_by_pinyin() {
    let city = City::new().await;
    let items = city.get("agent", "/items").await;
    let lamp = items["items"].as_array().expect("items").iter().find(|item| item["id"] == "roads.streetlight");
    let keys = lamp.expect("the item")["keys"].as_array().expect("keys").clone();
    assert!(keys.iter().filter_map(Value::as_str).any(|key| key.starts_with("ludeng")), "{keys:?}");
    let departments = city.get("agent", "/departments").await;
    assert!(departments["items"].as_array().expect("items").iter().all(|one| one["keys"][0] == one["id"]));
    assert!(!city.get("agent", "/districts").await["items"].as_array().expect("items").is_empty());
}

#[tokio::test]
async fn an_answer_is_shown_as_it_will_leave() {
    let city = City::new().await;
    let message =
        Message {
            from: "+8613700137000".to_owned(), text: "中山路的路灯坏了".to_owned(), ..Message::default()
        };
    let number = arrive(&city, "demo", "sms-1", message).await;
    let department = city.get("agent", &format!("/tickets/{number}")).await["department"].clone();
    let handler = department.as_str().expect("a department");
    let path = format!("/tickets/{number}/replies/preview");
    let shown = city.post(handler, &path, json!({ "text": "已修好" })).await;
    assert_eq!((&shown["channel"], &shown["to"], &shown["encoding"]), (&json!("sms"), &Value::Null, &json!("ucs2")));
    assert!(shown["text"].as_str().is_some_and(|text| text.contains("已修好") && text.contains(&number)));
    assert!(!shown.to_string().contains("13700137000"), "{shown}");
    assert!(shown["segments"].as_i64() >= Some(1) && shown["parts"][0]["units"].as_i64() > Some(10));
    assert_eq!(city.post("agent", &path, json!({ "text": "x" })).await["to"], "+8613700137000");
    let long = city.post(handler, &path, json!({ "text": "灯".repeat(3_000) })).await;
    assert_eq!(long["too_long"], json!(true));
    let asks = city.post(handler, &path, json!({ "text": "在哪里？", "kind": "question" })).await;
    assert_ne!(asks["text"], shown["text"]);
    let texts = city.get(handler, &format!("/reply-templates?number={number}")).await;
    let underway = texts["items"].as_array().expect("items").iter().find(|one| one["id"] == "underway").cloned();
    let underway = underway.expect("the text");
    assert!(underway["text"].as_str().is_some_and(|text| text.contains("路灯") && !text.contains("{{")), "{underway}");
    let english = city.get(handler, "/reply-templates?item=roads.streetlight&language=en").await;
    assert!(english["items"].as_array().expect("items").iter().any(|one| one["title"] == "Repaired on site"));
}

#[tokio::test]
async fn a_mail_is_shown_as_it_looked_and_loads_nothing_unasked() {
    let city = City::new().await;
    let message = Message {
        from: "li@example.org".to_owned(),
        text: "Hi".to_owned(),
        html: Some("<p>Hi</p>".to_owned()),
        ..Message::default()
    };
    let number = arrive(&city, "mailbox", MAIL, message).await;
    let ticket = city.get("agent", &format!("/tickets/{number}")).await;
    let appeal = ticket["appeals"][0]["id"].as_str().expect("an id");
    let path = format!("/tickets/{number}/appeals/{appeal}/html");
    let (status, headers, body) = raw(&city, "agent", &path).await;
    assert_eq!((status, &headers["yingda-remote-images"]), (StatusCode::OK, &"1".parse().expect("a header")));
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("a policy");
    assert!(policy.starts_with("sandbox") && policy.contains("img-src data:;"), "{policy}");
    assert!(body.contains("Hi") && !body.contains("tracker") && !body.contains("script"), "{body}");
    let (_, headers, body) = raw(&city, "agent", &format!("{path}?images=1")).await;
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().is_ok_and(|policy| policy.contains("https:")));
    assert!(body.contains("https://tracker.example/p.gif") && !body.contains("script"), "{body}");
    if let Some(department) = ticket["department"].as_str() {
        assert_eq!(raw(&city, department, &path).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn other_tickets_of_the_citizen_are_named_without_the_citizen() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let second = city.file("second", "解放路的路灯不亮", "phone").await.body["number"].clone();
    let related = city.get(&department, &format!("/tickets/{number}/related")).await;
    assert_eq!(
        (&related["items"][0]["relation"], &related["items"][0]["ticket"]["number"]),
        (&json!("same_citizen"), &second)
    );
    assert!(!related.to_string().contains("13800138000"));
    assert_eq!(related["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_supervisor_sees_how_the_hub_is() {
    let city = City::new().await;
    city.dispatched().await;
    city.hub.pulses.failed(
        "demo",
        crate::pulse::Trouble::Refused,
        "refused for +8613800138000",
        city.hub.clock.millis(),
    );
    let health = city.get("supervisor", "/health").await;
    assert_eq!((&health["adds_up"], &health["ledger"]["new"]), (&json!(true), &json!(1)));
    let demo = health["channels"].as_array().expect("channels").iter().find(|one| one["account"] == "demo").cloned();
    let demo = demo.expect("the account");
    assert!(
        demo["last_error"].as_str().is_some_and(|error| !error.contains("13800138000"))
            && demo["last_error_code"] == "refused"
            && demo["cannot_send"].is_string()
    );
    let tested = city.post("supervisor", "/channels/demo/test", Value::Null).await;
    assert_eq!(tested["ok"], json!(false), "a demo account has no far end: {tested}");
    let refused = city.call("agent", axum::http::Method::GET, "/health", Value::Null).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let log = city.get("admin", "/audit?action=channel.tested").await;
    assert_eq!((&log["items"][0]["subject"], &log["items"][0]["actor_name"]), (&json!("demo"), &json!("supervisor")));
    assert_eq!(city.get("admin", "/audit?action=channel.tested&until=2020-01-01T00:00:00Z").await["items"], json!([]));
    assert_eq!(city.get("admin", "/audit?from=2100-01-01T00:00:00Z").await["items"], json!([]));
}

#[tokio::test]
async fn pictures_are_looked_at_and_the_rest_is_downloaded() {
    let city = City::new().await;
    let (number, _) = city.dispatched().await;
    let upload = async |name: &str, bytes: &[u8]| -> String {
        let mut body = format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/plain\r\n\r\n").into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        let request = Request::post(format!("/api/v1/tickets/{number}/files"))
            .header(header::AUTHORIZATION, "Bearer agent")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .body(Body::from(body))
            .expect("a request");
        city.send(request).await.body["id"].as_str().expect("an id").to_owned()
    };
    let picture = upload("lamp.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").await;
    let text = upload("page.txt", b"hello").await;
    for (id, inline, disposition) in
        [(&picture, true, "inline"), (&picture, false, "attachment"), (&text, true, "attachment")]
    {
        let (_, headers, _) = raw(&city, "agent", &format!("/tickets/{number}/attachments/{id}?inline={inline}")).await;
        assert!(
            headers[header::CONTENT_DISPOSITION].to_str().is_ok_and(|value| value.starts_with(disposition)),
            "{headers:?}"
        );
        assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().is_ok_and(|value| value.starts_with("sandbox")));
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
