//! What the bot says to the Bot API, and what it makes of the answers.

use std::time::Duration;

use bytes::Bytes;
use channel_contract::{
    Acceptance, Button, Channel, Content, DeliveryError, DeliveryKind, Outbound, OutboundFile, PollError,
    QuarantineReason, Receipt, Thread,
};
use channel_telegram::{Mode, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use crate::{SECRET, TOKEN, bot, bot_with, now, offline};

fn at(name: &str) -> String {
    format!("/bot{TOKEN}/{name}")
}

/// A server that gives one answer to one method.
async fn answering(name: &str, status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(at(name)))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

fn refusal(code: u16, description: &str, parameters: Value) -> Value {
    json!({ "ok": false, "error_code": code, "description": description, "parameters": parameters })
}

fn outbound(text: &str) -> Outbound {
    Outbound {
        delivery_id: "d1".to_owned(),
        attempt_id: "a1".to_owned(),
        kind: DeliveryKind::Reply,
        to: "700123".to_owned(),
        subject: None,
        text: text.to_owned(),
        html: None,
        language: None,
        automatic: false,
        thread: Thread::default(),
        buttons: vec![],
        attachments: vec![],
        report_url: None,
        now: now(),
    }
}

fn file(name: &str) -> OutboundFile {
    OutboundFile { name: name.to_owned(), media_type: "image/png".to_owned(), bytes: Bytes::from_static(b"\x89PNG") }
}

async fn bodies(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.expect("recording");
    requests.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

#[tokio::test]
async fn a_text_leaves_plain_with_its_buttons_and_without_a_preview() {
    let server =
        answering("SendMessage", 200, json!({ "ok": true, "result": { "message_id": 42, "unknown": [1] } })).await;
    let buttons = vec![
        Button { label: "1. 路灯".to_owned(), data: "pick:1".to_owned() },
        Button { label: "2".to_owned(), data: "pick:2".to_owned() },
    ];
    let accepted = bot(&server.uri()).send(&Outbound { buttons, ..outbound("修好了 <b>*_") }).await;
    assert_eq!(accepted, Ok(Acceptance { provider_id: Some("700123:42".to_owned()) }));
    let sent: Value = serde_json::from_str(&bodies(&server).await.concat()).expect("JSON");
    assert_eq!(
        sent,
        json!({
            "chat_id": 700_123,
            "text": "修好了 <b>*_",
            "link_preview_options": { "is_disabled": true },
            "reply_markup": { "inline_keyboard": [[{ "text": "1. 路灯", "callback_data": "pick:1" }], [{ "text": "2", "callback_data": "pick:2" }]] }
        })
    );
}

#[tokio::test]
async fn an_answer_points_at_the_message_that_it_answers() {
    for (name, in_reply_to, points) in
        [("this chat's", "700123:31", true), ("another chat's", "7:31", false), ("a mail's", "a:b@example.org", false)]
    {
        let server = answering("SendMessage", 200, json!({ "ok": true, "result": { "message_id": 42 } })).await;
        let thread = Thread { in_reply_to: Some(in_reply_to.to_owned()), ..Thread::default() };
        bot(&server.uri()).send(&Outbound { thread, ..outbound("x") }).await.expect("sent");
        let sent: Value = serde_json::from_str(&bodies(&server).await.concat()).expect("JSON");
        let expected = points.then(|| json!({ "message_id": 31, "allow_sending_without_reply": true }));
        assert_eq!(sent.get("reply_parameters"), expected.as_ref(), "{name}");
    }
}

#[tokio::test]
async fn a_file_takes_the_text_as_its_caption() {
    let server = answering("sendDocument", 200, json!({ "ok": true, "result": { "message_id": 43 } })).await;
    let thread = Thread { in_reply_to: Some("700123:31".to_owned()), ..Thread::default() };
    let accepted = bot(&server.uri())
        .send(&Outbound { thread, attachments: vec![file("修好的\"路灯\".png")], ..outbound("修好了") })
        .await;
    assert_eq!(accepted, Ok(Acceptance { provider_id: Some("700123:43".to_owned()) }));
    let sent = bodies(&server).await.concat();
    for piece in [
        "name=\"chat_id\"\r\n\r\n700123\r\n",
        "name=\"caption\"\r\n\r\n修好了\r\n",
        "filename=\"修好的",
        "Content-Type: image/png\r\n",
    ] {
        assert!(sent.contains(piece), "{piece} in {sent}");
    }
    let reply = sent.lines().find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object));
    assert_eq!(reply, Some(json!({ "message_id": 31, "allow_sending_without_reply": true })));
}

