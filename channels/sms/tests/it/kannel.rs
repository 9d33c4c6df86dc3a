//! Kannel, with octets and answers as release 1.4.5 makes them.

use channel_contract::conformance::{Case, Expect, violations};
use channel_contract::{
    Channel as _, Content, DeliveryError, Outcome, QuarantineReason, RawRequest, Receipt, Report, ReportStatus,
    ReportSubject, Verdict,
};
use channel_sms::SmsChannel;
use proptest::prelude::*;
use serde_json::json;
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{channel, detail, fixture, hangs_up, item, nobody, outbound, problems, request, text};

fn account() -> SmsChannel {
    channel(json!({"provider": "kannel", "secret": "kannel-secret"}))
}

fn sending(sendsms_url: &str) -> SmsChannel {
    channel(json!({
        "provider": "kannel", "secret": "kannel-secret", "sendsms_url": sendsms_url, "username": "hub",
        "password": "hush", "sender": "12345",
    }))
}

fn get(query: &str) -> RawRequest {
    request("GET", &format!("https://hub.example/channels/sms/kannel?{query}"), &[], b"")
}

fn fixed(name: &str) -> RawRequest {
    get(&String::from_utf8(fixture(name)).expect("ASCII"))
}

#[test]
fn conforms() {
    let case = |name: &str, expect| Case { name: name.to_owned(), request: fixed(name), expect };
    let mut cases = vec![
        case("kannel-utf16be.query", Expect::Message),
        case("kannel-real-ucs2.query", Expect::Message),
        case("kannel-bin.query", Expect::Message),
        case("kannel-utf8.query", Expect::Message),
        case("kannel-gb18030.query", Expect::Message),
        case("kannel-concatenated.query", Expect::Message),
        case("kannel-stop.query", Expect::Control),
        case("kannel-report.query", Expect::Report),
    ];
    for query in ["", "secret=wrong&id=1&from=2&text=x", "secret=kannel-secret&id=1&from=2&text=%ff"] {
        cases.push(Case { name: query.to_owned(), request: get(query), expect: Expect::Quarantine });
    }
    assert_eq!(violations(&account(), &cases), Vec::<String>::new());
}

#[test]
fn octets_are_read_by_their_charset() {
    for (name, expected) in [
        ("kannel-utf16be.query", "路灯坏了".to_owned()),
        // Caught from a running Kannel 1.4.5 with `text=%b`; `%a` had lost the first octet.
        ("kannel-real-ucs2.query", "“路灯”坏了…†口".to_owned()),
        ("kannel-bin.query", "“路灯”坏了……  人民路†口📱".to_owned()),
        ("kannel-utf8.query", "The street lamp at 5+6 Main St is out".to_owned()),
        ("kannel-gb18030.query", "路灯坏了".to_owned()),
        ("kannel-concatenated.query", "路灯坏了，晚上很黑。".repeat(20)),
    ] {
        assert_eq!(text(&account(), &fixed(name)), expected, "{name}");
    }
    let empty_bin = "secret=kannel-secret&id=1&from=2&text=x&bin=";
    assert_eq!(text(&account(), &get(empty_bin)), "x");
    let inbound = item(&account(), &fixed("kannel-utf16be.query"));
    assert_eq!(inbound.key, "5c1e7d0a-4f0b-4c57-9a58-1d2f3a4b5c6d");
    let Content::Message(message) = inbound.content else { panic!("no message") };
    assert_eq!((message.from.as_str(), message.to.as_slice()), ("+8613800138000", &["12345".to_owned()][..]));
    assert_eq!(message.sent_at.map(|time| time.timestamp()), Some(1_795_330_800));
}

#[test]
fn origin_is_the_secret() {
    for query in ["id=1&from=2&text=x", "secret=&id=1&from=2&text=x", "secret=kannel-secre&id=1&from=2&text=x"] {
        detail(&account(), &get(query), QuarantineReason::Unverified);
    }
    let unknown = "secret=kannel-secret&id=1&from=2&text=x&charset=KLINGON";
    assert_eq!(detail(&account(), &get(unknown), QuarantineReason::Unparsable), "the charset is unknown");
    let no_id = "secret=kannel-secret&from=2&text=x";
    assert_eq!(detail(&account(), &get(no_id), QuarantineReason::Unparsable), "the id is missing or empty");
}

