//! Twilio, with forms of the shape that its webhooks have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel_contract::conformance::{Case, Expect, violations};
use channel_contract::{
    AttachmentContent, Channel as _, Content, Control, ControlKind, DeliveryError, Outcome, QuarantineReason,
    RawRequest, Receipt, Report, ReportStatus, ReportSubject, Verdict,
};
use channel_sms::SmsChannel;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::json;
use sha1::Sha1;
use url::form_urlencoded;
use wiremock::matchers::{basic_auth, body_string_contains, header_exists, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{channel, detail, fixture, hangs_up, item, nobody, outbound, problems, request, text};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const URL: &str = "https://hub.example/channels/sms/twilio";
const SID: &str = "AC0123456789abcdef0123456789abcdef";

fn account() -> SmsChannel {
    channel(json!({"provider": "twilio", "auth_token": TOKEN}))
}

fn sending(api_url: &str) -> SmsChannel {
    channel(json!({
        "provider": "twilio", "auth_token": TOKEN, "account_sid": SID, "api_url": api_url, "sender": "+15005550006",
    }))
}

/// Signs as the vendor describes it, without the adapter's own code.
fn signed(url: &str, body: &[u8]) -> RawRequest {
    let mut fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    fields.sort();
    fields.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).expect("a key");
    mac.update(url.as_bytes());
    for (name, value) in &fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("x-twilio-signature", &*signature)];
    request("POST", url, &headers, body)
}

fn fixed(name: &str) -> RawRequest {
    signed(URL, &fixture(name))
}

#[test]
fn conforms() {
    let case = |name: &str, expect| Case { name: name.to_owned(), request: fixed(name), expect };
    let mut cases = vec![
        case("twilio-message.form", Expect::Message),
        case("twilio-media.form", Expect::Message),
        case("twilio-stop.form", Expect::Control),
        case("twilio-report.form", Expect::Report),
    ];
    let mut forged = fixed("twilio-message.form");
    forged.body = fixture("twilio-stop.form").into();
    for (name, request) in [("forged", forged), ("empty", signed(URL, b"")), ("no form", signed(URL, b"\xff\x00{"))] {
        cases.push(Case { name: name.to_owned(), request, expect: Expect::Quarantine });
    }
    assert_eq!(violations(&account(), &cases), Vec::<String>::new());
}

#[test]
fn messages_and_media_are_read() {
    let inbound = item(&account(), &fixed("twilio-message.form"));
    assert_eq!(inbound.key, "SM0123456789abcdef0123456789abcdef");
    let Content::Message(message) = inbound.content else { panic!("no message") };
    assert_eq!(message.from, "+8613800138000");
    assert_eq!(message.text, "人民路三号门口的路灯坏了📱");
    assert_eq!(message.attachments, []);
    let Content::Message(message) = item(&account(), &fixed("twilio-media.form")).content else { panic!("no message") };
    let names: Vec<_> = message.attachments.iter().map(|file| (file.name.as_str(), file.media_type.as_str())).collect();
    assert_eq!(names, [("media-1.jpg", "image/jpeg"), ("media-2.amr", "audio/amr")]);
    let AttachmentContent::Remote { source, .. } = &message.attachments[0].content else { panic!("not remote") };
    assert!(source.ends_with("/Media/ME1"), "{source}");
}

#[test]
fn opting_out_and_in_are_controls() {
    for (body, expected) in [
        ("MessageSid=1&From=%2B8613800138000&Body=Quit&OptOutType=STOP", ControlKind::Stop),
        ("MessageSid=1&From=%2B8613800138000&Body=Yes&OptOutType=START", ControlKind::Resume),
        ("MessageSid=1&From=%2B8613800138000&Body=Help&OptOutType=HELP", ControlKind::Ignored),
        ("MessageSid=1&From=%2B8613800138000&Body=%E9%80%80%E8%AE%A2", ControlKind::Stop),
    ] {
        let control = Control { from: "+8613800138000".to_owned(), kind: expected, language_hint: None };
        assert_eq!(item(&account(), &signed(URL, body.as_bytes())).content, Content::Control(control), "{body}");
    }
}

