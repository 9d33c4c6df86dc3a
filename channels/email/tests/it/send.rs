//! Sending, against a server that says what the test tells it to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use channel_contract::{Channel, Content, DeliveryError, DeliveryKind, Outbound, OutboundFile, Thread};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::harness::{channel, channel_with, item, now, piped};

/// What the server answers to a command that begins so; an empty answer closes the connection.
type Script = &'static [(&'static str, &'static str)];

/// Everything that clients said, mails included, and how often one connected.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    connections: usize,
}

async fn server(script: Script) -> (u16, Arc<Mutex<Heard>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let shared = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.lock().expect("heard").connections += 1;
            tokio::spawn(serve(stream, script, Arc::clone(&shared)));
        }
    });
    (port, heard)
}

async fn serve(mut stream: tokio::net::TcpStream, script: Script, heard: Arc<Mutex<Heard>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let answer = |command: &str, usual: &'static str| {
        script.iter().find(|(begin, _)| command.starts_with(begin)).map_or(usual, |(_, answer)| answer)
    };
    let mut said = answer("greeting", "220 test ESMTP");
    let mut in_data = false;
    loop {
        if said.is_empty() {
            return None;
        }
        if said != "-" {
            write.write_all(format!("{said}\r\n").as_bytes()).await.ok()?;
        }
        let line = lines.next_line().await.ok()??;
        heard.lock().expect("heard").lines.push(line.clone());
        said = if in_data {
            in_data = line != ".";
            if in_data { "-" } else { answer("dot", "250 2.0.0 queued") }
        } else if line.starts_with("EHLO") {
            answer("EHLO", "250-test\r\n250 AUTH PLAIN LOGIN XOAUTH2")
        } else if line.starts_with("AUTH") {
            answer("AUTH", "235 2.7.0 ok")
        } else if line.starts_with("DATA") {
            let said = answer("DATA", "354 go on");
            in_data = said.starts_with("354");
            said
        } else {
            answer(&line, "250 2.0.0 ok")
        };
    }
}

fn outbound() -> Outbound {
    Outbound {
        delivery_id: "delivery-1".to_owned(),
        attempt_id: "attempt-1".to_owned(),
        kind: DeliveryKind::Reply,
        to: "zhang.wei@mail.example".to_owned(),
        subject: Some("关于路灯的答复".to_owned()),
        text: "您好，路灯已经修好。\n<谢谢>".to_owned(),
        html: None,
        language: Some("zh-Hans".to_owned()),
        automatic: false,
        thread: Thread {
            message_id: Some("answer-1@city.example".to_owned()),
            in_reply_to: Some("plain-1@mail.example".to_owned()),
            references: vec!["plain-0@mail.example".to_owned()],
            reply_tag: Some("t20261122000017".to_owned()),
        },
        buttons: Vec::new(),
        attachments: Vec::new(),
        report_url: None,
        now: now(),
    }
}

async fn sent(
    script: Script,
    login: bool,
    outbound: &Outbound,
) -> (Result<Option<String>, DeliveryError>, Arc<Mutex<Heard>>) {
    let (port, heard) = server(script).await;
    let account = if login { "user:secret@" } else { "" };
    let channel = channel_with(|settings| settings.smtp_url = Some(format!("smtp://{account}127.0.0.1:{port}")));
    (channel.send(outbound).await.map(|acceptance| acceptance.provider_id), heard)
}

/// The mail as the server got it, read by our own parser.
fn received(heard: &Mutex<Heard>) -> (String, channel_contract::Message) {
    let lines = heard.lock().expect("heard").lines.clone();
    let body: Vec<_> =
        lines.iter().skip_while(|line| *line != "DATA").skip(1).take_while(|line| *line != ".").cloned().collect();
    let raw = body.join("\r\n");
    let Content::Message(message) = item(&channel(), &piped(raw.clone())).content else { panic!("a message") };
    (raw, *message)
}

#[tokio::test]
async fn a_reply_as_the_citizen_gets_it() {
    let mut outbound = outbound();
    outbound.attachments.push(OutboundFile {
        name: "照片.png".to_owned(),
        media_type: "image/png".to_owned(),
        bytes: Bytes::from_static(b"\x89PNG"),
    });
    let (result, heard) = sent(&[], false, &outbound).await;
    assert_eq!(result, Ok(Some("answer-1@city.example".to_owned())));
    let (raw, message) = received(&heard);
    assert!(raw.is_ascii(), "8-bit characters leave encoded");
    assert_eq!((message.from.as_str(), message.name.as_deref()), ("hotline@city.example", Some("市民热线")));
    assert_eq!(message.subject.as_deref(), Some("关于路灯的答复"));
    assert_eq!(message.text, outbound.text);
    assert!(message.html.expect("html").contains("&lt;谢谢&gt;"));
    assert_eq!(message.message_id.as_deref(), Some("answer-1@city.example"));
    assert_eq!(message.references, ["plain-1@mail.example", "plain-0@mail.example"]);
    assert_eq!(message.attachments.first().map(|file| file.name.as_str()), Some("照片.png"));
    assert!(raw.contains("hotline+t20261122000017@city.example"), "the reply address carries the tag");
    assert!(!raw.contains("Auto-Submitted"), "a person wrote it");
    let lines = heard.lock().expect("heard").lines.clone();
    assert!(lines.iter().any(|line| line == "MAIL FROM:<hotline@city.example>"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "RCPT TO:<zhang.wei@mail.example>"), "{lines:?}");
}

