//! What is done to tickets, and who sees what of them.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::City;

#[tokio::test]
async fn a_call_is_filed_once() {
    let city = City::new().await;
    let first = city.file("k1", "路灯坏了", "phone").await;
    let again = city.file("k1", "路灯坏了", "phone").await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.body["number"], again.body["number"]);
    assert_eq!(first.body["query_code"], again.body["query_code"]);
    let other = city.file("k1", "水管漏水", "phone").await;
    assert_eq!(
        (other.status, other.body["error"]["code"].as_str()),
        (StatusCode::CONFLICT, Some("idempotency_conflict"))
    );
    let empty = city.file("k2", "  ", "phone").await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ledger = city.balanced().await;
    assert_eq!((ledger["new"].as_i64(), ledger["duplicates"].as_i64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_handler_sees_its_own_tickets_and_nobody_in_them() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let other = city
        .hub
        .rules()
        .departments()
        .iter()
        .map(|other| other.id.clone())
        .find(|id| *id != department)
        .expect("another");
    let path = format!("/tickets/{number}");
    assert_eq!(city.call(&other, Method::GET, &path, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(city.get(&other, "/tickets").await["items"], json!([]));
    assert_eq!(city.get(&other, "/events").await["items"], json!([]));
    let seen = city.get(&department, &path).await;
    assert_eq!(seen["appeals"][0]["from"], Value::Null);
    assert!(
        !seen.to_string().contains("13900139000")
            && !seen.to_string().contains("13800138000")
            && !seen.to_string().contains("张三"),
        "{seen}"
    );
    assert_eq!(city.get("agent", &path).await["appeals"][0]["from"], "+8613800138000");
    assert_eq!(
        city.call(&department, Method::GET, &format!("/tickets/{number}/original/x"), Value::Null).await.status,
        StatusCode::FORBIDDEN
    );
    city.refused(&department, "/search", json!({ "contact": "+8613800138000" }), StatusCode::FORBIDDEN, "forbidden")
        .await;
    city.refused(
        &department,
        &format!("{path}/unmask"),
        json!({ "reason": " " }),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    )
    .await;
    let unmasked = city.post(&department, &format!("{path}/unmask"), json!({ "reason": "on site" })).await;
    assert_eq!(unmasked["appeals"][0]["from"], "+8613800138000");
    let audit = city.get("admin", &format!("/audit?subject={number}")).await;
    assert!(
        audit["items"]
            .as_array()
            .expect("lines")
            .iter()
            .any(|line| line["action"] == "ticket.unmasked" && line["detail"]["reason"] == "on site")
    );
    let events = city.get(&department, "/events").await;
    assert!(
        events["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty() && items.iter().all(|event| event["ticket"] == json!(number)))
    );
}

#[tokio::test]
async fn the_way_of_a_ticket() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let path = format!("/tickets/{number}");
    let version = city.version(&number).await;
    let signed = city.post(&department, &format!("{path}/sign"), json!({ "version": version })).await;
    assert_eq!(
        (signed["state"].as_str(), signed["assignments"][0]["state"].as_str()),
        (Some("signed"), Some("signed"))
    );
    let stale = city
        .refused(
            &department,
            &format!("{path}/notes"),
            json!({ "text": "x", "version": version }),
            StatusCode::CONFLICT,
            "changed",
        )
        .await;
    assert_eq!(
        (&stale["version"], &stale["seen"], stale["state"].as_str()),
        (&signed["version"], &version, Some("signed"))
    );
    assert!(stale["changes"].as_array().is_some_and(|changes| changes.iter().any(|event| event["kind"] == "signed")));
    let illegal = city
        .refused(
            &department,
            &format!("{path}/sign"),
            json!({ "version": signed["version"] }),
            StatusCode::CONFLICT,
            "illegal_move",
        )
        .await;
    assert_eq!(illegal["legal"], json!(["dispatch", "send-back", "replies", "notes"]));
    city.refused(&department, &format!("{path}/dispatch"), json!({ "version": 1 }), StatusCode::FORBIDDEN, "forbidden")
        .await;

    let reply = json!({ "text": "已派人维修", "version": signed["version"] });
    let replied = city.post(&department, &format!("{path}/replies"), reply).await;
    assert_eq!(
        (replied["state"].as_str(), replied["replies"][0]["text"].as_str()),
        (Some("replied"), Some("已派人维修"))
    );
    let tasks = city.get("agent", "/call-tasks").await;
    let task = &tasks["items"][0];
    assert_eq!((task["ticket"].as_str(), task["to"].as_str()), (Some(number.as_str()), Some("+8613800138000")));
    assert!(task["text"].as_str().is_some_and(|text| text.contains("已派人维修")));
    let id = task["id"].as_str().expect("an id");
    city.post("agent", &format!("/call-tasks/{id}/done"), json!({ "note": "citizen content" })).await;
    city.refused("agent", &format!("/call-tasks/{id}/done"), json!({}), StatusCode::CONFLICT, "illegal_move").await;
    let delivered = city.get("agent", &path).await;
    assert_eq!(delivered["state"], "delivered");
    let delivery = delivered["deliveries"]
        .as_array()
        .expect("deliveries")
        .iter()
        .find(|delivery| delivery["kind"] == "reply")
        .expect("the reply");
    assert_eq!(
        (delivery["state"].as_str(), delivery["attempts"][0]["report"].as_str()),
        (Some("delivered"), Some("delivered"))
    );

    let closed = city.post("agent", &format!("{path}/close"), json!({ "version": delivered["version"] })).await;
    assert_eq!((closed["state"].as_str(), closed["moves"].clone()), (Some("closed"), json!(["notes", "reopen"])));
    let reopened =
        city.post("agent", &format!("{path}/reopen"), json!({ "version": closed["version"], "reason": "again" })).await;
    assert_eq!((reopened["state"].as_str(), reopened["closed_at"].clone()), (Some("dispatched"), Value::Null));
    let back = json!({ "reason": "wrong_department", "text": "not ours", "version": reopened["version"] });
    let back = city.post(&department, &format!("{path}/send-back"), back).await;
    assert_eq!((back["state"].as_str(), back["department"].clone()), (Some("triage"), Value::Null));
    city.refused(
        &department,
        &format!("{path}/replies"),
        json!({ "text": "x", "version": back["version"] }),
        StatusCode::CONFLICT,
        "illegal_move",
    )
    .await;
    let other = city
        .hub
        .rules()
        .departments()
        .iter()
        .map(|other| other.id.clone())
        .find(|id| *id != department)
        .expect("another");
    city.refused(
        "agent",
        &format!("{path}/dispatch"),
        json!({ "department": "nowhere", "version": back["version"] }),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    )
    .await;
    let to = json!({ "department": other, "reason": "place", "version": back["version"] });
    let elsewhere = city.post("agent", &format!("{path}/dispatch"), to).await;
    assert_eq!(
        (elsewhere["department"].as_str(), elsewhere["decision"]["decided_by"].as_str()),
        (Some(other.as_str()), Some("person"))
    );
    assert_eq!(elsewhere["due_at"], reopened["due_at"], "the clock goes on");
    let kinds: Vec<_> = city.get("agent", "/events?limit=1000").await["items"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["kind"].as_str().expect("a kind").to_owned())
        .collect();
    for kind in ["created", "dispatched", "signed", "replied", "delivered", "closed", "reopened", "sent_back"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn words_find_tickets_and_numbers_of_people_do_not() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    while crate::index::index_once(&city.hub).await.expect("indexed") > 0 {}
    let found = |body: &Value| {
        body["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["number"].as_str().expect("number").to_owned())
            .collect::<Vec<_>>()
    };
    for query in ["%E8%B7%AF%E7%81%AF", number.as_str(), "%E8%B7%AF%E7%81%AF%20%E4%B8%89%E5%A4%A9"] {
        assert_eq!(found(&city.get(&department, &format!("/search?q={query}")).await), [number.as_str()], "{query}");
    }
    for query in [
        "%E7%81%AF%E8%B7%AF",
        "13900139000",
        "%E8%B7%AF%E7%81%AF&state=closed",
        "%E8%B7%AF%E7%81%AF&from=2030-01-01T00:00:00Z",
    ] {
        assert_eq!(found(&city.get("agent", &format!("/search?q={query}")).await), Vec::<String>::new(), "{query}");
    }
    assert_eq!(found(&city.post("agent", "/search", json!({ "contact": "+8613800138000" })).await), [number.as_str()]);
}

#[tokio::test]
async fn an_appeal_moves_and_the_ledger_still_adds_up() {
    let city = City::new().await;
    let (number, _) = city.dispatched().await;
    let ticket = city.get("agent", &format!("/tickets/{number}")).await;
    let appeal = ticket["appeals"][0]["id"].as_str().expect("an id");
    let moved = city
        .post(
            "agent",
            &format!("/tickets/{number}/appeals/{appeal}/move"),
            json!({ "to": null, "version": ticket["version"] }),
        )
        .await;
    assert_eq!(
        (moved["ticket"]["state"].as_str(), moved["ticket"]["linked_to"].clone()),
        (Some("closed"), moved["to"].clone())
    );
    let new = city.get("agent", &format!("/tickets/{}", moved["to"].as_str().expect("a number"))).await;
    assert_eq!(
        (new["appeals"][0]["moved_from"].as_str(), new["link_reason"].as_str(), new["state"].as_str()),
        (Some(number.as_str()), Some("moved"), Some("dispatched"))
    );
    let back = json!({ "to": number, "version": new["version"] });
    let path = format!("/tickets/{}/appeals/{appeal}/move", moved["to"].as_str().expect("a number"));
    city.refused("agent", &path, back, StatusCode::CONFLICT, "illegal_move").await;
    city.balanced().await;
}

#[tokio::test]
async fn a_citizen_is_found_by_its_own_address_and_by_where_its_answers_go() {
    let city = City::new().await;
    let found = async |address: &str| {
        let page = city.post("agent", "/search", json!({ "contact": address })).await;
        page["items"].as_array().expect("items").iter().map(|one| one["number"].clone()).collect::<Vec<_>>()
    };
    let (number, _) = city.dispatched().await;
    let call = json!({
        "channel": "phone", "from": "+8613800138000", "text": "自来水停水", "answer_channel": "email", "answer_address": "one@city.test",
    });
    let request = Request::post("/api/v1/tickets")
        .header(header::AUTHORIZATION, "Bearer agent")
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "elsewhere");
    let filed = city.send(request.body(Body::from(call.to_string())).expect("a request")).await;
    let other = filed.body["number"].clone();
    assert_eq!(found("+8613800138000").await.len(), 2);
    assert_eq!(found("one@city.test").await, [other]);
    assert!(found("two@city.test").await.is_empty());
    let to = json!({ "channel": "email", "address": "two@city.test", "version": city.version(&number).await });
    city.post("agent", &format!("/tickets/{number}/answer-address"), to).await;
    assert_eq!(found("two@city.test").await, [json!(number)]);
    assert_eq!(found("+8613800138000").await.len(), 2);
}

#[tokio::test]
async fn the_feed_follows_live_from_any_position() {
    use futures_util::StreamExt as _;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    let city = City::new().await;
    city.dispatched().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = city.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut request = format!("ws://{address}/api/v1/feed?after=1").into_client_request().expect("a request");
    request.headers_mut().insert("authorization", "Bearer agent".parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("connected");
    let mut positions = Vec::new();
    let known = city.get("agent", "/events").await["next"].as_i64().expect("a position");
    city.file("second", "自来水停水", "phone").await;
    let last = city.get("agent", "/events").await["next"].as_i64().expect("a position");
    assert!(last > known);
    while positions.last() != Some(&last) {
        let frame = socket.next().await.expect("a frame").expect("a frame");
        if let Ok(text) = frame.to_text().map(str::to_owned)
            && let Ok(event) = serde_json::from_str::<Value>(&text)
        {
            positions.push(event["position"].as_i64().expect("a position"));
        }
    }
    assert_eq!(positions, (2..=last).collect::<Vec<_>>());

    // Nobody follows: the reader rests from the next event on, and whoever comes then misses nothing.
    drop(socket);
    let mut number = 0;
    while city.hub.feed.after(last).is_some() {
        number += 1;
        city.file(&format!("third-{number}"), "自来水停水", "phone").await;
    }
    let now = city.get("agent", "/events").await["next"].as_i64().expect("a position");
    let mut request =
        format!("ws://{address}/api/v1/feed?after={last}&batch=1").into_client_request().expect("a request");
    request.headers_mut().insert("authorization", "Bearer agent".parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("connected");
    let mut positions = Vec::new();
    let mut newest = None;
    while newest.is_none() || positions.last() != newest.as_ref() {
        let frame = socket.next().await.expect("a frame").expect("a frame");
        let Ok(frame) = serde_json::from_str::<Value>(frame.to_text().unwrap_or_default()) else { continue };
        positions.extend(frame["events"].as_array().expect("events").iter().filter_map(|one| one["position"].as_i64()));
        if frame["live"] == true {
            city.file("fourth", "自来水停水", "phone").await;
            newest = city.get("agent", "/events").await["next"].as_i64();
        }
    }
    assert!(newest > Some(now));
    assert_eq!(positions, (last + 1..=newest.unwrap_or_default()).collect::<Vec<_>>());
    server.abort();
}

#[tokio::test]
async fn files_go_up_with_answers_and_down_as_downloads() {
    let city = City::new().await;
    let (number, department) = city.dispatched().await;
    let upload = |name: &str, kind: &str, bytes: &[u8]| {
        let mut body = format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n").into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        Request::post(format!("/api/v1/tickets/{number}/files"))
            .header(header::AUTHORIZATION, format!("Bearer {department}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .body(Body::from(body))
            .expect("a request")
    };
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let stored = city.send(upload("../灯.png", "text/html", png)).await;
    assert_eq!(
        (stored.status, stored.body["media_type"].as_str(), stored.body["name"].as_str()),
        (StatusCode::CREATED, Some("image/png"), Some("灯.png")),
        "{}",
        stored.body
    );
    assert_eq!(
        city.send(upload("x.exe", "application/x-msdownload", b"MZ")).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let id = stored.body["id"].as_str().expect("an id");
    let version = city.version(&number).await;
    city.refused(
        &department,
        &format!("/tickets/{number}/replies"),
        json!({ "text": "x", "attachments": ["no"], "version": version }),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    )
    .await;
    let replied = city
        .post(
            &department,
            &format!("/tickets/{number}/replies"),
            json!({ "text": "done", "attachments": [id], "version": version }),
        )
        .await;
    assert_eq!(replied["replies"][0]["attachments"][0]["id"].as_str(), Some(id));
    let request = Request::get(format!("/api/v1/tickets/{number}/attachments/{id}"))
        .header(header::AUTHORIZATION, format!("Bearer {department}"));
    let response =
        city.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(
        response.headers()[header::CONTENT_DISPOSITION].to_str().is_ok_and(|value| value.starts_with("attachment;"))
    );
    assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await.expect("bytes"), png.as_slice());
}