#[test]
fn reports_name_the_attempt_or_else_the_message() {
    for (word, status) in [
        ("queued", ReportStatus::Underway),
        ("sent", ReportStatus::Underway),
        ("delivered", ReportStatus::Delivered),
        ("read", ReportStatus::Delivered),
        ("undelivered", ReportStatus::Failed),
        ("failed", ReportStatus::Failed),
        ("something-new", ReportStatus::Underway),
    ] {
        let body = format!("MessageSid=SM9&MessageStatus={word}&ErrorCode=30003");
        let error = Some("30003".to_owned());
        let inbound = item(&account(), &signed(URL, body.as_bytes()));
        assert_eq!(inbound.key, format!("report:SM9:{word}"));
        let subject = ReportSubject::ProviderId("SM9".to_owned());
        assert_eq!(inbound.content, Content::Report(Report { subject, status, error: error.clone() }));
        let inbound = item(&account(), &signed(&format!("{URL}?attempt=a-1"), body.as_bytes()));
        let subject = ReportSubject::Attempt("a-1".to_owned());
        assert_eq!(inbound.content, Content::Report(Report { subject, status, error }));
    }
}

#[test]
fn ports_do_not_matter_and_content_does() {
    let body = fixture("twilio-message.form");
    let mut request = signed("https://hub.example:443/channels/sms/twilio", &body);
    request.url = URL.to_owned();
    item(&account(), &request);
    request.url = "https://hub.example/channels/sms/other".to_owned();
    detail(&account(), &request, QuarantineReason::Unverified);
    for body in [
        "MessageSid=1&From=2&Body=",
        "From=2&Body=x",
        "MessageSid=1&From=2&NumMedia=1",
        "MessageSid=1&From=2&NumMedia=x",
    ] {
        detail(&account(), &signed(URL, body.as_bytes()), QuarantineReason::Unparsable);
    }
}

#[test]
fn the_answer_says_nothing() {
    let verdict = Verdict { outcome: Outcome::Duplicate, ticket: None, reason: None };
    let answer = account().answer(&verdict);
    assert_eq!((answer.status, answer.content_type, &answer.body[..]), (200, "text/xml", &b"<Response/>"[..]));
}

#[test]
fn settings_name_their_problems() {
    let found = problems(json!({"provider": "twilio", "api_url": "x"}));
    let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(keys, ["auth_token", "api_url"]);
    assert_eq!(account().descriptor().cannot_send.as_deref(), Some("account_sid is not set"));
}

#[tokio::test]
async fn a_message_is_sent_with_its_callback() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(format!("/2010-04-01/Accounts/{SID}/Messages.json")))
        .and(basic_auth(SID, TOKEN))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"sid": "SM77", "status": "queued"})))
        .expect(1)
        .mount(&server)
        .await;
    let acceptance = sending(&server.uri()).send(&outbound("路灯已修好")).await.expect("accepted");
    assert_eq!(acceptance.provider_id.as_deref(), Some("SM77"));
    let requests: Vec<Request> = server.received_requests().await.expect("recorded");
    let form: Vec<_> = requests.iter().flat_map(|request| form_urlencoded::parse(&request.body)).collect();
    let expected = [
        ("To", "+8613800138000"),
        ("From", "+15005550006"),
        ("Body", "路灯已修好"),
        ("StatusCallback", "https://hub.example/channels/sms/account?attempt=attempt-1"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.into(), value.into())));
}

#[tokio::test]
async fn templates_and_messaging_services_have_their_own_fields() {
    let server = MockServer::start().await;
    Mock::given(body_string_contains("MessagingServiceSid=MG1"))
        .and(body_string_contains("ContentSid=HX1"))
        .and(body_string_contains("ContentVariables=%7B%221%22%3A%22done%22%7D"))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"sid": "SM78"})))
        .expect(1)
        .mount(&server)
        .await;
    let account = channel(json!({
        "provider": "twilio", "auth_token": TOKEN, "account_sid": SID, "api_url": server.uri(), "sender": "MG1",
        "templates": {"reply": "HX1"},
    }));
    account.send(&outbound("done")).await.expect("accepted");
}

