//! What the description of the API promises, held against what the API does.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::{Answer, City};
use crate::http::api::description;

/// Every operation: method, path of the description, and what it says.
fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    description()["paths"].as_object().expect("paths").iter().flat_map(|(path, operations)| {
        operations.as_object().expect("operations").iter().map(move |(method, operation)| {
            (Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"), path.as_str(), operation)
        })
    })
}

#[tokio::test]
async fn no_operation_answers_with_a_status_that_it_does_not_name() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let mut wrong = Vec::new();
    for (method, path, operation) in operations() {
        let described = operation["responses"].as_object().expect("answers");
        let uri = path.replace("{number}", &number).replace("{id}", "x").replace("{kind}", "note");
        for token in ["", "admin", &department] {
            for (query, media_type, body) in [
                ("", "application/json", "{"),
                ("", "application/json", "[]"),
                ("", "application/json", "{}"),
                ("", "text/plain", "{}"),
                ("?limit=x&days=x&after=garbage&from=x&position=x", "application/json", "{}"),
            ] {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(format!("{uri}{query}"))
                    .header(header::CONTENT_TYPE, media_type)
                    .header(header::AUTHORIZATION, format!("Bearer {token}"));
                let answer = city.send(request.body(Body::from(body)).expect("a request")).await;
                let told = answer.status.is_success() || answer.body["error"]["code"].is_string();
                if !described.contains_key(answer.status.as_str()) || !told {
                    let Answer { status, body: told, .. } = answer;
                    wrong.push(format!("{method} {path}{query} {media_type} {body} as {token:?}: {status} {told}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not described, or without the envelope:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_list_goes_on_only_after_what_a_page_gave() {
    let city = City::new().await;
    let (number, _) = city.dispatched().await;
    for path in [
        "/tickets?",
        "/tickets?order=newest&",
        "/tickets?order=due&",
        "/tickets?q=路灯&",
        "/search?q=路灯&",
        "/deliveries?",
        "/quarantine?",
        "/call-tasks?",
        "/audit?",
        "/rule-sets/history?",
        &format!("/tickets/{number}/events?"),
    ] {
        let path = path.replace("路灯", "%E8%B7%AF%E7%81%AF");
        let answer = city.call("admin", Method::GET, &format!("{path}after=garbage"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.body);
        let message = answer.body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("after must be the next of the page before"), "{path}: {message}");
        city.get("admin", &format!("{path}after=")).await;
    }
    let search = json!({ "contact": "+8613800138000", "after": "garbage" });
    city.refused("admin", "/search", search, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;

    // The next of each page leads on.
    city.file("second", "自来水停水", "phone").await;
    for path in ["/tickets?limit=1", "/tickets?order=newest&limit=1", "/tickets?order=due&limit=1", "/audit?limit=1"] {
        let first = city.get("admin", path).await;
        let next = first["next"].as_str().unwrap_or_else(|| panic!("{path}: {first}"));
        let second = city.get("admin", &format!("{path}&after={next}")).await;
        assert_ne!(first["items"], second["items"], "{path}");
        assert_eq!(second["items"].as_array().map(Vec::len), Some(1), "{path}");
    }
}

#[tokio::test]
async fn a_conflict_tells_fields_of_the_shape_that_is_described() {
    let properties = &description()["components"]["schemas"]["FieldChange"]["properties"];
    for side in ["from", "to"] {
        assert!(properties[side].get("type").is_none(), "any JSON value: {}", properties[side]);
    }
    let city = City::new().await;
    let (number, _) = city.dispatched().await;
    let version = city.version(&number).await;
    let priority = json!({ "priority": "urgent", "reason": "a school is near", "version": version });
    city.post("supervisor", &format!("/tickets/{number}/priority"), priority.clone()).await;
    let path = format!("/tickets/{number}/priority");
    let refused = city.refused("supervisor", &path, priority, StatusCode::CONFLICT, "changed").await;
    assert!(refused["fields"][0]["from"].is_string() && refused["fields"][0]["to"].is_string(), "{refused}");
}

#[tokio::test]
async fn a_suggestion_is_confident_from_none_to_all() {
    let city = City::new().await;
    for typed in [
        json!({ "text": "路灯坏了", "item": "utilities.water" }),
        json!({ "text": "路灯坏了" }),
        json!({ "text": "", "item": "utilities.water" }),
    ] {
        let suggested = city.post("agent", "/suggest", typed.clone()).await;
        for item in suggested["items"].as_array().expect("items") {
            let confidence = item["confidence"].as_f64();
            assert!(confidence.is_some_and(|confidence| (0.0..=1.0).contains(&confidence)), "{typed}: {item}");
        }
    }
}
