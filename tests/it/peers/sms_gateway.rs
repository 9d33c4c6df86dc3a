//! A provider of short messages that speaks the hub's generic protocol, signed by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! It checks each signature with code of its own, not the hub's, records what it took, and can be told to misbehave.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinHandle;

/// A running provider.
pub(crate) struct SmsGateway {
    state: Arc<Mutex<Book>>,
    secret: String,
    port: u16,
    server: Option<JoinHandle<()>>,
}

/// How the provider answers a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 202 with an id; the same `webhook-id` gets the same id and is not sent twice.
    Accept,
    /// This status, and nothing is sent.
    Refuse(u16),
    /// The message is sent, but the connection breaks before the answer.
    Drop,
    /// No answer, until the caller gives up; nothing is sent.
    Hang,
}

/// A message that the provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The hub's delivery id, from the body and equal to `webhook-id`.
    pub(crate) delivery_id: String,
    /// The provider's id, by which its reports name the message.
    pub(crate) provider_id: String,
    /// The telephone.
    pub(crate) to: String,
    /// The text.
    pub(crate) text: String,
}

#[derive(Default)]
struct Book {
    secret: String,
    taken: Vec<Taken>,
    calls: usize,
    refused_signatures: usize,
    answers: VecDeque<Answer>,
    standing: Option<Answer>,
    hanging: Option<String>,
    hangs: usize,
    given_up: usize,
}

impl SmsGateway {
    /// Starts the provider; `secret` is shared with the hub (`whsec_` and base64).
    pub(crate) async fn start(secret: &str) -> Self {
        let book = Book { secret: secret.to_owned(), ..Book::default() };
        let mut gateway = Self {
            state: Arc::new(Mutex::new(book)),
            secret: secret.to_owned(),
            port: super::free_port(),
            server: None,
        };
        gateway.start_again().await;
        gateway
    }

    /// Where the hub posts to.
    pub(crate) fn outbound_url(&self) -> String {
        format!("http://127.0.0.1:{}/messages", self.port)
    }

    /// The next calls are answered so, in this order.
    pub(crate) fn answer_next(&self, answers: &[Answer]) {
        self.book().answers.extend(answers);
    }

    /// All calls without an answer of their own are answered so from now on.
    pub(crate) fn answer_always(&self, answer: Answer) {
        self.book().standing = Some(answer);
    }

    /// Calls for this telephone get no answer, whatever the others get.
    pub(crate) fn hang_for(&self, telephone: &str) {
        self.book().hanging = Some(telephone.to_owned());
    }

    /// How many calls were left without an answer.
    pub(crate) fn hangs(&self) -> usize {
        self.book().hangs
    }

    /// How many of those the hub has given up.
    pub(crate) fn given_up(&self) -> usize {
        self.book().given_up
    }

