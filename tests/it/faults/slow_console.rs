//! Consoles that do not read what they are sent.

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{Provider, telephone, text};
use crate::hub::{Hub, Plan, SMS_SECRET};
use crate::peers::{PATIENCE, eventually};

const MESSAGES: usize = 400;

/// A console that is let in and then never reads again. Its window is as small as the kernel allows.
async fn deaf_console(hub: &Hub) -> TcpStream {
    let address = hub.url("").strip_prefix("http://").expect("http").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(1).expect("a small window");
    let mut stream = socket.connect(address).await.expect("connected");
    let hello = format!(
        "GET /api/v1/feed?after=0 HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        hub.secret("/tokens/supervisor")
    );
    stream.write_all(hello.as_bytes()).await.expect("written");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 101");
    stream
}

/// Neither citizens nor other consoles wait for a console that is slow, or dead without a word.
#[tokio::test]
async fn a_deaf_console_holds_up_nobody() {
    let hub = Plan::new().set("channels.sms.demo.secret", SMS_SECRET).start().await;
    let mut deaf = Vec::new();
    for _ in 0..8 {
        deaf.push(deaf_console(&hub).await);
    }
    let provider = Provider::new(&hub);
    let sending = stream::iter(0..MESSAGES)
        .map(|number| {
            let provider = &provider;
            async move { provider.take(&format!("m-{number}"), &telephone(number), text(number)).await }
        })
        .buffer_unordered(16)
        .for_each(async |(outcome, _)| assert_eq!(outcome, "new"));
    tokio::time::timeout(PATIENCE, sending).await.expect("nobody waits for the deaf");

    let supervisor = hub.supervisor();
    let events = eventually("every ticket in the feed", async || {
        let events = supervisor.events().await;
        (events.iter().filter(|event| event["kind"] == "created").count() == MESSAGES).then_some(events)
    })
    .await;
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_i64().expect("a position")).collect();
    assert!(positions.windows(2).all(|two| two[1] == two[0] + 1), "none skipped, each once: {positions:?}");
    // They are still connected when the hub ends, and do not keep it from ending.
    hub.end().await;
    drop(deaf);
}
