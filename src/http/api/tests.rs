//! The staff API in one process, on a real store: what each role can do, and what each sees.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use channel_contract::{QuarantineReason, RawRequest, Receipt};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::config::{Config, Layers, Origin, rules};
use crate::demo::Credentials;
use crate::domain::{Clock, Millis, Role};
use crate::hub::{Hub, Parts};
use crate::objects::Objects;
use crate::staff::{self, NewStaff};
use crate::store::Store;
use crate::store::staff::Grant;
use crate::templates::Templates;

const PASSWORD: &str = "correct horse";
const MINUTE: Millis = 60_000;

struct City {
    hub: Arc<Hub>,
    router: Router,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    body: Value,
    cookie: Option<String>,
}

impl City {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path().to_str().expect("path").to_owned();
        let credentials = Credentials::load_or_create(folder.path(), &[]).expect("credentials");
        let mut layers = Layers::defaults();
        layers.table(&credentials.layer(), &Origin::Demo);
        layers.set(&["storage", "data"], toml::Value::String(data), Origin::Demo);
        let config = Config::read(layers, true).expect("config");
        let clock = Clock::manual(1_764_000_000_000);
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, 0, 2, &config.city.id).await.expect("store");
        let client = crate::channels::http_client().expect("client");
        let hub = Hub::new(Parts {
            channels: crate::channels::Registry::build(&config.channels, &client).expect("channels"),
            objects: Objects::open(&config.storage.objects).expect("objects"),
            templates: Templates::load(None).expect("templates"),
            rules: rules::compile(None).expect("rules"),
            secret: vec![7; 32],
            config,
            clock,
            store,
        });
        let now = hub.clock.millis();
        let departments: Vec<String> =
            hub.rules().departments().iter().map(|department| department.id.clone()).collect();
        for (name, role, identity) in
            [("agent", Role::Agent, true), ("supervisor", Role::Supervisor, true), ("admin", Role::Admin, true)]
        {
            staff::ensure_token(&hub.store, name, name, Grant { role, department: None, identity }, now)
                .await
                .expect("token");
        }
        for department in departments {
            let grant = Grant { role: Role::Handler, department: Some(department.clone()), identity: false };
            staff::ensure_token(&hub.store, &department, &department, grant, now).await.expect("token");
        }
        let router = super::router(&hub).with_state(Arc::clone(&hub));
        Self { hub, router, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let cookie =
            response.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), cookie }
    }

    async fn call(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).expect("a request")).await
    }

    async fn get(&self, token: &str, path: &str) -> Value {
        let answer = self.call(token, Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Value {
        let answer = self.call(token, Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }

    async fn refused(&self, token: &str, path: &str, body: Value, status: StatusCode, code: &str) -> Value {
        let answer = self.call(token, Method::POST, path, body).await;
        assert_eq!(
            (answer.status, answer.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            answer.body
        );
        answer.body["error"].clone()
    }

    async fn file(&self, key: &str, text: &str, answer: &str) -> Answer {
        let body = json!({ "channel": "phone", "from": "+8613800138000", "name": "张三", "text": text, "answer_channel": answer, "answer_address": "" });
        let request = Request::post("/api/v1/tickets")
            .header(header::AUTHORIZATION, "Bearer agent")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// A ticket that the rules have sent to a department.
    async fn dispatched(&self) -> (String, String) {
        let filed = self.file("lamp", "中山路的路灯坏了三天，请打13900139000联系我", "phone").await;
        assert_eq!(
            (filed.status, filed.body["state"].as_str()),
            (StatusCode::CREATED, Some("dispatched")),
            "{}",
            filed.body
        );
        let text = |key: &str| filed.body[key].as_str().expect("a text").to_owned();
        (text("number"), text("department"))
    }

    async fn version(&self, number: &str) -> Value {
        self.get("admin", &format!("/tickets/{number}")).await["version"].clone()
    }

    async fn balanced(&self) -> Value {
        let ledger = self.get("agent", "/ledger").await;
        let sum: i64 = ["new", "appended", "reports", "control", "duplicates", "quarantined"]
            .iter()
            .filter_map(|key| ledger[key].as_i64())
            .sum();
        assert_eq!(ledger["received"].as_i64(), Some(sum), "{ledger}");
        ledger
    }
}

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
    assert_eq!(illegal["legal"], json!(["dispatch", "send-back", "reply", "note"]));
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
    assert_eq!((closed["state"].as_str(), closed["moves"].clone()), (Some("closed"), json!(["note", "reopen"])));
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