    /// The messages that were sent on, each once.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.book().taken.clone()
    }

    /// How often the hub has called with a valid signature.
    pub(crate) fn calls(&self) -> usize {
        self.book().calls
    }

    /// How often the hub has called with a wrong or missing signature.
    pub(crate) fn refused_signatures(&self) -> usize {
        self.book().refused_signatures
    }

    /// Waits for a message as wanted.
    pub(crate) async fn wait_taken(&self, wanted: impl Fn(&Taken) -> bool) -> Taken {
        super::eventually("a short message at the provider", async || self.taken().into_iter().find(&wanted)).await
    }

    /// Waits until the hub has called so often.
    pub(crate) async fn wait_calls(&self, count: usize) {
        super::eventually("calls at the provider", async || (self.calls() >= count).then_some(())).await;
    }

    /// Posts a delivery report to the hub. `status` is `delivered` or `failed`. Returns the hub's answer.
    pub(crate) async fn report(&self, hub_url: &str, provider_id: &str, status: &str) -> reqwest::Response {
        let error = (status == "failed").then_some("absent subscriber");
        let body = json!({ "type": "report", "id": provider_id, "status": status, "error": error });
        self.post(hub_url, &format!("report-{provider_id}-{status}"), &body).await
    }

    /// Posts a citizen's message to the hub. Returns the hub's answer.
    pub(crate) async fn say(&self, hub_url: &str, id: &str, from: &str, text: &str) -> reqwest::Response {
        let received_at = super::now().to_rfc3339();
        let body = json!({ "id": id, "from": from, "to": "12345", "text": text, "received_at": received_at });
        self.post(hub_url, id, &body).await
    }

    /// Posts any body to the hub, signed.
    pub(crate) async fn post(&self, hub_url: &str, id: &str, body: &Value) -> reqwest::Response {
        let body = body.to_string();
        let mut request = super::http().post(hub_url).header("content-type", "application/json");
        for (name, value) in sign(&self.secret, id, super::now().timestamp(), body.as_bytes()) {
            request = request.header(name, value);
        }
        request.body(body).send().await.expect("the hub answers")
    }

    /// The provider goes away; what it took stays.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // Its listener is closed when the task is gone.
            drop(server.await);
        }
    }

    /// The provider comes back on the same port.
    pub(crate) async fn start_again(&mut self) {
        let router = Router::new().route("/messages", post(take)).with_state(Arc::clone(&self.state));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is free");
        self.server = Some(tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the provider serves");
        }));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for SmsGateway {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// The three headers of Standard Webhooks for a body. `timestamp` is in seconds since 1970.
pub(crate) fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> [(&'static str, String); 3] {
    let signature = BASE64.encode(mac(secret, id, &timestamp.to_string(), body).finalize().into_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let key = BASE64.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base64 after whsec_");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

fn verified(secret: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let age = super::now().timestamp() - timestamp.parse::<i64>().ok()?;
    let genuine = header("webhook-signature")?
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .any(|one| BASE64.decode(one).is_ok_and(|bytes| mac(secret, id, timestamp, body).verify_slice(&bytes).is_ok()));
    (genuine && age.abs() <= 300).then(|| id.to_owned())
}

async fn take(State(state): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, provider_id) = {
        let mut book = state.lock().expect("no holder panics");
        let Some(id) = verified(&book.secret, &headers, &body) else {
            book.refused_signatures += 1;
            return StatusCode::UNAUTHORIZED.into_response();
        };
        book.calls += 1;
        let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| parsed[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(delivery_id), Some(to), Some(text)) = (field("delivery_id"), field("to"), field("text")) else {
            return (StatusCode::BAD_REQUEST, "delivery_id, to and text are required").into_response();
        };
        if delivery_id != id {
            return (StatusCode::BAD_REQUEST, "webhook-id is not the delivery id").into_response();
        }
        let answer = if book.hanging.as_ref() == Some(&to) {
            Answer::Hang
        } else {
            book.answers.pop_front().or(book.standing).unwrap_or(Answer::Accept)
        };
        book.hangs += usize::from(answer == Answer::Hang);
        let sent = matches!(answer, Answer::Accept | Answer::Drop);
        let known = book.taken.iter().find(|taken| taken.delivery_id == id).map(|taken| taken.provider_id.clone());
        let provider_id = known.unwrap_or_else(|| {
            let provider_id = format!("gw-{}", uuid::Uuid::new_v4().simple());
            if sent {
                book.taken.push(Taken { delivery_id, provider_id: provider_id.clone(), to, text });
            }
            provider_id
        });
        (answer, provider_id)
    };
    match answer {
        Answer::Accept => (StatusCode::ACCEPTED, Json(json!({ "id": provider_id }))).into_response(),
        Answer::Refuse(status) => {
            let status = StatusCode::from_u16(status).expect("a status code");
            (status, Json(json!({ "error": "refused by order of the test" }))).into_response()
        }
        // Unwinding without the panic hook ends the connection's task, and with it the connection, silently.
        Answer::Drop => std::panic::resume_unwind(Box::new("the connection breaks")),
        Answer::Hang => {
            let _hanging = Hanging(state);
            std::future::pending().await
        }
    }
}

/// A call without an answer; it is dropped when the hub closes its connection.
struct Hanging(Arc<Mutex<Book>>);

impl Drop for Hanging {
    fn drop(&mut self) {
        if let Ok(mut book) = self.0.lock() {
            book.given_up += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn signs_as_the_specification_does() {
        // The example that the specification's libraries share.
        let [_, _, (_, signature)] =
            sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[tokio::test]
    async fn takes_each_message_once_and_misbehaves_when_told() {
        let mut gateway = SmsGateway::start(SECRET).await;
        let url = gateway.outbound_url();
        let body = json!({ "delivery_id": "d1", "to": "+8613800138000", "text": "您好" });
        let first: Value = gateway.post(&url, "d1", &body).await.json().await.expect("JSON");
        let again: Value = gateway.post(&url, "d1", &body).await.json().await.expect("JSON");
        assert_eq!(first, again);
        let taken = gateway.wait_taken(|taken| taken.to == "+8613800138000").await;
        assert_eq!((taken.text.as_str(), json!(taken.provider_id)), ("您好", first["id"].clone()));
        assert_eq!(gateway.taken().len(), 1);

        let forged = super::super::http().post(&url).json(&body).send().await.expect("an answer");
        assert_eq!((forged.status().as_u16(), gateway.refused_signatures()), (401, 1));
        gateway.answer_next(&[Answer::Refuse(503)]);
        assert_eq!(gateway.post(&url, "d1", &body).await.status(), 503);
        gateway.answer_always(Answer::Drop);
        let other = json!({ "delivery_id": "d2", "to": "+8613800138001", "text": "dropped" }).to_string();
        let signed = |client: reqwest::Client| {
            let mut request = client.post(&url).timeout(Duration::from_millis(200)).body(other.clone());
            for (name, value) in sign(SECRET, "d2", super::super::now().timestamp(), other.as_bytes()) {
                request = request.header(name, value);
            }
            request.send()
        };
        assert!(!signed(super::super::http()).await.expect_err("no answer").is_timeout());
        assert_eq!(gateway.taken().len(), 2);
        gateway.answer_next(&[Answer::Hang]);
        assert!(signed(super::super::http()).await.expect_err("no answer").is_timeout());
        gateway.wait_calls(5).await;

        gateway.stop().await;
        assert!(signed(super::super::http()).await.expect_err("down").is_connect());
        gateway.answer_always(Answer::Accept);
        gateway.start_again().await;
        assert_eq!(signed(super::super::http()).await.expect("an answer").status(), 202);
        assert_eq!(gateway.report(&url, "gw-1", "delivered").await.status(), 400);
        assert_eq!(gateway.say(&url, "m1", "+8613800138000", "hello").await.status(), 400);
    }
}
