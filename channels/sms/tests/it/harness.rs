//! What every test of this binary needs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

use channel_contract::{
    Channel as _, Content, DeliveryKind, Inbound, Outbound, QuarantineReason, RawRequest, Receipt, Thread,
};
use channel_sms::{Settings, SmsChannel};
use chrono::{DateTime, TimeZone as _, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

/// A client as the hub makes it: no redirects. Shared, since making one reads the system's certificates; without
/// idle connections, since each test has its own runtime.
pub(crate) fn client() -> reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        rustls::crypto::ring::default_provider().install_default().expect("the only provider");
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client")
    });
    CLIENT.clone()
}

pub(crate) fn channel(settings: serde_json::Value) -> SmsChannel {
    let settings: Settings = serde_json::from_value(settings).expect("settings");
    SmsChannel::new("account", settings, client()).expect("valid settings")
}

pub(crate) fn problems(settings: serde_json::Value) -> Vec<String> {
    let settings: Settings = serde_json::from_value(settings).expect("settings");
    SmsChannel::new("account", settings, client()).err().unwrap_or_default()
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 7, 0, 0).single().expect("a time")
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> RawRequest {
    RawRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        peer: None,
        body: body.to_vec().into(),
        received_at: now(),
    }
}

pub(crate) fn outbound(text: &str) -> Outbound {
    Outbound {
        delivery_id: "delivery-1".to_owned(),
        attempt_id: "attempt-1".to_owned(),
        kind: DeliveryKind::Reply,
        to: "+8613800138000".to_owned(),
        subject: None,
        text: text.to_owned(),
        html: None,
        language: None,
        automatic: false,
        thread: Thread::default(),
        buttons: Vec::new(),
        attachments: Vec::new(),
        report_url: Some("https://hub.example/channels/sms/account?attempt=attempt-1".to_owned()),
        now: now(),
    }
}

/// The only item of a request that must be verified.
pub(crate) fn item(channel: &SmsChannel, request: &RawRequest) -> Inbound {
    match channel.receive(request) {
        Receipt::Verified(mut items) if items.len() == 1 => items.remove(0),
        other => panic!("not one verified item: {other:?}"),
    }
}

/// The text of the only message of a request.
pub(crate) fn text(channel: &SmsChannel, request: &RawRequest) -> String {
    match item(channel, request).content {
        Content::Message(message) => message.text,
        other => panic!("no message: {other:?}"),
    }
}

/// The detail of a quarantine with this reason.
pub(crate) fn detail(channel: &SmsChannel, request: &RawRequest, expected: QuarantineReason) -> String {
    match channel.receive(request) {
        Receipt::Quarantine { reason, detail } if reason == expected => detail,
        other => panic!("not in quarantine as {expected:?}: {other:?}"),
    }
}

/// A far end that reads the head of one request and hangs up without an answer.
pub(crate) async fn hangs_up() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::<u8>::new();
            let mut chunk = [0; 1024];
            while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut chunk).await {
                    Ok(read) if read > 0 => seen.extend(chunk.iter().take(read)),
                    _ => break,
                }
            }
            // Part of a status line: the client must not take it for a connection that it may silently reuse.
            let _ = stream.write_all(b"HTTP/1.1 ").await;
        }
    });
    address
}

/// An address where nobody listens, as long as the socket is held: bound, so that no other test is given the port.
pub(crate) fn nobody() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    (socket.local_addr().expect("its address"), socket)
}
