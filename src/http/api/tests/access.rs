//! Who comes in, what stands in quarantine, and how refusals look.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use channel_contract::{QuarantineReason, RawRequest, Receipt};
use serde_json::{Value, json};

use super::{City, MINUTE, PASSWORD};
use crate::domain::Role;
use crate::staff::{self, NewStaff};
use crate::store::staff::Grant;

#[tokio::test]
async fn quarantine_is_replayed_accepted_or_discarded_and_the_ledger_adds_up() {
    let city = City::new().await;
    let channel = Arc::clone(city.hub.channels.get("demo").expect("the account"));
    for index in 0..3 {
        let raw = RawRequest {
            method: "POST".to_owned(),
            url: "http://127.0.0.1/channels/sms/demo".to_owned(),
            headers: Vec::new(),
            peer: None,
            body: json!({ "id": index, "from": "+8613700137000", "to": "12345", "text": "井盖丢了" })
                .to_string()
                .into(),
            received_at: city.hub.clock.now(),
        };
        let receipt = Receipt::Quarantine { reason: QuarantineReason::Unverified, detail: "no signature".to_owned() };
        city.hub.take(&channel, raw, receipt, None).await.expect("kept aside");
    }
    assert_eq!(city.balanced().await["quarantined"], 3);
    let held = city.get("supervisor", "/quarantine").await;
    let ids: Vec<_> = held["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["id"].as_str().expect("id").to_owned())
        .collect();
    assert_eq!(city.call("agent", Method::GET, "/quarantine", Value::Null).await.status, StatusCode::FORBIDDEN);
    city.refused("supervisor", &format!("/quarantine/{}/replay", ids[0]), json!({}), StatusCode::CONFLICT, "not_taken")
        .await;
    city.refused(
        "supervisor",
        &format!("/quarantine/{}/accept", ids[0]),
        json!({ "reason": "" }),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    )
    .await;
    let taken = city
        .post("supervisor", &format!("/quarantine/{}/accept", ids[0]), json!({ "reason": "the gateway lost its key" }))
        .await;
    assert_eq!(taken["verdicts"][0]["outcome"], "new");
    city.refused(
        "supervisor",
        &format!("/quarantine/{}/accept", ids[0]),
        json!({ "reason": "again" }),
        StatusCode::CONFLICT,
        "not_taken",
    )
    .await;
    city.post("supervisor", &format!("/quarantine/{}/discard", ids[1]), json!({ "reason": "advertising" })).await;
    let ledger = city.balanced().await;
    assert_eq!(
        (ledger["new"].as_i64(), ledger["quarantined"].as_i64(), ledger["received"].as_i64()),
        (Some(1), Some(2), Some(3))
    );
    let number = taken["verdicts"][0]["ticket"].as_str().expect("a number");
    let ticket = city.get("agent", &format!("/tickets/{number}")).await;
    assert_eq!(
        (ticket["appeals"][0]["text"].as_str(), ticket["appeals"][0]["from"].as_str()),
        (Some("井盖丢了"), Some("+8613700137000"))
    );
    let shown = city.get("supervisor", &format!("/quarantine/{}", ids[0])).await;
    assert_eq!(
        (shown["state"].as_str(), shown["note"].as_str(), shown["ticket"].as_str()),
        (Some("accepted"), Some("the gateway lost its key"), Some(number))
    );
}

#[tokio::test]
async fn sessions_end_lock_and_keep_to_their_own_pages() {
    let city = City::new().await;
    let grant = Grant { role: Role::Agent, department: None, identity: true };
    let new = NewStaff { login: "wang".to_owned(), name: "Wang".to_owned(), grant, password: PASSWORD.to_owned() };
    staff::create_staff(&city.hub.store, new, "test", city.hub.clock.millis()).await.expect("staff");
    let log_in = async |password: &str| {
        let body = json!({ "login": "Wang", "password": password }).to_string();
        let request = Request::post("/api/v1/session").header(header::CONTENT_TYPE, "application/json");
        city.send(request.body(Body::from(body)).expect("a request")).await
    };
    let cookie = log_in(PASSWORD).await.cookie.expect("a cookie");
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let with_cookie = async |method: Method, path: &str, extra: Option<(&str, &str)>| {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::COOKIE, &pair)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        city.send(request.body(Body::from("{\"contact\": \"x\"}")).expect("a request")).await.status
    };
    assert_eq!(with_cookie(Method::GET, "/session", None).await, StatusCode::OK);
    assert_eq!(with_cookie(Method::POST, "/search", None).await, StatusCode::FORBIDDEN);
    assert_eq!(
        with_cookie(Method::POST, "/search", Some(("origin", "https://evil.example"))).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(with_cookie(Method::POST, "/search", Some(("sec-fetch-site", "same-origin"))).await, StatusCode::OK);
    city.hub.clock.advance(MINUTE * (1 + i64::try_from(city.hub.config.staff.idle_minutes).expect("minutes")));
    assert_eq!(with_cookie(Method::GET, "/session", None).await, StatusCode::UNAUTHORIZED);

    let attempts = city.hub.config.staff.lockout_attempts;
    for _ in 0..attempts {
        assert_eq!(log_in("wrong password").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(log_in(PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    city.hub.clock.advance(MINUTE * (1 + i64::try_from(city.hub.config.staff.lockout_minutes).expect("minutes")));
    assert_eq!(log_in(PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_lock_does_not_tell_which_logins_there_are() {
    let city = City::new().await;
    let grant = Grant { role: Role::Agent, department: None, identity: true };
    let new = NewStaff { login: "wang".to_owned(), name: "Wang".to_owned(), grant, password: PASSWORD.to_owned() };
    staff::create_staff(&city.hub.store, new, "test", city.hub.clock.millis()).await.expect("staff");
    let log_in = async |login: &str, password: &str| {
        let body = json!({ "login": login, "password": password }).to_string();
        let request = Request::post("/api/v1/session").header(header::CONTENT_TYPE, "application/json");
        city.send(request.body(Body::from(body)).expect("a request")).await
    };
    let session = log_in("wang", PASSWORD).await.cookie.expect("a cookie");
    let attempts = city.hub.config.staff.lockout_attempts;
    let lock = MINUTE * (1 + i64::try_from(city.hub.config.staff.lockout_minutes).expect("minutes"));
    let mut told = Vec::new();
    for round in 0..2 {
        // When a lock is over, one more wrong try brings it back.
        for attempt in 0..=(if round == 0 { attempts } else { 1 }) {
            let (known, unknown) = (log_in("wang", "wrong password").await, log_in(" Nobody", "wrong password").await);
            assert_eq!((known.status, &known.body), (unknown.status, &unknown.body), "{round} {attempt}");
            told.push(known.status.as_u16());
        }
        city.hub.clock.advance(if round == 0 { lock } else { 0 });
    }
    let mut expected = vec![401; usize::try_from(attempts).expect("a number")];
    expected.extend([429, 401, 429]);
    assert_eq!(told, expected);

    // The password is changed by the same door.
    let request = Request::post("/api/v1/session/password")
        .header(header::COOKIE, session.split(';').next().expect("a pair"))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json");
    let body = json!({ "password": PASSWORD, "new_password": "another correct horse" }).to_string();
    let refused = city.send(request.body(Body::from(body)).expect("a request")).await;
    assert_eq!(
        (refused.status, refused.body["error"]["code"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("locked")),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn tokens_are_shown_once_and_revoked_for_good() {
    let city = City::new().await;
    let made = city.post("admin", "/tokens", json!({ "name": "dashboard", "role": "supervisor" })).await;
    let token = made["token"].as_str().expect("a secret").to_owned();
    assert!(token.starts_with("yd_"));
    assert_eq!(city.get(&token, "/session").await["role"], "supervisor");
    assert!(!city.get("admin", "/tokens").await.to_string().contains(&token));
    let id = made["id"].as_str().expect("an id");
    assert_eq!(
        city.call("admin", Method::DELETE, &format!("/tokens/{id}"), Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(city.call(&token, Method::GET, "/session", Value::Null).await.status, StatusCode::UNAUTHORIZED);
    city.refused(
        "admin",
        "/tokens",
        json!({ "name": "x", "role": "handler" }),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    )
    .await;
}

#[tokio::test]
async fn whatever_is_wrong_is_told_in_the_one_envelope() {
    let city = City::new().await;
    for (token, method, path, status) in [
        ("nobody", Method::GET, "/tickets", StatusCode::UNAUTHORIZED),
        ("agent", Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        ("agent", Method::PUT, "/tickets", StatusCode::METHOD_NOT_ALLOWED),
        ("agent", Method::GET, "/tickets/123", StatusCode::NOT_FOUND),
        ("agent", Method::GET, "/tickets?state=lost", StatusCode::UNPROCESSABLE_ENTITY),
        ("agent", Method::GET, "/audit", StatusCode::FORBIDDEN),
    ] {
        let answer = city.call(token, method, path, Value::Null).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(
            answer.body["error"]["code"].is_string() && answer.body["error"]["message"].is_string(),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn nothing_that_somebody_wrote_shows_a_number_to_those_who_need_not_know() {
    let city = City::new().await;
    let body = json!({
        "channel": "phone", "from": "+8613800138000", "text": "解放路的路灯不亮了", "confidential": true,
        "place": "解放路5号，联系13700137002", "answer_channel": "phone", "answer_address": "",
    });
    let request = Request::post("/api/v1/tickets")
        .header(header::AUTHORIZATION, "Bearer agent")
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "place");
    let filed = city.send(request.body(Body::from(body.to_string())).expect("a request")).await.body;
    let number = filed["number"].as_str().expect("a number");
    let lamps = filed["department"].as_str().expect("a department").to_owned();
    let reason = json!({ "department": "water", "reason": "says 13700137009", "version": filed["version"] });
    city.post("agent", &format!("/tickets/{number}/dispatch"), reason).await;
    for reader in ["water", lamps.as_str()] {
        let seen = city.get(reader, &format!("/tickets/{number}")).await.to_string();
        assert!(!seen.contains("13700137"), "{seen}");
        assert!(seen.contains("137******02") && seen.contains("137******09"), "{seen}");
    }
    let whole = city.get("agent", &format!("/tickets/{number}")).await.to_string();
    assert!(whole.contains("13700137002") && whole.contains("13700137009"), "who may know does");

    let now = city.hub.clock.millis();
    let grant = Grant { role: Role::Admin, department: None, identity: false };
    staff::ensure_token(&city.hub.store, "blind", "blind", grant, now).await.expect("a token");
    let log = city.get("blind", "/audit").await.to_string();
    assert!(log.contains("137******09") && !log.contains("13700137"), "{log}");
}

#[tokio::test]
async fn a_department_without_the_ticket_learns_nobodys_name() {
    let city = City::new().await;
    let (number, lamps) = city.dispatched().await;
    let why = json!({ "reason": "to call back" });
    city.post(&lamps, &format!("/tickets/{number}/unmask"), why.clone()).await;
    let back = json!({ "reason": "not ours", "text": "", "version": city.version(&number).await });
    city.post(&lamps, &format!("/tickets/{number}/send-back"), back).await;
    let to = json!({ "department": "water", "reason": "theirs", "version": city.version(&number).await });
    city.post("agent", &format!("/tickets/{number}/dispatch"), to).await;
    city.refused(&lamps, &format!("/tickets/{number}/unmask"), why.clone(), StatusCode::FORBIDDEN, "forbidden").await;
    let note = json!({ "text": "still here", "version": city.version(&number).await });
    city.refused(&lamps, &format!("/tickets/{number}/notes"), note, StatusCode::CONFLICT, "illegal_move").await;
    city.post("water", &format!("/tickets/{number}/unmask"), why).await;
}

/// Puts a message aside on an account, as if its origin could not be verified; returns its id.
async fn kept_aside(city: &City, account: &str, method: &str, query: &str) -> String {
    let channel = Arc::clone(city.hub.channels.get(account).expect("the account"));
    let raw = RawRequest {
        method: method.to_owned(),
        url: format!("http://127.0.0.1/channels/sms/{account}{query}"),
        headers: vec![
            ("user-agent".to_owned(), b"Kannel/1.4.5".to_vec()),
            ("authorization".to_owned(), b"Basic c2VjcmV0".to_vec()),
        ],
        peer: Some("192.0.2.7".parse().expect("an address")),
        body: bytes::Bytes::new(),
        received_at: city.hub.clock.now(),
    };
    let receipt = channel.receive(&raw);
    assert!(matches!(receipt, Receipt::Quarantine { .. }), "{receipt:?}");
    city.hub.take(&channel, raw, receipt, None).await.expect("kept aside");
    let held = city.get("supervisor", "/quarantine").await;
    held["items"]
        .as_array()
        .and_then(|items| items.last())
        .and_then(|last| last["id"].as_str())
        .expect("an id")
        .to_owned()
}

#[tokio::test]
async fn a_message_of_kannel_is_shown_whole_but_for_its_secret() {
    let city = City::new().await;
    let id =
        kept_aside(&city, "kannel", "GET", "?id=7&from=%2B8613700137000&text=%E4%BA%95%E7%9B%96&secret=guessed").await;
    let shown = city.get("supervisor", &format!("/quarantine/{id}")).await;
    assert_eq!(
        (shown["method"].as_str(), shown["url"].as_str(), shown["peer"].as_str(), shown["body"].as_str()),
        (
            Some("GET"),
            Some("http://127.0.0.1/channels/sms/kannel?id=7&from=%2B8613700137000&text=%E4%BA%95%E7%9B%96&secret=***"),
            Some("192.0.2.7"),
            Some("")
        )
    );
    let pair = |name: &str, value: &str| json!({ "name": name, "value": value });
    assert_eq!(
        shown["parameters"],
        json!([pair("id", "7"), pair("from", "+8613700137000"), pair("text", "井盖"), pair("secret", "***")])
    );
    assert_eq!(shown["headers"], json!([pair("user-agent", "Kannel/1.4.5"), pair("authorization", "***")]));

    // Who may not see identities sees what it is about, and no more.
    let grant = Grant { role: Role::Supervisor, department: None, identity: false };
    staff::ensure_token(&city.hub.store, "blind", "blind", grant, city.hub.clock.millis()).await.expect("token");
    let hidden = city.get("blind", &format!("/quarantine/{id}")).await;
    assert_eq!(hidden["method"], "GET");
    for field in ["url", "parameters", "headers", "peer", "body"] {
        assert!(hidden[field].is_null(), "{field}: {hidden}");
    }
}

#[tokio::test]
async fn what_a_supervisor_accepts_is_acknowledged_and_must_say_something() {
    let city = City::new().await;
    let id = kept_aside(&city, "kannel", "GET", "?from=13700137000&text=%E4%BA%95%E7%9B%96%E4%B8%A2%E4%BA%86").await;
    let because = json!({ "reason": "called back" });
    let taken = city.post("supervisor", &format!("/quarantine/{id}/accept"), because.clone()).await;
    let number = taken["verdicts"][0]["ticket"].as_str().expect("a number");
    let ticket = city.get("agent", &format!("/tickets/{number}")).await;
    let deliveries: Vec<_> = ticket["deliveries"]
        .as_array()
        .expect("deliveries")
        .iter()
        .filter(|delivery| delivery["kind"] == "acknowledgement")
        .map(|delivery| (&delivery["channel"], &delivery["account"], &delivery["to"]))
        .collect();
    assert_eq!(deliveries, [(&json!("sms"), &json!("kannel"), &json!("+8613700137000"))], "{ticket}");

    let empty = kept_aside(&city, "kannel", "GET", "").await;
    let path = format!("/quarantine/{empty}/accept");
    let refused = city.refused("supervisor", &path, because, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("neither sender nor text")), "{refused}");
    assert_eq!(city.get("supervisor", &format!("/quarantine/{empty}")).await["state"], "held");
    let said = json!({ "reason": "called back", "from": "+8613700137001", "text": "路灯坏了" });
    assert_eq!(city.post("supervisor", &path, said).await["verdicts"][0]["outcome"], "new");
    city.balanced().await;
}