#[test]
fn reports_have_kannels_types() {
    for (query, status, error) in [
        ("status=1", ReportStatus::Delivered, None),
        ("status=2", ReportStatus::Failed, Some("dlr 2")),
        ("status=4", ReportStatus::Underway, None),
        ("status=8&answer=ACK", ReportStatus::Underway, None),
        ("status=16&answer=NACK%2F11", ReportStatus::Failed, Some("dlr 16")),
        ("status=2&answer=id:1+stat:UNDELIV+err:027+text:secret", ReportStatus::Failed, Some("027")),
    ] {
        let inbound = item(&account(), &get(&format!("secret=kannel-secret&report=1&attempt=a-1&{query}")));
        let expected =
            Report { subject: ReportSubject::Attempt("a-1".to_owned()), status, error: error.map(str::to_owned) };
        assert_eq!(inbound.content, Content::Report(expected), "{query}");
    }
    let word = "secret=kannel-secret&report=1&attempt=a-1&status=done";
    assert_eq!(detail(&account(), &get(word), QuarantineReason::Unparsable), "`status` of a report is no number");
}

#[test]
fn the_answer_is_empty() {
    let verdict = Verdict { outcome: Outcome::New, ticket: Some("2026".to_owned()), reason: None };
    let answer = account().answer(&verdict);
    assert_eq!((answer.status, answer.content_type, answer.body.len()), (200, "text/plain", 0));
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(json!({"provider": "kannel", "sendsms_url": "gw", "templates": {"reply": "1"}}));
    let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(keys, ["secret", "templates", "sendsms_url"]);
    let half = channel(json!({"provider": "kannel", "secret": "s", "sendsms_url": "http://gw.example"}));
    assert_eq!(half.descriptor().cannot_send.as_deref(), Some("username is not set"));
    assert_eq!(account().descriptor().cannot_send.as_deref(), Some("sendsms_url is not set"));
}

/// Sends one text to a mock and gives back the query that arrived.
async fn arrived(text: &str) -> Vec<(String, String)> {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/cgi-bin/sendsms"))
        .respond_with(ResponseTemplate::new(202).set_body_string("0: Accepted for delivery"))
        .expect(1)
        .mount(&server)
        .await;
    let account = sending(&format!("{}/cgi-bin/sendsms?smsc=fake1", server.uri()));
    let acceptance = account.send(&outbound(text)).await.expect("accepted");
    assert_eq!(acceptance.provider_id, None);
    let requests: Vec<Request> = server.received_requests().await.expect("recorded");
    requests.iter().flat_map(|request| request.url.query_pairs().into_owned().collect::<Vec<_>>()).collect()
}

fn value<'a>(query: &'a [(String, String)], name: &str) -> &'a str {
    query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_message_is_sent_and_its_report_comes_back_by_the_address_given() {
    let query = arrived("路灯已修好").await;
    for (name, expected) in [
        ("smsc", "fake1"),
        ("username", "hub"),
        ("password", "hush"),
        ("from", "12345"),
        ("to", "+8613800138000"),
        ("text", "路灯已修好"),
        ("charset", "UTF-8"),
        ("coding", "2"),
        ("dlr-mask", "31"),
    ] {
        assert_eq!(value(&query, name), expected, "{name}");
    }
    let address = value(&query, "dlr-url");
    assert!(!address.contains("kannel-secret"), "{address}");
    // Kannel fills its codes in and calls.
    let called = address.replace("%d", "1").replace("%A", "ACK%2F");
    let report = item(&account(), &request("GET", &called, &[], b""));
    let expected = Report {
        subject: ReportSubject::Attempt("attempt-1".to_owned()),
        status: ReportStatus::Delivered,
        error: None,
    };
    assert_eq!(report.content, Content::Report(expected));
    // The token opens this report and nothing else.
    for (from, to) in [("attempt=attempt-1", "attempt=attempt-2"), ("report=1&", "id=1&from=2&text=x&")] {
        let changed = request("GET", &called.replace(from, to), &[], b"");
        detail(&account(), &changed, QuarantineReason::Unverified);
    }
}

