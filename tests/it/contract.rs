//! The outside contract, word for word, on both databases.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::hub::{Database, Hub, Plan, SMS_SECRET, deliveries, json_of};
use crate::peers;
use crate::peers::sms_gateway::{Answer, SmsGateway};

const CITIZEN: &str = "+8613800138005";
const LIGHT: &str = "澄江路的路灯坏了";
const DEPARTMENT: &str = "wangjiang-urban-management";

async fn start(database: Database) -> (SmsGateway, Hub) {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = Plan::new().on(database).await.sms(&gateway).start().await;
    (gateway, hub)
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[track_caller]
fn has(object: &Value, names: &[&str]) {
    let missing: Vec<_> = names.iter().filter(|name| object.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {object:#}");
}

/// The error envelope: `{"error": {"code", "message"}}`.
#[track_caller]
fn is_error(body: &Value) {
    assert!(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "{body}");
}

async fn file(gateway: &SmsGateway, hub: &Hub, id: &str, from: &str, text: &str) -> String {
    let answer = gateway.say(&hub.url("/channels/sms/demo"), id, from, text).await;
    assert_eq!(answer.headers()["yingda-outcome"], "new");
    let body = json_of(answer, StatusCode::OK).await;
    assert_eq!(keys(&body), BTreeSet::from(["outcome", "ticket", "reason"]));
    body["ticket"].as_str().expect("a number").to_owned()
}

async fn inbound(database: Database) {
    let (gateway, hub) = start(database).await;
    let http = peers::http();
    let credentials = hub.data().join("data/demo-credentials.json");
    let mode = std::fs::metadata(&credentials).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read(&credentials).expect("readable");
    let read: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(read["base_url"].as_str().map(|url| url.trim_end_matches('/')), Some(hub.url("").as_str()));
    for member in read["staff"].as_array().expect("a list") {
        assert_eq!(keys(member), BTreeSet::from(["login", "password", "role", "department"]));
    }
    assert_eq!(http.get(hub.url("/healthz")).send().await.expect("an answer").status(), 200);

    // SMS, generic.
    let door = hub.url("/channels/sms/demo");
    let number = file(&gateway, &hub, "in-1", CITIZEN, LIGHT).await;
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
    let answer = gateway.say(&door, "in-2", CITIZEN, "灯杆编号是 A17").await;
    assert_eq!(answer.headers()["yingda-outcome"], "appended");
    assert_eq!(
        json_of(answer, StatusCode::OK).await,
        json!({ "outcome": "appended", "ticket": number, "reason": null })
    );
    let reused = gateway.say(&door, "in-2", CITIZEN, "另一段话").await;
    assert_eq!(reused.headers()["yingda-outcome"], "quarantined");
    assert_eq!(reused.json::<Value>().await.expect("JSON")["reason"], "id_reused");
    let body =
        json!({ "id": "in-3", "from": CITIZEN, "to": "12345", "text": LIGHT, "received_at": "2026-11-22T07:00:00Z" });
    let forged = http.post(&door).json(&body).send().await.expect("an answer");
    assert!(matches!(forged.status().as_u16(), 200 | 202));
    assert_eq!(forged.headers()["yingda-outcome"], "quarantined");
    assert_eq!(forged.json::<Value>().await.expect("JSON")["ticket"], Value::Null);
    // A valid signature with a stale timestamp and an unseen id is taken.
    let stale = body.to_string();
    let mut late = http.post(&door);
    for (name, value) in
        peers::sms_gateway::sign(SMS_SECRET, "in-3", peers::now().timestamp() - 86_400, stale.as_bytes())
    {
        late = late.header(name, value);
    }
    let late = late.body(stale).send().await.expect("an answer");
    assert_eq!(late.headers()["yingda-outcome"], "appended", "the forgery had not used up its id");

    // SMS, Kannel: an empty 200.
    let secret = hub.secret("/sms/kannel/secret");
    let query = [
        ("secret", secret),
        ("id", "k-1"),
        ("from", "+8613800138006"),
        ("to", "12345"),
        ("text", LIGHT),
        ("charset", "UTF-8"),
    ];
    let kannel = http.get(hub.url("/channels/sms/kannel")).query(&query).send().await.expect("an answer");
    assert_eq!(
        (kannel.status(), &kannel.headers()["yingda-outcome"]),
        (StatusCode::OK, &"new".parse().expect("a value"))
    );
    assert_eq!(kannel.text().await.expect("a body"), "");

    // E-mail: a wrong token is 401 and leaves no trace; a null sender gets no answer.
    let mail = "From: citizen@city.test\r\nTo: 12345@demo-city.example\r\nSubject: Light\r\nMessage-ID: <1@home.test>\r\n\
                Date: Sun, 22 Nov 2026 15:00:00 +0800\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe street light in \
                Chengjiang Road is broken.\r\n";
    let post = |token: &str| {
        http.post(hub.url("/channels/email/mailbox"))
            .bearer_auth(token)
            .header("Content-Type", "message/rfc822")
            .header("X-Envelope-From", "")
            .header("X-Envelope-To", "12345@demo-city.example")
            .body(mail)
            .send()
    };
    assert_eq!(post("wrong").await.expect("an answer").status(), 401);
    let taken = post(hub.secret("/email/mailbox/token")).await.expect("an answer");
    assert_eq!(taken.headers()["yingda-outcome"], "new");
    let taken = json_of(taken, StatusCode::OK).await;
    let by_mail = hub.agent().ticket(taken["ticket"].as_str().expect("a number")).await;
    assert_eq!((&by_mail["channel"], &by_mail["language"]), (&json!("email"), &json!("en")));
    assert_eq!(deliveries(&by_mail, "acknowledgement"), Vec::<&Value>::new());

    // Telegram by webhook.
    let update = json!({ "update_id": 1, "message": {
        "message_id": 1, "date": 1_795_330_800, "chat": { "id": 77, "type": "private", "first_name": "C" },
        "from": { "id": 77, "is_bot": false, "first_name": "C" }, "text": LIGHT,
    }});
    let door = hub.url("/channels/telegram/bot");
    for (secret, outcome) in [("wrong", "quarantined"), (hub.secret("/telegram/bot/webhook_secret"), "new")] {
        let answer = http.post(&door).header("X-Telegram-Bot-Api-Secret-Token", secret).json(&update).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status(), &answer.headers()["yingda-outcome"]),
            (StatusCode::OK, &outcome.parse().expect("a value"))
        );
    }
    // Unset far ends: deliveries wait and say why.
    let waiting = hub.agent().tickets().await;
    let waiting = waiting.iter().find(|ticket| ticket["channel"] == "telegram").expect("the ticket");
    let waiting = hub.agent().ticket(waiting["number"].as_str().expect("a number")).await;
    let acknowledgement = deliveries(&waiting, "acknowledgement")[0];
    assert_eq!(acknowledgement["state"], "queued");
    assert!(acknowledgement["reason"].is_string(), "{acknowledgement}");

    let expected = json!({ "received": 9, "new": 4, "appended": 2, "reports": 0, "control": 0, "duplicates": 0, "quarantined": 3 });
    assert_eq!(hub.ledger().await, expected);
    hub.end().await;
}

async fn outbound(database: Database) {
    let (gateway, hub) = start(database).await;
    gateway.answer_next(&[Answer::Refuse(503), Answer::Refuse(429)]);
    let number = file(&gateway, &hub, "in-1", CITIZEN, LIGHT).await;
    let sms = gateway.wait_taken(|sms| sms.text.contains(&number)).await;
    assert_eq!(gateway.calls(), 3, "408, 429 and 5xx are tried again");
    let ticket = hub.wait_ticket(&number, |ticket| deliveries(ticket, "acknowledgement")[0]["state"] == "sent").await;
    let delivery = deliveries(&ticket, "acknowledgement")[0];
    assert_eq!((&delivery["id"], &delivery["to"]), (&json!(sms.delivery_id), &json!(CITIZEN)));
    assert_eq!(delivery["attempts"].as_array().map(Vec::len), Some(3));
    let report = gateway.report(&hub.url("/channels/sms/demo"), &sms.provider_id, "delivered").await;
    assert_eq!(report.headers()["yingda-outcome"], "report");
    assert_eq!(json_of(report, StatusCode::OK).await["outcome"], "report");
    hub.wait_ticket(&number, |ticket| deliveries(ticket, "acknowledgement")[0]["state"] == "delivered").await;
    hub.end().await;
}

async fn staff_api(database: Database) {
    let (gateway, hub) = start(database).await;
    let agent = hub.agent();
    let mut numbers = Vec::new();
    for at in 0..5 {
        numbers.push(file(&gateway, &hub, &format!("in-{at}"), &format!("+861380013801{at}"), LIGHT).await);
    }

    // Lists: in order of creation, by pages.
    let first = agent.get("/tickets?limit=2").await;
    assert_eq!(keys(&first), BTreeSet::from(["items", "next"]));
    let mut listed = Vec::new();
    let mut page = first;
    loop {
        for item in page["items"].as_array().expect("a list") {
            has(item, &["number", "state", "item", "department", "language", "channel", "subject", "version"]);
            listed.push(item["number"].as_str().expect("a number").to_owned());
        }
        let Some(next) =
            page["next"].as_str().map(str::to_owned).or_else(|| page["next"].as_u64().map(|next| next.to_string()))
        else {
            break;
        };
        page = agent.get(&format!("/tickets?limit=2&after={next}")).await;
    }
    assert_eq!(listed, numbers);

    // One ticket.
    let number = numbers[0].as_str();
    let ticket = agent.ticket(number).await;
    has(&ticket, &["number", "state", "item", "department", "language", "channel", "subject", "version"]);
    has(&ticket, &["appeals", "replies", "deliveries", "decision"]);
    has(&ticket["appeals"][0], &["channel", "from", "subject", "text", "received_at", "attachments"]);
    has(&ticket["deliveries"][0], &["id", "kind", "channel", "to", "state", "attempts"]);
    has(&ticket["decision"], &["item", "department", "decided_by", "rule_set", "ranked", "trace"]);
    assert_eq!((&ticket["state"], &ticket["department"]), (&json!("dispatched"), &json!(DEPARTMENT)));
    assert_eq!(ticket["decision"]["department"], DEPARTMENT);

    // Moves, each with the version that was seen.
    let handler = hub.handler(DEPARTMENT);
    let stale = ticket["version"].clone();
    handler.act(number, "sign", json!({})).await;
    let path = |verb: &str| format!("/tickets/{number}/{verb}");
    let (status, conflict) = handler.post(&path("replies"), &json!({ "text": "已修好", "version": stale })).await;
    assert_eq!(status, 409, "{conflict}");
    is_error(&conflict);
    assert_eq!(agent.ticket(number).await["replies"], json!([]), "nothing of it happened");
    let back = handler.act(number, "send-back", json!({ "reason": "wrong_department", "text": "不属我局" })).await;
    assert_eq!((&back["state"], &back["department"]), (&json!("triage"), &Value::Null));
    let (status, forbidden) = agent.post(&path("sign"), &json!({ "version": back["version"] })).await;
    assert_eq!(status, 403, "{forbidden}");
    is_error(&forbidden);
    let (status, illegal) = hub.supervisor().post(&path("sign"), &json!({ "version": back["version"] })).await;
    assert_eq!(status, 409, "{illegal}");
    is_error(&illegal);
    let again = json!({ "department": "water", "item": "roads.drains", "reason": "a drain" });
    let moved = agent.act(number, "dispatch", again).await;
    assert_eq!((&moved["department"], &moved["item"]), (&json!("water"), &json!("roads.drains")));
    assert_eq!(moved["decision"]["decided_by"], "person");
    let stranger = hub.handler("tax").call(Method::GET, &format!("/tickets/{number}"), None).await;
    assert_eq!(stranger.status(), 404, "another department's");
    let water = hub.handler("water");
    let noted = water.act(number, "notes", json!({ "text": "现场查看" })).await;
    assert_eq!(noted["state"], "dispatched");
    water.act(number, "sign", json!({})).await;
    let replied = water.act(number, "replies", json!({ "text": "已修好" })).await;
    assert_eq!(replied["replies"][0]["text"], "已修好");
    let sms = gateway.wait_taken(|sms| sms.text.contains("已修好")).await;
    gateway.report(&hub.url("/channels/sms/demo"), &sms.provider_id, "delivered").await;
    hub.delivered(number).await;
    let closed = agent.act(number, "close", json!({})).await;
    assert_eq!(closed["state"], "closed");
    let reopened = agent.act(number, "reopen", json!({})).await;
    assert_eq!((&reopened["state"], &reopened["department"]), (&json!("dispatched"), &json!("water")));

    // A call, filed once however often it is posted.
    let http = peers::http();
    let call = json!({
        "channel": "phone", "from": "+8613800138020", "text": LIGHT, "answer_channel": "sms", "answer_address": "+8613800138020",
    });
    let post = |body: Value| {
        http.post(hub.url("/api/v1/tickets"))
            .bearer_auth(agent.token())
            .header("Idempotency-Key", "call-1")
            .json(&body)
            .send()
    };
    let filed = post(call.clone()).await.expect("an answer");
    assert!(filed.status().is_success(), "{}", filed.status());
    let filed: Value = filed.json().await.expect("JSON");
    let repeated = post(call).await.expect("an answer").json::<Value>().await.expect("JSON");
    assert_eq!(repeated["number"], filed["number"]);
    let other =
        post(json!({ "channel": "phone", "from": "+8613800138020", "text": "别的事" })).await.expect("an answer");
    is_error(&json_of(other, StatusCode::CONFLICT).await);

    // Errors and rights.
    let nobody = http.get(hub.url("/api/v1/tickets")).send().await.expect("an answer");
    is_error(&json_of(nobody, StatusCode::UNAUTHORIZED).await);
    let forged = http.get(hub.url("/api/v1/tickets")).bearer_auth("nonsense").send().await.expect("an answer");
    is_error(&json_of(forged, StatusCode::UNAUTHORIZED).await);
    let nothing = agent.call(Method::GET, "/tickets/202611220000179", None).await;
    is_error(&json_of(nothing, StatusCode::NOT_FOUND).await);
    let (status, body) = agent.post(&path("replies"), &json!({ "text": "x" })).await;
    assert!((400..500).contains(&status), "a move without a version: {status}");
    is_error(&body);
    assert_eq!(hub.supervisor().tickets().await.len(), 6);

    let description = http.get(hub.url("/api/openapi.json")).send().await.expect("an answer");
    let description = json_of(description, StatusCode::OK).await;
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let verbs = ["sign", "send-back", "dispatch", "replies", "notes", "close", "reopen"];
    for path in ["/ledger", "/tickets", "/tickets/{number}", "/events"]
        .map(str::to_owned)
        .into_iter()
        .chain(verbs.map(|verb| format!("/tickets/{{number}}/{verb}")))
    {
        assert!(description["paths"].get(format!("/api/v1{path}")).is_some(), "{path} is not described");
    }
    hub.end().await;
}

async fn feed(database: Database) {
    let (gateway, hub) = start(database).await;
    // Many at once, so that their transactions overlap.
    let doors: Vec<_> = (0..20)
        .map(|at| {
            let (gateway, hub) = (&gateway, &hub);
            async move { file(gateway, hub, &format!("in-{at}"), &format!("+86138001381{at:02}"), LIGHT).await }
        })
        .collect();
    let numbers = futures_util::future::join_all(doors).await;
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 20);
    hub.answer(DEPARTMENT, &numbers[0], "已修好").await;
    let events = hub.agent().events().await;
    for event in &events {
        has(event, &["position", "kind", "ticket", "state", "department", "at"]);
    }
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_u64().expect("a number")).collect();
    let begin = positions[0];
    assert_eq!(
        positions,
        (begin..begin + positions.len() as u64).collect::<Vec<_>>(),
        "each once, in order, none skipped"
    );
    let seen: BTreeSet<_> = events.iter().filter_map(|event| event["ticket"].as_str()).collect();
    assert_eq!(seen, numbers.iter().map(String::as_str).collect());

    // The live feed goes on where a reader stopped, and shows what happens now.
    let half = events.len() / 2;
    let url = hub.url(&format!("/api/v1/feed?after={}", positions[half])).replace("http://", "ws://");
    let mut request = url.into_client_request().expect("a request");
    let token = format!("Bearer {}", hub.agent().token());
    request.headers_mut().insert("authorization", token.parse().expect("a value"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("the feed opens");
    let mut next = async || {
        let frame = tokio::time::timeout(peers::PATIENCE, socket.next()).await.expect("a frame in time");
        let frame = frame.expect("open").expect("a frame");
        serde_json::from_str::<Value>(frame.to_text().expect("text")).expect("JSON")
    };
    let mut got = Vec::new();
    while got.len() < events.len() - half - 1 {
        got.push(next().await);
    }
    assert_eq!(got.as_slice(), &events[half + 1..]);
    let late = file(&gateway, &hub, "late", "+8613800138199", LIGHT).await;
    let last = positions.last().copied().expect("events");
    let mut expected = last;
    loop {
        let event = next().await;
        expected += 1;
        assert_eq!(event["position"], json!(expected));
        if event["ticket"] == json!(late) {
            break;
        }
    }
    hub.end().await;
}

macro_rules! on_both {
    ($($name:ident => $sqlite:ident, $postgres:ident;)+) => {$(
        #[tokio::test]
        async fn $sqlite() {
            $name(Database::Sqlite).await;
        }

        #[tokio::test]
        async fn $postgres() {
            $name(Database::Postgres).await;
        }
    )+};
}

on_both! {
    inbound => inbound_on_sqlite, inbound_on_postgres;
    outbound => outbound_on_sqlite, outbound_on_postgres;
    staff_api => staff_api_on_sqlite, staff_api_on_postgres;
    feed => feed_on_sqlite, feed_on_postgres;
}