#[tokio::test]
async fn each_error_has_its_meaning() {
    for (status, code, transient) in [
        (400, 21211, false),
        (400, 21610, false),
        (400, 21614, false),
        (400, 21606, true),
        (401, 20003, true),
        (404, 20404, true),
        (429, 20429, true),
        (500, 20500, true),
        (503, 0, true),
    ] {
        let server = MockServer::start().await;
        let told = json!({"code": code, "message": "The 'To' number +8613800138000 is wrong", "status": status});
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).set_body_json(told))
            .mount(&server)
            .await;
        let error = sending(&server.uri()).send(&outbound("x")).await.expect_err("no acceptance");
        assert_eq!(matches!(error, DeliveryError::Transient { .. }), transient, "{status} {code}: {error:?}");
        assert!(!error.to_string().contains("13800138000"), "{error}");
    }
}

#[tokio::test]
async fn a_broken_exchange_is_uncertain_once_the_message_has_left() {
    let left = sending(&format!("http://{}", hangs_up().await)).send(&outbound("x")).await;
    assert!(matches!(&left, Err(DeliveryError::Uncertain(_))), "{left:?}");
    let (refusing, _held) = nobody();
    let not_left = sending(&format!("http://{refusing}")).send(&outbound("x")).await;
    assert!(matches!(&not_left, Err(DeliveryError::Transient { .. })), "{not_left:?}");
}

#[tokio::test]
async fn media_are_fetched_with_the_login_from_allowed_hosts_only() {
    let server = MockServer::start().await;
    Mock::given(path("/moved"))
        .and(header_exists("authorization"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", "/file"))
        .mount(&server)
        .await;
    Mock::given(path("/file"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(b"jpeg".to_vec(), "image/jpeg"))
        .mount(&server)
        .await;
    Mock::given(path("/away"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", "http://169.254.169.254/latest"))
        .mount(&server)
        .await;
    Mock::given(path("/loop"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", "/loop"))
        .mount(&server)
        .await;
    Mock::given(path("/locked")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let account = sending(&server.uri());
    let at = |path: &str| format!("{}{path}", server.uri());
    let fetched = account.fetch(&at("/moved"), 10).await.expect("the file");
    assert_eq!((&fetched.bytes[..], fetched.media_type.as_deref()), (&b"jpeg"[..], Some("image/jpeg")));
    for source in [
        at("/away"),
        at("/loop"),
        at("/missing"),
        "https://evil.example/file".to_owned(),
        "https://api.twilio.com.evil.example/file".to_owned(),
        "https://eviltwiliocdn.com/file".to_owned(),
        "http://api.twilio.com/file".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        let refused = account.fetch(&source, 10).await;
        assert!(matches!(refused, Err(DeliveryError::Permanent(_))), "{source}: {refused:?}");
    }
    let large = account.fetch(&at("/file"), 3).await;
    assert!(matches!(large, Err(DeliveryError::Permanent(_))), "{large:?}");
    let locked = account.fetch(&at("/locked"), 10).await;
    assert!(matches!(locked, Err(DeliveryError::Transient { .. })), "{locked:?}");
}

#[tokio::test]
async fn the_probe_reads_the_account() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(format!("/2010-04-01/Accounts/{SID}.json")))
        .and(basic_auth(SID, TOKEN))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let good = sending(&server.uri()).probe().await;
    assert!(good.iter().all(|finding| finding.ok), "{good:?}");
    assert!(account().probe().await.iter().any(|finding| !finding.ok));
}

proptest! {
    #[test]
    fn signed_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), url in "\\PC{0,60}") {
        let channel = account();
        let one = channel.receive(&signed(URL, &body));
        prop_assert_eq!(one, channel.receive(&signed(URL, &body)));
        let wild = request("POST", &url, &[("x-twilio-signature", "AAAA")], &body);
        let quarantined = matches!(channel.receive(&wild), Receipt::Quarantine { .. });
        prop_assert!(quarantined);
    }

    #[test]
    fn any_text_survives(said in "\\PC{12,80}") {
        prop_assume!(!said.trim().is_empty());
        let fields = [("MessageSid", "SM1"), ("From", "+8613800138000"), ("Body", said.as_str())];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        prop_assert_eq!(text(&account(), &signed(URL, body.as_bytes())), said);
    }
}
