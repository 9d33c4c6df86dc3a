//! The Telegram Bot API, played strictly by `tests/counterparts/telegram.mjs` (there is no real server to be had).
//!
//! The script's head lists what it refuses and the faults it can be told to answer with.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, Start};

/// A running double with one bot.
pub(crate) struct Telegram {
    server: Option<Process>,
    client: reqwest::Client,
    port: u16,
    directory: TempDir,
}

impl Telegram {
    /// The bot's token, in Telegram's form.
    pub(crate) const TOKEN: &str = "123456:yingda-test-bot-token";

    /// Starts the double.
    pub(crate) async fn start() -> Self {
        let mut double = Self {
            server: None,
            client: super::http(),
            port: super::free_port(),
            directory: TempDir::new().expect("a directory"),
        };
        double.start_again().await;
        double
    }

    /// The address of the API, to which clients add `/botTOKEN/method`.
    pub(crate) fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A citizen writes a text in a private chat, which is named by the citizen's id. Returns the update.
    pub(crate) async fn say(&self, chat: i64, text: &str) -> Value {
        self.control("say", &json!({ "chat": chat, "text": text })).await
    }

    /// Any verb of the script's head, with its argument. Returns its result.
    pub(crate) async fn control(&self, verb: &str, argument: &Value) -> Value {
        let url = format!("{}/control/{}/{verb}", self.api_url(), Self::TOKEN);
        let answer: Value = async {
            let response = self.client.post(url).json(argument).send().await?;
            response.json().await
        }
        .await
        .expect("the double answers");
        assert_eq!(answer["ok"], true, "{verb}: {answer}");
        answer["result"].clone()
    }

    /// Answers to come: `[{"code": 429, "retry_after": 3}]` and the like.
    pub(crate) async fn fault(&self, faults: &Value) {
        self.control("fault", faults).await;
    }

