//! How a frame becomes a message.

use channel_contract::{
    Channel, Content, DeliveryError, Message, QuarantineReason, RawRequest, Receipt,
    conformance::{Case, Expect, violations},
};
use channel_websocket::{Settings, WebsocketChannel, send_request};
use chrono::DateTime;

fn channel(settings: Settings) -> WebsocketChannel {
    WebsocketChannel::new("app", settings).expect("settings")
}

fn sent(session: &str, language: Option<&str>, frame: &str) -> RawRequest {
    let peer = Some(std::net::IpAddr::from([192, 0, 2, 1]));
    let url = "https://hub.example/channels/websocket/app";
    send_request(url, session, language, peer, frame.to_owned(), DateTime::UNIX_EPOCH)
}

fn message(receipt: Receipt) -> (String, Message) {
    match receipt {
        Receipt::Verified(mut items) if items.len() == 1 => match items.remove(0) {
            channel_contract::Inbound { key, content: Content::Message(message), .. } => (key, *message),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const FRAME: &str = r#"{"type":"send","id":"m:1","text":"路灯坏了"}"#;

#[test]
fn a_frame_is_a_message_of_its_session() {
    let (key, message) = message(channel(Settings::default()).receive(&sent("s1", None, FRAME)));
    assert_eq!(key, "s1:m:1");
    assert_eq!(message, Message { from: "s1".to_owned(), text: "路灯坏了".to_owned(), ..Message::default() });
}

#[test]
fn the_client_s_language_goes_before_the_channel_s() {
    let channel = channel(Settings { default_language: Some("zh-Hans".to_owned()), ..Settings::default() });
    for (given, hint) in [(None, "zh-Hans"), (Some("en"), "en")] {
        assert_eq!(message(channel.receive(&sent("s1", given, FRAME))).1.language_hint.as_deref(), Some(hint));
    }
}

#[test]
fn the_digest_is_the_text_s() {
    let channel = channel(Settings::default());
    let digest = |frame: &str| match channel.receive(&sent("s1", None, frame)) {
        Receipt::Verified(items) => items[0].digest,
        other => panic!("{other:?}"),
    };
    assert_eq!(digest(FRAME), digest(r#"{ "text": "\u8def灯坏了", "id": "m:1", "type": "send" }"#));
    assert_ne!(digest(FRAME), digest(r#"{"type":"send","id":"m:1","text":"路灯好了"}"#));
}

#[test]
fn what_the_hub_did_not_authenticate_is_kept_aside() {
    let good = sent("s1", None, FRAME);
    let cases = [
        ("no session", RawRequest { headers: vec![], ..good.clone() }),
        ("an empty session", sent("", None, FRAME)),
        ("a session that could be taken for another's", sent("s1:m", None, FRAME)),
        ("an HTTP request", RawRequest { method: "POST".to_owned(), ..good }),
    ];
    for (name, request) in cases {
        let receipt = channel(Settings::default()).receive(&request);
        assert!(
            matches!(receipt, Receipt::Quarantine { reason: QuarantineReason::Unverified, .. }),
            "{name}: {receipt:?}"
        );
    }
}

#[test]
fn conforms() {
    let case = |name: &str, expect, frame: &str| Case {
        name: name.to_owned(),
        request: sent("s1", Some("zh"), frame),
        expect,
    };
    let cases = [
        case("send", Expect::Message, include_str!("../../fixtures/send.json")),
        case(
            "send with an unknown field",
            Expect::Message,
            include_str!("../../fixtures/send_with_unknown_field.json"),
        ),
        case("received", Expect::Quarantine, include_str!("../../fixtures/received.json")),
        case("no frame", Expect::Quarantine, "{"),
    ];
    assert_eq!(violations(&channel(Settings::default()), &cases), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_sent_from_here() {
    let outbound = channel_contract::Outbound {
        delivery_id: "d1".to_owned(),
        attempt_id: "a1".to_owned(),
        kind: channel_contract::DeliveryKind::Reply,
        to: "s1".to_owned(),
        subject: None,
        text: "修好了".to_owned(),
        html: None,
        language: None,
        automatic: false,
        thread: channel_contract::Thread::default(),
        buttons: vec![],
        attachments: vec![],
        report_url: None,
        now: DateTime::UNIX_EPOCH,
    };
    let channel = channel(Settings::default());
    assert!(matches!(channel.send(&outbound).await, Err(DeliveryError::Permanent(_))));
    assert!(channel.probe().await.iter().all(|finding| finding.ok));
}
