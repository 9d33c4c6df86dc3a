//! The generic gateway.

use std::time::Duration;

use channel_contract::conformance::{Case, Expect, violations};
use channel_contract::{
    Channel as _, Content, Control, ControlKind, DeliveryError, Outcome, Plan, QuarantineReason, RawRequest, Report,
    ReportStatus, ReportSubject, Verdict,
};
use channel_sms::SmsChannel;
use channel_sms::standard_webhooks::SigningKey;
use proptest::prelude::*;
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{channel, detail, fixture, hangs_up, item, nobody, now, outbound, problems, request, text};

const SECRET: &str = "whsec_bm90IGEgcmVhbCBzZWNyZXQsIGp1c3QgYSB0ZXN0IG9uZQ==";

fn account() -> SmsChannel {
    channel(json!({"provider": "generic", "secret": SECRET}))
}

fn signed(body: &[u8]) -> RawRequest {
    let key = SigningKey::parse(SECRET).expect("the key");
    let stamp = now().timestamp();
    let headers = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &*stamp.to_string()),
        ("webhook-signature", &*key.sign("msg_1", stamp, body)),
    ];
    request("POST", "https://hub.example/channels/sms/demo", &headers, body)
}

#[test]
fn conforms() {
    let case = |name: &str, request, expect| Case { name: name.to_owned(), request, expect };
    let message = signed(&fixture("generic-message.json"));
    let mut forged = message.clone();
    forged.body = fixture("generic-stop.json").into();
    let mut unsigned = message.clone();
    unsigned.headers.clear();
    let cases = [
        case("message", message, Expect::Message),
        case("stop", signed(&fixture("generic-stop.json")), Expect::Control),
        case("report", signed(&fixture("generic-report.json")), Expect::Report),
        case("forged", forged, Expect::Quarantine),
        case("unsigned", unsigned, Expect::Quarantine),
        case("no JSON", signed(b"{"), Expect::Quarantine),
    ];
    assert_eq!(violations(&account(), &cases), Vec::<String>::new());
}

#[test]
fn a_message_is_read() {
    let inbound = item(&account(), &signed(&fixture("generic-message.json")));
    assert_eq!(inbound.key, "g-1001");
    let Content::Message(message) = inbound.content else { panic!("no message") };
    assert_eq!(message.from, "+8613800138000");
    assert_eq!(message.to, ["12345"]);
    assert_eq!(message.text, "人民路三号门口的路灯坏了📱，晚上很黑");
    assert_eq!(message.sent_at.map(|time| time.to_rfc3339()).as_deref(), Some("2026-11-21T23:00:00+00:00"));
}

#[test]
fn controls_and_reports_are_read() {
    let control = item(&account(), &signed(&fixture("generic-stop.json")));
    let expected = Control { from: "+8613800138000".to_owned(), kind: ControlKind::Stop, language_hint: None };
    assert_eq!(control.content, Content::Control(expected));
    let report = item(&account(), &signed(&fixture("generic-report.json")));
    assert_eq!(report.key, "report:p-77:failed");
    let expected = Report {
        subject: ReportSubject::ProviderId("p-77".to_owned()),
        status: ReportStatus::Failed,
        error: Some("unreachable".to_owned()),
    };
    assert_eq!(report.content, Content::Report(expected));
}