#[tokio::test]
async fn several_files_are_one_album_with_the_caption_beneath() {
    let server =
        answering("sendMediaGroup", 200, json!({ "ok": true, "result": [{ "message_id": 44 }, { "message_id": 45 }] }))
            .await;
    let accepted = bot(&server.uri())
        .send(&Outbound { attachments: vec![file("a.png"), file("b.png")], ..outbound("修好了") })
        .await;
    assert_eq!(accepted, Ok(Acceptance { provider_id: Some("700123:44".to_owned()) }));
    let sent = bodies(&server).await.concat();
    let media: Vec<_> =
        sent.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(Value::is_array).collect();
    assert_eq!(
        media,
        [json!([
            { "type": "document", "media": "attach://file0" },
            { "type": "document", "media": "attach://file1", "caption": "修好了" }
        ])]
    );
    assert!(
        sent.contains("name=\"file0\"; filename=\"a.png\"") && sent.contains("name=\"file1\"; filename=\"b.png\""),
        "{sent}"
    );
}

#[tokio::test]
async fn refusals_say_whether_to_try_again() {
    let transient = |reason: &str, seconds: Option<u64>| DeliveryError::Transient {
        reason: reason.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    let permanent = |reason: &str| DeliveryError::Permanent(reason.to_owned());
    let cases = [
        (
            429,
            "Too Many Requests: retry after 35",
            json!({ "retry_after": 35 }),
            transient("Too Many Requests: retry after 35", Some(35)),
        ),
        (
            403,
            "Forbidden: bot was blocked by the user",
            Value::Null,
            permanent("Forbidden: bot was blocked by the user"),
        ),
        (403, "Forbidden: user is deactivated", Value::Null, permanent("Forbidden: user is deactivated")),
        (400, "Bad Request: chat not found", Value::Null, permanent("Bad Request: chat not found")),
        (
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            json!({ "migrate_to_chat_id": -1001 }),
            permanent("Bad Request: group chat was upgraded to a supergroup chat"),
        ),
        (413, "Request Entity Too Large", Value::Null, permanent("Request Entity Too Large")),
        (500, "Internal Server Error", Value::Null, transient("Internal Server Error", None)),
        (502, "Bad Gateway", Value::Null, transient("Bad Gateway", None)),
        (401, "Unauthorized", Value::Null, transient("the Bot API refuses the token: set it anew", None)),
        (404, "Not Found", Value::Null, transient("the Bot API refuses the token: set it anew", None)),
    ];
    for (code, description, parameters, expected) in cases {
        let server = answering("SendMessage", code, refusal(code, description, parameters)).await;
        assert_eq!(bot(&server.uri()).send(&outbound("x")).await, Err(expected), "{code} {description}");
    }
}

#[tokio::test]
async fn a_gateway_page_is_a_transient_refusal_and_an_unreadable_success_uncertain() {
    for (status, body, uncertain) in
        [(503, "<html>", false), (302, "", false), (200, "<html>", true), (200, r#"{"ok":true}"#, true)]
    {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .mount(&server)
            .await;
        let error = bot(&server.uri()).send(&outbound("x")).await.expect_err("not sent");
        assert_eq!(matches!(error, DeliveryError::Uncertain(_)), uncertain, "{status} {body}: {error:?}");
        assert_eq!(matches!(error, DeliveryError::Transient { .. }), !uncertain, "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn without_a_connection_it_was_surely_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let error = bot(&format!("http://{address}")).send(&outbound("x")).await.expect_err("not sent");
    assert_eq!(error, DeliveryError::transient("cannot connect to the Bot API"));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_message_left_is_uncertain() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("connection");
        let mut seen = Vec::new();
        // The text is the end of what the client writes.
        while !seen.ends_with(b"}") {
            let mut chunk = [0; 1024];
            let count = stream.read(&mut chunk).await.expect("request");
            assert!(count > 0, "the client left early");
            seen.extend(chunk.iter().take(count));
        }
        stream.shutdown().await.expect("closing");
    });
    let error = bot(&format!("http://{address}")).send(&outbound("x")).await.expect_err("not sent");
    server.await.expect("server");
    assert_eq!(error, DeliveryError::Uncertain("the connection broke".to_owned()));
}

#[tokio::test]
async fn when_only_the_text_went_out_the_rest_is_uncertain() {
    let server = answering("SendMessage", 200, json!({ "ok": true, "result": { "message_id": 1 } })).await;
    Mock::given(path(at("sendDocument")))
        .respond_with(ResponseTemplate::new(429).set_body_json(refusal(
            429,
            "Too Many Requests",
            json!({ "retry_after": 3 }),
        )))
        .mount(&server)
        .await;
    let error = bot(&server.uri())
        .send(&Outbound { attachments: vec![file("a.png")], ..outbound(&"长".repeat(2000)) })
        .await
        .expect_err("half");
    assert_eq!(error, DeliveryError::Uncertain("only a part was sent: Too Many Requests".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_tried() {
    let server = MockServer::start().await;
    for (to, text) in [("@channel", "x"), ("", "x"), ("7", ""), ("7", " \n")] {
        let error = bot(&server.uri()).send(&Outbound { to: to.to_owned(), ..outbound(text) }).await;
        assert!(matches!(error, Err(DeliveryError::Permanent(_))), "{to} {text}: {error:?}");
    }
    assert_eq!(bodies(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn without_token_or_address_it_waits_and_says_why() {
    let no_token = bot_with(Settings::default());
    let no_address = bot("");
    for (bot, reason) in [(no_token, "no bot token is set"), (no_address, "no api_url is set")] {
        let descriptor = bot.descriptor();
        assert_eq!(
            (descriptor.cannot_send.as_deref(), descriptor.polls, descriptor.reports),
            (Some(reason), false, false)
        );
        assert_eq!(bot.send(&outbound("x")).await, Err(DeliveryError::transient(reason)));
        assert_eq!(bot.poll(None, Duration::ZERO, now()).await, Err(PollError::Permanent(reason.to_owned())));
        assert!(matches!(bot.probe().await.as_slice(), [finding] if !finding.ok && finding.detail == reason));
    }
}

#[tokio::test]
async fn a_poll_brings_every_update_and_the_next_cursor() {
    let updates = json!([
        { "update_id": 5_000_000_000_i64, "message": { "message_id": 1, "date": 0, "chat": { "id": 7, "type": "private" }, "text": "路灯" } },
        { "update_id": 5_000_000_002_i64, "message": "no message at all" },
        { "update_id": 5_000_000_001_i64, "kind_of_2030": {} }
    ]);
    let server = answering("getUpdates", 200, json!({ "ok": true, "result": updates })).await;
    let polled = bot(&server.uri()).poll(Some("17"), Duration::from_secs(3), now()).await.expect("updates");
    assert_eq!(polled.cursor, "5000000003");
    let asked: Value = serde_json::from_str(&bodies(&server).await.concat()).expect("JSON");
    assert_eq!(
        asked,
        json!({ "offset": 17, "limit": 100, "timeout": 3, "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member"] })
    );
    let kinds: Vec<_> = polled
        .messages
        .iter()
        .map(|(raw, receipt)| {
            assert_eq!((raw.method.as_str(), raw.peer, raw.received_at), ("getUpdates", None, now()));
            assert!(!raw.url.contains(TOKEN) && raw.url.ends_with("/getUpdates"), "{}", raw.url);
            match receipt {
                Receipt::Verified(items) => match &items[0].content {
                    Content::Message(message) => message.text.clone(),
                    Content::Control(_) => "control".to_owned(),
                    Content::Report(_) => "report".to_owned(),
                },
                Receipt::Quarantine { reason: QuarantineReason::Unparsable, .. } => "quarantine".to_owned(),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(kinds, ["路灯", "quarantine", "control"], "one that cannot be read does not block the others");
    // What the ledger keeps is judged the same when it is replayed.
    let (raw, receipt) = &polled.messages[0];
    assert_eq!(&offline().receive(raw), receipt);
}

#[tokio::test]
async fn an_empty_answer_starts_over_with_what_is_unconfirmed() {
    let server = answering("getUpdates", 200, json!({ "ok": true, "result": [] })).await;
    let bot = bot(&server.uri());
    let polled = bot.poll(Some("17"), Duration::ZERO, now()).await.expect("nothing");
    assert_eq!((polled.messages.len(), polled.cursor.as_str()), (0, ""));
    bot.poll(Some(&polled.cursor), Duration::from_secs(3600), now()).await.expect("nothing");
    let asked: Vec<Value> =
        bodies(&server).await.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
    let seen: Vec<_> = asked.iter().map(|asked| (asked.get("offset").cloned(), asked["timeout"].as_u64())).collect();
    assert_eq!(seen, [(Some(json!(17)), Some(0)), (None, Some(50))]);
}

#[tokio::test]
async fn poll_failures_advise() {
    let webhook = "a webhook is registered for this bot: call deleteWebhook, or set mode to \"webhook\"";
    let other = "another process polls this bot: only one installation may hold the token";
    let transient = |reason: &str, seconds: Option<u64>| PollError::Transient {
        reason: reason.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    let cases = [
        (
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            Value::Null,
            PollError::Permanent(webhook.to_owned()),
        ),
        (
            409,
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            Value::Null,
            transient(other, None),
        ),
        (
            401,
            "Unauthorized",
            Value::Null,
            PollError::Permanent("the Bot API refuses the token: set it anew".to_owned()),
        ),
        (429, "Too Many Requests: retry after 4", json!({ "retry_after": 4 }), transient("too many requests", Some(4))),
        (500, "Internal Server Error", Value::Null, transient("Internal Server Error", None)),
    ];
    for (code, description, parameters, expected) in cases {
        let server = answering("getUpdates", code, refusal(code, description, parameters)).await;
        assert_eq!(bot(&server.uri()).poll(None, Duration::ZERO, now()).await, Err(expected), "{description}");
    }
    let server = answering("getUpdates", 200, json!({ "ok": true, "result": [{ "message": {} }] })).await;
    assert!(matches!(bot(&server.uri()).poll(None, Duration::ZERO, now()).await, Err(PollError::Permanent(_))));
    assert!(matches!(bot(&server.uri()).poll(Some("x"), Duration::ZERO, now()).await, Err(PollError::Permanent(_))));
}

async fn holding(file: Value, path_of: &str, bytes: &'static [u8]) -> MockServer {
    let server = answering("GetFile", 200, json!({ "ok": true, "result": file })).await;
    Mock::given(method("GET"))
        .and(path(format!("/file/bot{TOKEN}/{path_of}")))
        .respond_with(ResponseTemplate::new(200).set_body_raw(bytes, "image/jpeg"))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_file_is_fetched_within_the_limit() {
    let server =
        holding(json!({ "file_id": "f", "file_path": "photos/file_1.jpg" }), "photos/file_1.jpg", b"12345").await;
    let bot = bot(&server.uri());
    let fetched = bot.fetch("f", 5).await.expect("file");
    assert_eq!(
        (fetched.bytes.as_ref(), fetched.media_type.as_deref(), fetched.name.as_deref()),
        (b"12345".as_slice(), Some("image/jpeg"), Some("file_1.jpg"))
    );
    assert_eq!(bot.fetch("f", 4).await, Err(DeliveryError::Permanent("the file is larger than 4 bytes".to_owned())));
}

#[tokio::test]
async fn a_file_that_is_said_to_be_too_large_or_lies_elsewhere_is_not_downloaded() {
    for file in [
        json!({ "file_path": "a", "file_size": 6 }),
        json!({ "file_path": "../../bot1/getMe" }),
        json!({ "file_path": "/var/lib/bot/a" }),
        json!({ "file_path": "a?b" }),
        json!({}),
    ] {
        let server = holding(file.clone(), "a", b"12345").await;
        let error = bot(&server.uri()).fetch("f", 5).await;
        assert!(matches!(error, Err(DeliveryError::Permanent(_))), "{file}: {error:?}");
        assert_eq!(server.received_requests().await.expect("recording").len(), 1, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_now_is_asked_for_again() {
    for (code, description, again) in [
        (400, "Bad Request: wrong file_id or the file is temporarily unavailable", true),
        (500, "Internal Server Error", true),
        (400, "Bad Request: file is too big", false),
    ] {
        let server = answering("GetFile", code, refusal(code, description, Value::Null)).await;
        let error = bot(&server.uri()).fetch("f", 5).await.expect_err("no file");
        assert_eq!(matches!(error, DeliveryError::Transient { .. }), again, "{description}: {error:?}");
    }
}

#[tokio::test]
async fn a_download_may_not_be_redirected_to_another_host() {
    let elsewhere = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string("secret"))
        .mount(&elsewhere)
        .await;
    let server = answering("GetFile", 200, json!({ "ok": true, "result": { "file_path": "a" } })).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", format!("{}/internal", elsewhere.uri())))
        .mount(&server)
        .await;
    let error = bot(&server.uri()).fetch("f", 100).await;
    assert!(matches!(error, Err(DeliveryError::Permanent(_))), "{error:?}");
}

#[tokio::test]
async fn a_webhook_is_registered_with_its_secret() {
    let server = MockServer::start().await;
    Mock::given(path(at("setWebhook")))
        .and(body_partial_json(json!({ "url": "https://hub.example/channels/telegram/bot", "secret_token": SECRET })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "ok": true, "result": true })))
        .expect(1)
        .mount(&server)
        .await;
    bot(&server.uri()).register_webhook("https://hub.example/channels/telegram/bot").await.expect("registered");
    let secretless = bot_with(Settings { token: Some(TOKEN.to_owned()), api_url: server.uri(), ..Settings::default() });
    assert!(matches!(secretless.register_webhook("https://hub.example/").await, Err(PollError::Permanent(_))));
}

#[tokio::test]
async fn the_probe_sees_where_updates_go() {
    let hook = "https://hub.example/channels/x";
    let cases = [
        (Mode::Polling, json!({ "url": "" }), true, "polled, 0 waiting"),
        (
            Mode::Polling,
            json!({ "url": hook }),
            false,
            "a webhook at hub.example is registered, so polling is refused (409): call deleteWebhook, or set mode to \"webhook\"",
        ),
        (
            Mode::Webhook,
            json!({ "url": "" }),
            false,
            "no webhook is registered: start the hub with a public_url that Telegram can reach",
        ),
        (
            Mode::Webhook,
            json!({ "url": hook, "pending_update_count": 0, "last_error_message": "old" }),
            true,
            "webhook at hub.example, 0 waiting",
        ),
        (
            Mode::Webhook,
            json!({ "url": hook, "pending_update_count": 9, "last_error_message": "503" }),
            false,
            "webhook at hub.example, 9 waiting, last error: 503",
        ),
    ];
    for (mode, info, ok, detail) in cases {
        let server =
            answering("GetMe", 200, json!({ "ok": true, "result": { "id": 1, "username": "city_bot" } })).await;
        Mock::given(path(at("GetWebhookInfo")))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "ok": true, "result": info })))
            .mount(&server)
            .await;
        let settings = Settings {
            token: Some(TOKEN.to_owned()),
            webhook_secret: Some(SECRET.to_owned()),
            api_url: server.uri(),
            mode,
            ..Settings::default()
        };
        let found = bot_with(settings).probe().await;
        assert_eq!(
            found.iter().map(|finding| (finding.ok, finding.detail.as_str())).collect::<Vec<_>>(),
            [(true, "@city_bot"), (ok, detail)]
        );
    }
    let server = answering("GetMe", 401, refusal(401, "Unauthorized", Value::Null)).await;
    let found = bot(&server.uri()).probe().await;
    assert!(matches!(found.as_slice(), [finding] if !finding.ok && !finding.detail.contains(TOKEN)), "{found:?}");
}