    /// Every call so far but `getUpdates`: `method` in lower case, `parameters`, `status`.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        self.control("calls", &json!({})).await.as_array().cloned().expect("a list")
    }

    /// Waits for a call that was answered with 200 and is as wanted.
    pub(crate) async fn wait_call(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        super::eventually("a call of the bot", async || {
            self.calls().await.into_iter().find(|call| call["status"] == 200 && wanted(call))
        })
        .await
    }

    /// The far end goes away and forgets everything.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// The far end comes back on the same port.
    pub(crate) async fn start_again(&mut self) {
        let start = Start {
            name: "telegram",
            directory: self.directory.path(),
            signal: "TERM",
            remove_directory: false,
            environment: &[],
        };
        let script = super::repository("tests/counterparts/telegram.mjs").display().to_string();
        let mut server = Process::start(&start, &["node", &script, &self.port.to_string()]);
        let port = self.port;
        server.ready(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)).await;
        self.server = Some(server);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    async fn call(telegram: &Telegram, method: &str, parameters: Value) -> (u16, Value) {
        let url = format!("{}/bot{}/{method}", telegram.api_url(), Telegram::TOKEN);
        let response = super::super::http().post(url).json(&parameters).send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    #[tokio::test]
    async fn keeps_updates_until_confirmed_and_refuses_what_telegram_refuses() {
        let mut telegram = Telegram::start().await;
        let asked = call(&telegram, "getUpdates", json!({ "timeout": 30 }));
        let (update, (status, answer)) = tokio::join!(telegram.say(7, "路灯坏了"), asked);
        assert_eq!(status, 200);
        assert_eq!(answer["result"], json!([update]));
        let next = update["update_id"].as_i64().expect("an id") + 1;
        let (_, again) = call(&telegram, "getUpdates", json!({})).await;
        assert_eq!(again["result"], json!([update]));
        let (_, none) = call(&telegram, "getUpdates", json!({ "offset": next })).await;
        assert_eq!(none["result"], json!([]));

        for (method, parameters, status) in [
            ("sendMessage", json!({ "chat_id": 7, "text": "好".repeat(4096) }), 200),
            ("sendMessage", json!({ "chat_id": 7, "text": "好".repeat(4097) }), 400),
            ("sendMessage", json!({ "chat_id": 7, "text": " " }), 400),
            ("sendMessage", json!({ "chat_id": 8, "text": "a stranger" }), 400),
            ("sendMessage", json!({ "text": "to nobody" }), 400),
            ("sendMessage", keyboard(&"d".repeat(64)), 200),
            ("sendMessage", keyboard(&"d".repeat(65)), 400),
            ("getFile", json!({ "file_id": "unknown" }), 400),
            ("sendFax", json!({ "chat_id": 7 }), 404),
        ] {
            let (got, answer) = call(&telegram, method, parameters).await;
            assert_eq!(got, status, "{method}: {answer}");
            assert_eq!(answer["ok"], status == 200);
        }

        telegram.fault(&json!([{ "code": 429, "retry_after": 3 }, { "code": 502 }])).await;
        let (status, answer) = call(&telegram, "sendMessage", json!({ "chat_id": 7, "text": "one" })).await;
        assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(3)));
        assert_eq!(call(&telegram, "sendMessage", json!({ "chat_id": 7, "text": "one" })).await.0, 502);
        assert_eq!(call(&telegram, "sendMessage", json!({ "chat_id": 7, "text": "one" })).await.0, 200);
        telegram.wait_call(|call| call["parameters"]["text"] == "one").await;
        telegram.control("block", &json!({ "chat": 7 })).await;
        assert_eq!(call(&telegram, "sendMessage", json!({ "chat_id": 7, "text": "two" })).await.0, 403);

        let hook = json!({ "url": "http://127.0.0.1:9/hook", "secret_token": "s3cret" });
        assert_eq!(call(&telegram, "setWebhook", hook).await.0, 200);
        assert_eq!(call(&telegram, "getUpdates", json!({})).await.0, 409);
        telegram.stop();
        telegram.start_again().await;
        assert_eq!(call(&telegram, "getMe", json!({})).await.1["result"]["is_bot"], true);
    }

    #[tokio::test]
    async fn calls_a_webhook_until_it_is_answered_and_hands_out_files() {
        let telegram = Telegram::start().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let hub = axum::Router::new().fallback(async move |headers: axum::http::HeaderMap, body: String| {
            assert_eq!(headers["x-telegram-bot-api-secret-token"], "s3cret");
            let mut seen = record.lock().expect("no holder panics");
            seen.push(serde_json::from_str::<Value>(&body).expect("JSON"));
            if seen.len() == 1 { axum::http::StatusCode::SERVICE_UNAVAILABLE } else { axum::http::StatusCode::OK }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        assert_eq!(call(&telegram, "setWebhook", json!({ "url": url, "secret_token": "s3cret" })).await.0, 200);
        let update = telegram.say(7, "路灯坏了").await;
        super::super::eventually("both calls of the webhook", async || {
            let seen = seen.lock().expect("no holder panics");
            (seen.len() == 2).then(|| assert_eq!(*seen, vec![update.clone(), update.clone()]))
        })
        .await;
        hub.abort();

        telegram.control("file", &json!({ "file_id": "photo-1", "base64": "iVBORw==" })).await;
        let (_, file) = call(&telegram, "getFile", json!({ "file_id": "photo-1" })).await;
        let path = file["result"]["file_path"].as_str().expect("a path");
        let url = format!("{}/file/bot{}/{path}", telegram.api_url(), Telegram::TOKEN);
        let bytes = super::super::http().get(url).send().await.expect("an answer").bytes().await.expect("bytes");
        assert_eq!(bytes.as_ref(), b"\x89PNG");

        telegram.fault(&json!([{ "code": 500, "after": true, "drop": true }])).await;
        let url = format!("{}/bot{}/sendMessage", telegram.api_url(), Telegram::TOKEN);
        let sent = super::super::http().post(url).json(&json!({ "chat_id": 7, "text": "dropped" })).send().await;
        assert!(sent.is_err(), "the connection breaks");
        assert_eq!(telegram.calls().await.last().expect("a call")["parameters"]["text"], "dropped");
    }

    #[tokio::test]
    async fn a_newer_poll_ends_the_older() {
        let telegram = Telegram::start().await;
        let polled = async || call(&telegram, "getUpdates", json!({ "timeout": 30 })).await;
        let second = async {
            super::super::eventually("the first poll", async || {
                telegram.control("state", &json!({})).await["waiting"].as_bool().filter(|&waiting| waiting)
            })
            .await;
            let said = async {
                super::super::eventually("the second poll's turn", async || {
                    let state = telegram.control("state", &json!({})).await;
                    (state["polls"] == 2).then_some(())
                })
                .await;
                telegram.say(7, "路灯坏了").await
            };
            tokio::join!(polled(), said)
        };
        let ((first, _), ((second, answer), update)) = tokio::join!(polled(), second);
        assert_eq!((first, second), (409, 200));
        assert_eq!(answer["result"], json!([update]));
    }

    fn keyboard(data: &str) -> Value {
        json!({
            "chat_id": 7,
            "text": "which one?",
            "reply_markup": { "inline_keyboard": [[{ "text": "1", "callback_data": data }]] },
        })
    }
}