#[test]
fn the_digest_covers_what_was_said_and_not_when() {
    let digest = |body: &str| item(&account(), &signed(body.as_bytes())).digest;
    let one = digest(r#"{"id":"1","from":"a","to":"b","text":"c","received_at":"2026-11-22T07:00:00Z"}"#);
    assert_eq!(one, digest(r#"{"received_at":"later","id":"1","from":"a","to":"b","text":"c"}"#));
    assert_ne!(one, digest(r#"{"id":"1","from":"a","to":"b","text":"d"}"#));
    assert_ne!(one, digest(r#"{"id":"1","from":"ab","to":"","text":"c"}"#));
}

#[test]
fn an_old_timestamp_is_taken_since_keys_never_expire() {
    let mut old = signed(&fixture("generic-message.json"));
    old.received_at += chrono::TimeDelta::days(400);
    assert_eq!(item(&account(), &old).key, "g-1001");
}

#[test]
fn what_is_wrong_is_named() {
    for (body, expected) in [
        (r#"["a"]"#, "the body is no JSON object"),
        (r#"{"from":"1","text":"x"}"#, "the id is missing or empty"),
        (r#"{"id":1,"from":"1","text":"  "}"#, "`text` is missing or blank"),
        (r#"{"id":"1","text":"x"}"#, "`from` is missing or empty"),
        (r#"{"type":"report","id":"1","status":"lost"}"#, "`status` of a report must be delivered, failed or underway"),
        (r#"{"type":"report","status":"failed"}"#, "the id is missing or empty"),
        (r#"{"type":7,"id":"1"}"#, "`type` is neither message nor report"),
    ] {
        assert_eq!(detail(&account(), &signed(body.as_bytes()), QuarantineReason::Unparsable), expected, "{body}");
    }
    let mut unsigned = signed(b"{}");
    unsigned.headers.retain(|(name, _)| name != "webhook-signature");
    detail(&account(), &unsigned, QuarantineReason::Unverified);
}

#[test]
fn the_answer_is_the_verdict() {
    let verdict = Verdict { outcome: Outcome::New, ticket: Some("2026".to_owned()), reason: None };
    let answer = account().answer(&verdict);
    assert_eq!((answer.status, answer.content_type), (200, "application/json"));
    assert_eq!(&answer.body[..], br#"{"outcome":"new","ticket":"2026","reason":null}"#);
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(json!({
        "provider": "generic", "secret": "whsec_c2hvcnQ=", "outbound_url": "gw", "default_region": "Mars",
        "max_segments": 0, "timeout_secs": 0, "templates": {"greeting": "1"},
    }));
    let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(
        keys,
        ["default_region", "max_segments", "timeout_secs", "templates.greeting", "secret", "outbound_url"]
    );
    assert_eq!(problems(json!({"provider": "generic"})), ["secret: is not set; webhooks could not be verified"]);
}

#[test]
fn long_texts_count_with_their_signature() {
    let signed = channel(json!({"secret": SECRET, "signature": "市民热线", "max_segments": 1}));
    assert_eq!(signed.plan(&"路".repeat(64)), Plan::Parts(vec!["路".repeat(64)]));
    assert_eq!(signed.plan(&"路".repeat(65)), Plan::TooLong);
    assert_eq!(account().plan(&"路".repeat(201)), Plan::Parts(vec!["路".repeat(201)]));
    assert_eq!(account().plan(&"路".repeat(202)), Plan::TooLong);
}

#[tokio::test]
async fn a_message_is_sent_signed_and_accepted_by_its_id() {
    let server = MockServer::start().await;
    let key = SigningKey::parse(SECRET).expect("the key");
    Mock::given(method("POST"))
        .and(path("/out"))
        .and(header("webhook-id", "delivery-1"))
        .and(body_json(json!({
            "delivery_id": "delivery-1", "to": "+8613800138000", "text": "【市民热线】已修好", "template_id": "T9"
        })))
        .and(move |request: &Request| {
            let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| {
                let value = request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                (name, value)
            });
            key.verify(&crate::harness::request("POST", "/", &headers, &request.body))
        })
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({"id": 4711})))
        .expect(1)
        .mount(&server)
        .await;
    let account = channel(json!({
        "secret": SECRET, "outbound_url": format!("{}/out", server.uri()), "signature": "市民热线",
        "templates": {"reply": "T9"},
    }));
    let acceptance = account.send(&outbound("已修好")).await.expect("accepted");
    assert_eq!(acceptance.provider_id.as_deref(), Some("4711"));
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let transient = |error: &DeliveryError| matches!(error, DeliveryError::Transient { .. });
    for (status, body, expect_transient) in [
        (400, "", false),
        (401, "", false),
        (404, "", false),
        (410, "", false),
        (408, "", true),
        (429, "", true),
        (302, "", true),
        (500, "", true),
        (503, "", true),
        (200, "", true),
        (200, "<html>", true),
        (200, r#"{"id":""}"#, true),
    ] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_string(body).insert_header("retry-after", "7");
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let account = channel(json!({"secret": SECRET, "outbound_url": server.uri()}));
        let error = account.send(&outbound("x")).await.expect_err("no acceptance");
        assert_eq!(transient(&error), expect_transient, "{status} {body}: {error:?}");
        if status == 429 {
            let waits = matches!(&error, DeliveryError::Transient { retry_after, .. } if *retry_after == Some(Duration::from_secs(7)));
            assert!(waits, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_broken_exchange_may_be_repeated() {
    let (refusing, _held) = nobody();
    for address in [hangs_up().await, refusing] {
        let account = channel(json!({"secret": SECRET, "outbound_url": format!("http://{address}/?key=hush")}));
        let error = account.send(&outbound("x")).await.expect_err("no answer");
        assert!(matches!(error, DeliveryError::Transient { .. }), "{error:?}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn without_a_far_end_it_says_so() {
    let account = account();
    assert_eq!(account.descriptor().cannot_send.as_deref(), Some("outbound_url is not set"));
    assert!(matches!(account.send(&outbound("x")).await, Err(DeliveryError::Transient { .. })));
    assert!(account.probe().await.iter().all(|finding| !finding.ok));
}

#[tokio::test]
async fn the_probe_sends_nothing() {
    for (status, good) in [(200, true), (404, true), (405, true), (501, true), (401, false), (403, false)] {
        let server = MockServer::start().await;
        Mock::given(method("HEAD")).respond_with(ResponseTemplate::new(status)).expect(1).mount(&server).await;
        let account = channel(json!({"secret": SECRET, "outbound_url": server.uri()}));
        let findings = account.probe().await;
        let told =
            |finding: &channel_contract::Finding| finding.ok == good && finding.detail.contains(&status.to_string());
        assert!(findings.iter().all(told), "{status}: {findings:?}");
    }
    let (refusing, _held) = nobody();
    let unreachable = channel(json!({"secret": SECRET, "outbound_url": format!("http://{refusing}")}));
    assert!(unreachable.probe().await.iter().any(|finding| !finding.ok));
}

proptest! {
    #[test]
    fn signed_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let channel = account();
        let one = channel.receive(&signed(&body));
        prop_assert_eq!(one, channel.receive(&signed(&body)));
    }

    #[test]
    fn any_text_survives(said in "\\PC{1,80}") {
        prop_assume!(!said.trim().is_empty());
        let body = json!({"id": "1", "from": "+8613800138000", "to": "12345", "text": format!("a{said}b c")});
        prop_assert_eq!(text(&account(), &signed(body.to_string().as_bytes())), format!("a{said}b c"));
    }
}
