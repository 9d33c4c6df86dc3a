//! A city app on a foreign websocket implementation (`tests/counterparts/ws_peer.py`).

use std::collections::VecDeque;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running app, connected or not.
pub(crate) struct WsPeer {
    orders: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    unread: VecDeque<Value>,
    _script: Child,
}

impl WsPeer {
    /// Starts the app without a connection.
    pub(crate) fn start() -> Self {
        let mut script = Command::new(super::process::python())
            .arg(super::repository("tests/counterparts/ws_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("tests/setup.sh prepares Python");
        let orders = script.stdin.take().expect("a pipe");
        let events = BufReader::new(script.stdout.take().expect("a pipe")).lines();
        Self { orders, events, unread: VecDeque::new(), _script: script }
    }

    /// Opens a connection. `Err` is the HTTP status of a refusal, `null` if nobody answered.
    pub(crate) async fn open(&mut self, url: &str, origin: Option<&str>) -> Result<(), Value> {
        self.order(&json!({ "do": "open", "url": url, "origin": origin })).await;
        let answer = self.event(|event| event["event"] != "frame").await;
        if answer["event"] == "open" { Ok(()) } else { Err(answer["status"].clone()) }
    }

    /// Opens a connection, says hello and returns the frame `welcome`.
    pub(crate) async fn hello(&mut self, url: &str, session: Option<&str>, after: Option<&Value>) -> Value {
        self.open(url, None).await.expect("the hub takes the connection");
        self.frame(&json!({ "type": "hello", "session": session, "after": after })).await;
        self.wait(|frame| frame["type"] == "welcome").await
    }

    /// Sends a message and returns its `ack`.
    pub(crate) async fn send(&mut self, id: &str, text: &str) -> Value {
        self.frame(&json!({ "type": "send", "id": id, "text": text })).await;
        self.wait(|frame| frame["type"] == "ack" && frame["id"] == id).await
    }

    /// Sends any frame.
    pub(crate) async fn frame(&mut self, frame: &Value) {
        self.order(&json!({ "do": "frame", "frame": frame })).await;
    }

    /// Sends a text frame as it is.
    pub(crate) async fn raw(&mut self, text: &str) {
        self.order(&json!({ "do": "raw", "text": text })).await;
    }

    /// The next frame as wanted; others stay for later calls, in order.
    pub(crate) async fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let event = self.event(|event| event["event"] == "frame" && wanted(&event["frame"])).await;
        event["frame"].clone()
    }

    /// Waits until the connection is closed and returns the code, `null` if it just broke.
    pub(crate) async fn closed(&mut self) -> Value {
        self.event(|event| event["event"] == "closed").await["code"].clone()
    }

    /// Breaks the connection without a goodbye, as a phone in a lift does.
    pub(crate) async fn drop_connection(&mut self) {
        self.order(&json!({ "do": "drop" })).await;
        self.closed().await;
    }

    /// Closes the connection properly.
    pub(crate) async fn close(&mut self) {
        self.order(&json!({ "do": "close" })).await;
        self.closed().await;
    }

    async fn order(&mut self, order: &Value) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.expect("the app runs");
    }

    async fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(event) = self.unread.iter().position(&wanted).and_then(|index| self.unread.remove(index)) {
            return event;
        }
        let reading = async {
            loop {
                let line = self.events.next_line().await.expect("readable").expect("the app runs");
                let event: Value = serde_json::from_str(&line).expect("JSON");
                if wanted(&event) {
                    return event;
                }
                self.unread.push_back(event);
            }
        };
        match tokio::time::timeout(super::PATIENCE, reading).await {
            Ok(event) => event,
            Err(_) => panic!("the awaited frame did not come; unread: {:?}", self.unread),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
    use axum::routing::get;

    use super::*;

    /// Answers hello and send as the protocol says, with a reply before each acknowledgement.
    async fn answer(mut socket: WebSocket) {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            let answers = match frame["type"].as_str() {
                Some("hello") => vec![json!({ "type": "welcome", "session": "s1", "position": frame["after"] })],
                Some("send") => vec![
                    json!({ "type": "message", "position": 1, "ticket": "1", "kind": "reply", "text": frame["text"] }),
                    json!({ "type": "ack", "id": frame["id"], "outcome": "new", "ticket": "1" }),
                ],
                _ => vec![json!({ "type": "error", "code": "unreadable", "message": "?" })],
            };
            for answer in answers {
                socket.send(Message::text(answer.to_string())).await.expect("the app listens");
            }
        }
    }

    #[tokio::test]
    async fn speaks_drops_and_comes_back() {
        let hub = Router::new().route("/app", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(answer)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let url = format!("ws://{address}/app");
        let mut app = WsPeer::start();
        let welcome = app.hello(&url, None, None).await;
        assert_eq!(welcome["session"], "s1");
        assert_eq!(app.send("m1", "路灯坏了").await["outcome"], "new");
        assert_eq!(app.wait(|frame| frame["type"] == "message").await["text"], "路灯坏了");
        app.raw("not JSON").await;
        app.wait(|frame| frame["type"] == "error").await;
        app.drop_connection().await;
        let welcome = app.hello(&url, Some("s1"), Some(&json!(1))).await;
        assert_eq!(welcome["position"], 1);
        app.close().await;
        assert_eq!(app.open(&format!("ws://{address}/other"), None).await, Err(json!(404)));
        hub.abort();
    }
}
