//! What a call may say: each field that is wrong is named, and nothing is cut or dropped in silence.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::City;

impl City {
    /// The field that a refusal of a call names, and its message.
    async fn wrong(&self, path: &str, body: Value) -> (Option<String>, String) {
        let error = self.refused("agent", path, body, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        let text = |key: &str| error[key].as_str().map(str::to_owned);
        (text("field"), text("message").expect("a message"))
    }
}

fn call(fields: Value) -> Value {
    let mut call = json!({ "from": "+8613800138000", "text": "路灯坏了" });
    for (name, value) in fields.as_object().expect("fields") {
        call[name] = value.clone();
    }
    call
}

#[tokio::test]
async fn an_address_must_fit_its_channel() {
    let city = City::new().await;
    for (fields, field) in [
        (json!({ "answer_channel": "sms", "answer_address": "abc" }), "answer_address"),
        (json!({ "answer_channel": "sms", "answer_address": "a@b.cn" }), "answer_address"),
        (json!({ "answer_channel": "email", "answer_address": "a@b.cn\r\nBcc: x@y.cn" }), "answer_address"),
        (json!({ "answer_channel": "telegram", "answer_address": "x" }), "answer_address"),
        (json!({ "answer_channel": "phone", "answer_address": "abc" }), "answer_address"),
        (json!({ "from": "abc" }), "from"),
        // The caller's own number, where no message could be sent to it.
        (json!({ "from": "12345", "answer_channel": "sms" }), "answer_address"),
        (json!({ "item": "nope" }), "item"),
    ] {
        let (named, message) = city.wrong("/tickets", call(fields.clone())).await;
        assert_eq!(named.as_deref(), Some(field), "{fields}: {message}");
        assert!(message.starts_with(field), "{message}");
    }
    assert_eq!(city.balanced().await["received"], 0);

    let filed = city.post("agent", "/tickets", call(json!({ "from": "138 0013 8000", "answer_channel": "sms" }))).await;
    assert_eq!(filed["answer"]["address"], "+8613800138000");
    assert_eq!(filed["appeals"][0]["from"], "+8613800138000");
    let number = filed["number"].as_str().expect("a number");
    let path = format!("/tickets/{number}/answer-address");
    for (channel, address) in
        [("sms", "abc"), ("email", "a@b.cn\r\nBcc: x@y.cn"), ("telegram", "x"), ("websocket", ""), ("phone", "abc")]
    {
        let body = json!({ "channel": channel, "address": address, "version": filed["version"] });
        let (field, message) = city.wrong(&path, body).await;
        assert_eq!(field.as_deref(), Some("address"), "{channel}: {message}");
        assert!(address.is_empty() || !message.contains(address), "no personal data in errors: {message}");
    }
    let set = json!({ "channel": "email", "address": " Li@City.TEST ", "version": filed["version"] });
    assert_eq!(city.post("agent", &path, set).await["answer"]["address"], "Li@city.test");
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_and_not_cut() {
    let city = City::new().await;
    let described = |field: &str| {
        let schema = &crate::http::api::description()["components"]["schemas"]["Call"]["properties"][field];
        usize::try_from(schema["maxLength"].as_u64().expect("a limit")).expect("a number")
    };
    let limits = [
        ("text", usize::try_from(city.hub.config.intake.max_text_chars).expect("a number")),
        ("name", described("name")),
        ("place", described("place")),
        ("street", described("street")),
    ];
    for (field, most) in limits {
        let (named, message) = city.wrong("/tickets", call(json!({ field: "长".repeat(most + 1) }))).await;
        assert_eq!(named.as_deref(), Some(field));
        assert!(message.contains(&most.to_string()), "{message}");
    }
    let fields: Value = limits.into_iter().map(|(field, most)| (field.to_owned(), json!("长".repeat(most)))).collect();
    let filed = city.post("agent", "/tickets", call(fields)).await;
    assert_eq!(filed["appeals"][0]["text"].as_str().map(|text| text.chars().count()), Some(limits[0].1));
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_with_the_name_of_its_field() {
    let city = City::new().await;
    for (fields, field) in [(json!({ "colour": 1 }), "colour"), (json!({ "name": 5 }), "name")] {
        let (_, message) = city.wrong("/tickets", call(fields)).await;
        assert!(message.contains(field), "{message}");
    }
    let (_, message) = city.wrong("/tickets", json!({ "from": "" })).await;
    assert!(message.contains("`text`"), "{message}");
    let broken = city.call("agent", Method::POST, "/tickets", json!("")).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY, "a string is JSON, but no call: {}", broken.body);
}