#[tokio::test]
async fn automatic_mail_says_so() {
    for (kind, word) in [
        (DeliveryKind::Acknowledgement, "auto-replied"),
        (DeliveryKind::Question, "auto-replied"),
        (DeliveryKind::Notice, "auto-generated"),
        (DeliveryKind::Code, "auto-generated"),
    ] {
        let (_, heard) = sent(&[], false, &Outbound { kind, automatic: true, ..outbound() }).await;
        let (_, message) = received(&heard);
        assert_eq!(message.no_acknowledgement.as_deref(), Some("own_address"));
        let lines = heard.lock().expect("heard").lines.join("\n");
        assert!(lines.contains(&format!("Auto-Submitted: {word}")), "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_in_a_field_can_begin_a_header() {
    let mut outbound = outbound();
    outbound.subject = Some("a\r\nBcc: victim@mail.example".to_owned());
    outbound.thread.in_reply_to = Some("x@y>\r\nX-Evil: 1".to_owned());
    outbound.thread.message_id = Some("m@city.example>\r\nX-Evil: 2".to_owned());
    let (result, heard) = sent(&[], false, &outbound).await;
    assert!(result.is_ok());
    let lines = heard.lock().expect("heard").lines.clone();
    assert!(!lines.iter().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil")), "{lines:?}");
    let (result, _) =
        sent(&[], false, &Outbound { to: "a@b.example>\r\nRCPT TO:<c@d.example".to_owned(), ..self::outbound() }).await;
    assert_eq!(result, Err(DeliveryError::Permanent("not an e-mail address".to_owned())));
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Permanent,
    Uncertain,
}

#[tokio::test]
async fn where_it_fails_decides() {
    let table: &[(Script, Kind, &str)] = &[
        (&[("greeting", "421 later")], Kind::Transient, "421"),
        (&[("greeting", "554 no")], Kind::Transient, "554"),
        (&[("EHLO", "550 no")], Kind::Transient, "550"),
        (&[("AUTH", "535 5.7.8 wrong user zhang")], Kind::Transient, "535 5.7.8"),
        (&[("MAIL", "550 5.7.1 not your sender")], Kind::Transient, "550 5.7.1"),
        (&[("RCPT", "450 4.2.1 busy zhang.wei")], Kind::Transient, "450 4.2.1"),
        (&[("RCPT", "550 5.1.1 no such user zhang.wei")], Kind::Permanent, "550 5.1.1"),
        (&[("RCPT", "530 5.7.0 log in first")], Kind::Transient, "530 5.7.0"),
        (&[("RCPT", "")], Kind::Transient, "RCPT"),
        (&[("DATA", "451 4.3.0 full")], Kind::Transient, "451 4.3.0"),
        (&[("DATA", "")], Kind::Transient, "DATA"),
        (&[("dot", "452 4.3.1 full")], Kind::Transient, "452 4.3.1"),
        (&[("dot", "554 5.6.0 refused")], Kind::Permanent, "554 5.6.0"),
        (&[("dot", "")], Kind::Uncertain, "broke"),
    ];
    for (script, expected, told) in table {
        let (result, _) = sent(script, true, &outbound()).await;
        let error = result.expect_err("the script fails");
        let (kind, text) = match &error {
            DeliveryError::Transient { reason, .. } => (Kind::Transient, reason),
            DeliveryError::Permanent(reason) => (Kind::Permanent, reason),
            DeliveryError::Uncertain(reason) => (Kind::Uncertain, reason),
        };
        assert_eq!((&kind, text.contains(told)), (expected, true), "{script:?}: {error:?}");
        assert!(!text.contains("zhang"), "the server's words name people: {text}");
    }
}

#[tokio::test]
async fn an_open_connection_is_used_again() {
    let (port, heard) = server(&[]).await;
    let channel = channel_with(|settings| settings.smtp_url = Some(format!("smtp://127.0.0.1:{port}")));
    for _ in 0..3 {
        channel.send(&outbound()).await.expect("sent");
    }
    assert_eq!(heard.lock().expect("heard").connections, 1);
}

#[tokio::test]
async fn unset_far_ends_are_said() {
    let channel = channel();
    let descriptor = channel.descriptor();
    assert!(!descriptor.polls);
    assert!(descriptor.cannot_send.expect("a reason").contains("smtp_url"));
    assert!(matches!(channel.send(&outbound()).await, Err(DeliveryError::Transient { .. })));
    let findings = channel.probe().await;
    assert!(
        findings.iter().any(|finding| finding.check == "smtp" && !finding.ok && finding.detail.contains("smtp_url")),
        "{findings:?}"
    );
}

#[tokio::test]
async fn an_access_token_is_fetched_once_and_used() {
    use wiremock::matchers::{body_string_contains, method};
    let tokens = wiremock::MockServer::start().await;
    let answer = wiremock::ResponseTemplate::new(200)
        .set_body_json(serde_json::json!({"access_token": "fresh", "expires_in": 3600}));
    wiremock::Mock::given(method("POST"))
        .and(body_string_contains("grant_type=refresh_token"))
        .respond_with(answer)
        .expect(1)
        .mount(&tokens)
        .await;
    let (port, heard) = server(&[("RSET", "")]).await;
    let channel = channel_with(|settings| {
        settings.smtp_url = Some(format!("smtp://127.0.0.1:{port}"));
        settings.smtp_username = Some("hotline@city.example".to_owned());
        settings.oauth = Some(channel_email::OAuth {
            token_url: tokens.uri(),
            client_id: "id".to_owned(),
            client_secret: String::new(),
            refresh_token: "refresh".to_owned(),
        });
    });
    for _ in 0..2 {
        channel.send(&outbound()).await.expect("sent");
    }
    let heard = heard.lock().expect("heard");
    assert_eq!(heard.connections, 2, "a connection that is gone is replaced");
    let logins: Vec<_> = heard.lines.iter().filter(|line| line.starts_with("AUTH XOAUTH2 ")).collect();
    assert_eq!(logins.len(), 2, "{:?}", heard.lines);
}