#[tokio::test]
async fn a_text_in_the_gsm_alphabet_is_sent_in_it() {
    let query = arrived("Fixed & done: 5+6 [ok]").await;
    assert_eq!((value(&query, "coding"), value(&query, "text")), ("0", "Fixed & done: 5+6 [ok]"));
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    #[derive(Debug, PartialEq)]
    enum Is {
        Accepted,
        Transient,
        Permanent,
    }
    for (status, answer, expected) in [
        (202, "0: Accepted for delivery", Is::Accepted),
        (202, "3: Queued for later delivery", Is::Accepted),
        (200, "Sent.", Is::Accepted),
        (200, "Authorization failed for sendsms", Is::Transient),
        (403, "Authorization failed for sendsms", Is::Transient),
        (403, "Not routable. Do not try again.", Is::Permanent),
        (403, "<html>some proxy</html>", Is::Transient),
        (400, "Empty text not allowed, rejected", Is::Permanent),
        (400, "Sender missing and no global set, rejected", Is::Transient),
        (404, "Unknown request.", Is::Transient),
        (503, "Temporal failure, try again later.", Is::Transient),
        (500, "", Is::Transient),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status).set_body_string(answer))
            .mount(&server)
            .await;
        let is = match sending(&server.uri()).send(&outbound("x")).await {
            Ok(_) => Is::Accepted,
            Err(DeliveryError::Transient { .. }) => Is::Transient,
            Err(DeliveryError::Permanent(_)) => Is::Permanent,
            Err(DeliveryError::Uncertain(reason)) => panic!("{status}: {reason}"),
        };
        assert_eq!(is, expected, "{status} {answer}");
    }
}

#[tokio::test]
async fn a_broken_exchange_is_uncertain_once_the_message_has_left() {
    let left = sending(&format!("http://{}", hangs_up().await)).send(&outbound("x")).await;
    assert!(matches!(&left, Err(DeliveryError::Uncertain(reason)) if !reason.contains("hush")), "{left:?}");
    let (refusing, _held) = nobody();
    let not_left = sending(&format!("http://{refusing}")).send(&outbound("x")).await;
    assert!(matches!(&not_left, Err(DeliveryError::Transient { .. })), "{not_left:?}");
}

#[tokio::test]
async fn the_probe_tries_the_login_and_sends_nothing() {
    let server = MockServer::start().await;
    Mock::given(query_param("username", "hub"))
        .and(query_param_is_missing("to"))
        .respond_with(ResponseTemplate::new(400).set_body_string("Missing receiver number, rejected"))
        .expect(1)
        .mount(&server)
        .await;
    let good = sending(&server.uri()).probe().await;
    assert!(good.iter().all(|finding| finding.ok), "{good:?}");
    let refused = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(403)).mount(&refused).await;
    assert!(sending(&refused.uri()).probe().await.iter().all(|finding| !finding.ok));
}

proptest! {
    #[test]
    fn any_query_is_survived(query in "[ -~]{0,200}") {
        let wild = get(&query);
        let quarantined = matches!(account().receive(&wild), Receipt::Quarantine { .. });
        prop_assert!(quarantined);
        let known = get(&format!("secret=kannel-secret&id=1&from=2&{query}"));
        prop_assert_eq!(account().receive(&known), account().receive(&known));
    }

    #[test]
    fn any_text_survives_utf16(said in "[!-~“路灯…†📱 ]{1,60}") {
        prop_assume!(said.trim().chars().count() > 11);
        let octets: String = said.encode_utf16().flat_map(u16::to_be_bytes).map(|byte| format!("%{byte:02x}")).collect();
        let query = format!("secret=kannel-secret&id=1&from=2&charset=UTF-16BE&text={octets}");
        prop_assert_eq!(text(&account(), &get(&query)), said);
    }
}
