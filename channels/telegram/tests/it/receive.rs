//! What becomes of each kind of update.

use std::path::{Path, PathBuf};

use channel_contract::{
    Channel, Content, ControlKind, Message, QuarantineReason, RawRequest, Receipt,
    conformance::{Case, Expect, violations},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use teloxide::types::{Update, UpdateKind};

use crate::{bot_with, offline, webhook};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn content(request: &RawRequest) -> Content {
    match offline().receive(request) {
        Receipt::Verified(mut items) => {
            assert_eq!(items.len(), 1, "one update is one item");
            items.remove(0).content
        }
        other => panic!("expected an item, got {other:?}"),
    }
}

fn message(name: &str) -> Message {
    match content(&webhook(fixture(name))) {
        Content::Message(message) => *message,
        other => panic!("{name}: expected a message, got {other:?}"),
    }
}

/// A message on one line: text, then what else there is.
fn told(message: &Message) -> String {
    let mut told = format!("{:?}", message.text);
    for attachment in &message.attachments {
        let channel_contract::AttachmentContent::Remote { source, size } = &attachment.content else {
            panic!("{attachment:?}")
        };
        told += &format!(
            " [{} {} {source} {}]",
            attachment.name,
            attachment.media_type,
            size.map_or("?".to_owned(), |size| size.to_string())
        );
    }
    if let Some(point) = message.location {
        told += &format!(" @{},{}", point.latitude, point.longitude);
    }
    if let Some(group) = &message.group {
        told += &format!(" group {group}");
    }
    for reference in &message.references {
        told += &format!(" answers {reference}");
    }
    if let Some(quoted) = &message.quoted {
        told += &format!(" quoting {quoted:?}");
    }
    told
}

#[test]
fn messages_keep_what_was_said() {
    let cases = [
        ("text", r#""人民路12号门口的路灯坏了三天，晚上很黑。""#),
        ("photo", r#""井盖破了" [photo.jpg image/jpeg file-large 210000]"#),
        ("album_first", r#""垃圾没人清" [photo.jpg image/jpeg file-album-1 200000] group 13900001"#),
        ("album_second", r#""" [photo.jpg image/jpeg file-album-2 200001] group 13900001"#),
        ("document", r#""退款合同" [合同.pdf application/pdf file-doc 34567]"#),
        ("voice", r#""" [voice.ogg audio/ogg file-voice 43210]"#),
        ("video", r#""" [video.mp4 video/mp4 file-video 1234567]"#),
        ("animation", r#""" [leak.mp4 video/mp4 file-gif ?]"#),
        ("location", r#""" @30.274085,120.15507"#),
        ("venue", r#""武林广场, 下城区体育场路" @30.2741,120.1551"#),
        ("contact", r#""敏 王 +8613800000000""#),
        ("sticker", r#""👍""#),
        ("poll", r#""装电梯吗？\n同意\n反对""#),
        ("forwarded", r#""转发：小区停水了""#),
        ("reply", r#""还没修好" answers 700123:99 quoting "已转城管局办理。""#),
        ("edited", r#""人民路21号门口的路灯坏了三天。" answers 700123:1"#),
        ("start_with_words", r#""/start 路灯坏了""#),
        ("unknown_shape", r#""楼上漏水""#),
    ];
    for (name, expected) in cases {
        let message = message(name);
        assert_eq!(told(&message), expected, "{name}");
        assert_eq!(
            (message.from.as_str(), message.name.as_deref(), message.language_hint.as_deref()),
            ("700123", Some("敏 王"), Some("zh-hans"))
        );
    }
}

#[test]
fn an_edit_is_dated_by_its_edit() {
    assert_eq!(message("text").sent_at.map(|at| at.timestamp()), Some(1_763_798_400));
    assert_eq!(message("text").message_id.as_deref(), Some("700123:1"));
    assert_eq!(message("edited").sent_at.map(|at| at.timestamp()), Some(1_763_798_460));
}

#[test]
fn controls_are_obeyed_and_the_rest_is_only_recorded() {
    let button = ControlKind::Button { data: "pick:20261122000017".to_owned() };
    let cases = [
        ("start", "700123", ControlKind::Start),
        ("stop", "700123", ControlKind::Stop),
        ("button", "700123", button),
        ("blocked", "700123", ControlKind::Blocked),
        ("unblocked", "700123", ControlKind::Resume),
        ("group", "-100123", ControlKind::Ignored),
        ("live_location_moves", "700123", ControlKind::Ignored),
        ("pinned", "700123", ControlKind::Ignored),
        ("unknown_kind", "", ControlKind::Ignored),
    ];
    for (name, from, kind) in cases {
        match content(&webhook(fixture(name))) {
            Content::Control(control) => assert_eq!((control.from.as_str(), control.kind), (from, kind), "{name}"),
            other => panic!("{name}: expected a control, got {other:?}"),
        }
    }
}

#[test]
fn commands() {
    let cases = [
        ("/start", Some(ControlKind::Start)),
        ("/start@city_bot", Some(ControlKind::Start)),
        ("/start from-poster_7", Some(ControlKind::Start)),
        ("/help", Some(ControlKind::Start)),
        ("/stop", Some(ControlKind::Stop)),
        ("/stop the noise", None),
        ("/stop 噪音", None),
        ("/start 路灯坏了", None),
        ("/started", None),
        ("please /start", None),
    ];
    for (text, kind) in cases {
        let update = json!({ "update_id": 1, "message": { "message_id": 1, "date": 0, "chat": { "id": 7, "type": "private" }, "text": text } });
        match (content(&webhook(update.to_string())), kind) {
            (Content::Control(control), Some(kind)) => assert_eq!(control.kind, kind, "{text}"),
            (Content::Message(message), None) => assert_eq!(message.text, text),
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn only_the_secret_or_our_own_poll_proves_the_origin() {
    let good = webhook(fixture("text"));
    let header = |value: &[u8]| RawRequest {
        headers: vec![("x-telegram-bot-api-secret-token".to_owned(), value.to_vec())],
        ..good.clone()
    };
    let cases = [
        ("right", good.clone(), true),
        ("none", RawRequest { headers: vec![], ..good.clone() }, false),
        ("wrong", header(b"s3cret_+"), false),
        ("empty", header(b""), false),
        ("longer", header(b"s3cret_-x"), false),
        ("not UTF-8", header(b"\xff\xfe"), false),
        ("polled", RawRequest { method: "getUpdates".to_owned(), headers: vec![], peer: None, ..good.clone() }, true),
        (
            "a stranger's getUpdates",
            RawRequest { method: "getUpdates".to_owned(), headers: vec![], ..good.clone() },
            false,
        ),
    ];
    let unset = bot_with(channel_telegram::Settings { token: Some("1:a".to_owned()), ..Default::default() });
    for (name, request, genuine) in cases {
        match offline().receive(&request) {
            Receipt::Verified(_) => assert!(genuine, "{name}"),
            Receipt::Quarantine { reason, detail } => {
                assert!(!genuine && reason == QuarantineReason::Unverified, "{name}: {detail}");
                assert!(!detail.contains("s3cret"), "{name}: {detail}");
            }
            Receipt::Unauthorized => panic!("{name}: nothing may be dropped"),
        }
        if request.peer.is_some() {
            assert!(
                matches!(unset.receive(&request), Receipt::Quarantine { .. }),
                "{name}: without a secret nobody is believed"
            );
        }
    }
}

#[test]
fn what_is_no_update_is_kept_aside() {
    for body in
        ["", "{", "[]", "null", "{}", r#"{"update_id":"7"}"#, r#"{"update_id":7,"message":{"text":"x"}}"#, "\u{feff}{}"]
    {
        let receipt = offline().receive(&webhook(body));
        assert!(
            matches!(receipt, Receipt::Quarantine { reason: QuarantineReason::Unparsable, .. }),
            "{body}: {receipt:?}"
        );
    }
}

#[test]
fn the_key_is_the_update_and_the_digest_its_content() {
    let inbound = |body: &str| match offline().receive(&webhook(body.to_owned())) {
        Receipt::Verified(mut items) => items.remove(0),
        other => panic!("{other:?}"),
    };
    let one = inbound(r#"{"update_id":7,"poll":{"a":1,"b":[1,2]}}"#);
    assert_eq!(one.key, "7");
    assert_eq!(
        one.digest,
        inbound(r#"{ "poll": {"b":[1,2],"a":1}, "update_id":7 }"#).digest,
        "order and white space do not count"
    );
    for other in [r#"{"update_id":7,"poll":{"a":1,"b":[2,1]}}"#, r#"{"update_id":7,"poll":{"a":"1","b":[1,2]}}"#] {
        assert_ne!(one.digest, inbound(other).digest, "{other}");
    }
}

#[test]
fn conforms() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(directory).expect("fixtures") {
        let name = entry.expect("entry").path().file_stem().and_then(|stem| stem.to_str()).expect("name").to_owned();
        let controls = [
            "start",
            "stop",
            "button",
            "blocked",
            "unblocked",
            "group",
            "live_location_moves",
            "pinned",
            "unknown_kind",
        ];
        let expect = if controls.contains(&name.as_str()) { Expect::Control } else { Expect::Message };
        cases.push(Case { request: webhook(fixture(&name)), name, expect });
    }
    assert!(cases.len() > 20, "the fixtures are there");
    let stranger = RawRequest { headers: vec![], ..webhook(fixture("text")) };
    cases.push(Case { name: "stranger".to_owned(), request: stranger, expect: Expect::Quarantine });
    cases.push(Case { name: "no update".to_owned(), request: webhook("{}"), expect: Expect::Quarantine });
    assert_eq!(violations(offline(), &cases), Vec::<String>::new());
}

/// The corpus, or `None` where it is not at hand.
fn corpus() -> Option<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/payloads/telegram");
    let entries = std::fs::read_dir(directory).ok()?;
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    Some(files)
}

#[test]
fn the_corpus_loses_nothing_and_agrees_with_teloxide() {
    let Some(files) = corpus() else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut compared = 0;
    for (number, path) in files.iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("name");
        let Ok(value) = serde_json::from_slice::<Value>(&std::fs::read(path).expect("file")) else {
            panic!("{name}: not JSON")
        };
        let update = match name.split('.').next() {
            Some("update") => value,
            _ if value.get("chat").is_some() && value.get("message_id").is_some() => {
                json!({ "update_id": number, "message": value })
            }
            // Parts of updates: whatever they are, they must not cause a panic.
            _ => {
                let receipt = offline().receive(&webhook(value.to_string()));
                assert!(matches!(receipt, Receipt::Quarantine { reason: QuarantineReason::Unparsable, .. }), "{name}");
                continue;
            }
        };
        let ours = content(&webhook(update.to_string()));
        let Ok(theirs) = serde_json::from_str::<Update>(&update.to_string()) else { continue };
        let theirs = match theirs.kind {
            UpdateKind::Message(theirs) => theirs,
            UpdateKind::Error(_) => {
                eprintln!("teloxide cannot read {name}");
                continue;
            }
            _ => {
                assert!(matches!(ours, Content::Control(_)), "{name}");
                continue;
            }
        };
        compared += 1;
        match ours {
            Content::Message(ours) => {
                assert!(theirs.chat.is_private(), "{name}");
                assert_eq!(ours.from, theirs.chat.id.to_string(), "{name}");
                if let Some(text) = theirs.text().or(theirs.caption()) {
                    assert_eq!(ours.text, text, "{name}");
                }
                assert_eq!(ours.group, theirs.media_group_id().map(|group| group.0.clone()), "{name}");
                let media = theirs.photo().is_some()
                    || theirs.video().is_some()
                    || theirs.document().is_some()
                    || theirs.voice().is_some();
                assert_eq!(!ours.attachments.is_empty(), media, "{name}");
            }
            Content::Control(ours) => {
                assert_eq!(ours.kind, ControlKind::Ignored, "{name}");
                let said = theirs.text().or(theirs.caption());
                assert!(!theirs.chat.is_private() || said.is_none(), "{name}: a citizen's words were dropped");
            }
            Content::Report(report) => panic!("{name}: {report:?}"),
        }
    }
    assert!(compared > 20, "only {compared} of {} were compared", files.len());
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let receipt = offline().receive(&webhook(body));
        prop_assert!(!matches!(receipt, Receipt::Unauthorized));
    }

    #[test]
    fn text_survives(text in "\\PC*[^\\s/\\pC]\\PC*") {
        let update = json!({ "update_id": 1, "message": { "message_id": 1, "date": 0, "chat": { "id": 7, "type": "private" }, "text": format!(".{text}") } });
        match content(&webhook(update.to_string())) {
            Content::Message(message) => prop_assert_eq!(message.text, format!(".{}", text)),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
