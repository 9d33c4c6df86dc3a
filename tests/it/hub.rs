//! The hub itself: the shipped program, started as a city starts it, and a client of its staff API.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::process::{Process, Start};
use crate::peers::{self, eventually};

/// The secret that hub and generic SMS gateway share in the tests.
pub(crate) const SMS_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwTfKQ9r8GKYo=";

/// The databases that a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// The embedded file.
    Sqlite,
    /// A database of its own in the shared cluster.
    Postgres,
}

/// A hub that is about to start: its address is known, so that its peers can be told.
pub(crate) struct Plan {
    port: u16,
    settings: Vec<(String, String)>,
}

impl Plan {
    /// A demo city that tries again quickly.
    pub(crate) fn new() -> Self {
        Self { port: peers::free_port(), settings: Vec::new() }
            .set("outbox.backoff_base_secs", "1")
            .set("outbox.backoff_cap_secs", "1")
            .set("log.format", "human")
    }

    /// Uses this database instead of the embedded file.
    pub(crate) async fn on(self, database: Database) -> Self {
        match database {
            Database::Sqlite => self,
            Database::Postgres => self.set("database.url", &peers::postgres::create_database().await),
        }
    }

    /// Sets `section.key`, as an environment variable.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((variable(key), value.to_owned()));
        self
    }

    /// Connects the generic SMS account with a gateway.
    pub(crate) fn sms(self, gateway: &peers::sms_gateway::SmsGateway) -> Self {
        self.set("channels.sms.demo.secret", SMS_SECRET).set("channels.sms.demo.outbound_url", &gateway.outbound_url())
    }

    /// An address of the hub to come.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts the hub on an empty data folder and waits until it is ready.
    pub(crate) async fn start(self) -> Hub {
        let mut hub = self.prepare();
        hub.start_again().await;
        hub
    }

    /// The same with what a backup holds.
    pub(crate) async fn restore(self, backup: &Path) -> Hub {
        let mut hub = self.prepare();
        hub.command(&["restore", &backup.display().to_string()]).await;
        hub.start_again().await;
        hub
    }

    fn environment(&self) -> Vec<(&str, String)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
    }

    fn prepare(self) -> Hub {
        let data = TempDir::new().expect("a directory");
        Hub { plan: self, data, process: None, http: peers::http(), credentials: Value::Null }
    }
}

/// A running hub; ask [`Hub::end`] for a clean end. If its test panics, its log is shown.
pub(crate) struct Hub {
    plan: Plan,
    // The process goes before its directory.
    process: Option<Process>,
    data: TempDir,
    http: reqwest::Client,
    credentials: Value,
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(process) = &self.process
        {
            eprintln!("--- the hub's log\n{}", process.log());
        }
    }
}

impl Hub {
    /// An address of the hub.
    pub(crate) fn url(&self, path: &str) -> String {
        self.plan.url(path)
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Sets `section.key` for the next start.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.plan.settings.push((variable(key), value.to_owned()));
    }

    /// A secret of `demo-credentials.json`.
    pub(crate) fn secret(&self, pointer: &str) -> &str {
        self.credentials.pointer(pointer).and_then(Value::as_str).expect("a secret of the demo")
    }

    /// All of `demo-credentials.json`.
    pub(crate) fn credentials(&self) -> &Value {
        &self.credentials
    }

    /// Starts it on the same folder and port, after [`Hub::stop`] or [`Hub::kill`].
    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.is_none(), "the hub runs");
        let listen = format!("127.0.0.1:{}", self.plan.port);
        let data = self.data.path().join("data").display().to_string();
        let start = Start {
            name: "yingda",
            directory: self.data.path(),
            signal: "KILL",
            remove_directory: false,
            environment: &self.plan.environment(),
        };
        let words = [env!("CARGO_BIN_EXE_yingda"), "serve", "--demo", "--data", &data, "--listen", &listen];
        let mut process = Process::start(&start, &words);
        let ready = self.plan.url("/readyz");
        process
            .ready(async || {
                let answer = self.http.get(&ready).send().await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
        let credentials = self.data.path().join("data/demo-credentials.json");
        let credentials = serde_json::from_slice(&std::fs::read(credentials).expect("the demo's credentials"));
        let credentials: Value = credentials.expect("JSON");
        assert!(self.credentials.is_null() || self.credentials == credentials, "the credentials have changed");
        self.credentials = credentials;
        self.process = Some(process);
    }

    /// Runs a command of the program on the hub's settings and data folder; returns what it printed.
    pub(crate) async fn command(&self, words: &[&str]) -> String {
        let data = self.data.path().join("data").display().to_string();
        let start = Start {
            name: "yingda-command",
            directory: self.data.path(),
            signal: "KILL",
            remove_directory: false,
            environment: &self.plan.environment(),
        };
        let words: Vec<&str> = [env!("CARGO_BIN_EXE_yingda")].into_iter().chain(words.iter().copied()).collect();
        peers::process::run(&start, &[words.as_slice(), &["--data", &data]].concat()).await
    }

    /// Ends it by SIGTERM, which it obeys cleanly.
    pub(crate) async fn stop(&mut self) {
        let process = self.process.take().expect("the hub runs");
        let log = process.log();
        assert_eq!(ended(process, "TERM", 30).await, Some(0), "a clean end\n{log}");
    }

    /// Ends it by SIGKILL.
    pub(crate) async fn kill(&mut self) {
        let process = self.process.take().expect("the hub runs");
        assert_eq!(ended(process, "KILL", 1).await, Some(128 + 9));
    }

    /// The last check of every test: each message received has one outcome, and the hub ends cleanly.
    pub(crate) async fn end(mut self) {
        self.ledger().await;
        self.stop().await;
    }

    /// The ledger, whose sums must hold at any time.
    pub(crate) async fn ledger(&self) -> Value {
        let ledger = self.agent().get("/ledger").await;
        let count = |name: &str| ledger[name].as_u64().unwrap_or_else(|| panic!("{name} in {ledger}"));
        let parts = ["new", "appended", "reports", "control", "duplicates", "quarantined"];
        assert_eq!(count("received"), parts.into_iter().map(count).sum::<u64>(), "{ledger}");
        ledger
    }

    /// A member of the call centre, who may see who a citizen is.
    pub(crate) fn agent(&self) -> Staff<'_> {
        self.staff("/tokens/agent")
    }

    /// A supervisor.
    pub(crate) fn supervisor(&self) -> Staff<'_> {
        self.staff("/tokens/supervisor")
    }

    /// Somebody of a department.
    pub(crate) fn handler(&self, department: &str) -> Staff<'_> {
        self.staff(&format!("/tokens/handlers/{department}"))
    }

    fn staff(&self, pointer: &str) -> Staff<'_> {
        Staff { hub: self, token: self.secret(pointer).to_owned() }
    }

    /// The number of the only ticket, once there is one.
    pub(crate) async fn only_ticket(&self) -> String {
        eventually("a ticket", async || {
            let tickets = self.agent().tickets().await;
            match tickets.as_slice() {
                [] => None,
                [one] => Some(one["number"].as_str().expect("a number").to_owned()),
                _ => panic!("more than one ticket: {tickets:?}"),
            }
        })
        .await
    }

    /// The tickets of the city when there are so many.
    pub(crate) async fn wait_tickets(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} tickets"), async || {
            let tickets = self.agent().tickets().await;
            assert!(tickets.len() <= count, "{tickets:?}");
            (tickets.len() == count).then_some(tickets)
        })
        .await
    }

    /// A ticket once it is as wanted.
    pub(crate) async fn wait_ticket(&self, number: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let agent = self.agent();
        let last = std::cell::RefCell::new(Value::Null);
        let probe = async || {
            let ticket = agent.ticket(number).await;
            let found = wanted(&ticket).then(|| ticket.clone());
            last.replace(ticket);
            found
        };
        match tokio::time::timeout(peers::PATIENCE / 2, eventually("the ticket", probe)).await {
            Ok(ticket) => ticket,
            Err(_) => panic!("the ticket never was as wanted; it is {:#}", last.into_inner()),
        }
    }

    /// Waits until the answer has reached the citizen.
    pub(crate) async fn delivered(&self, number: &str) -> Value {
        self.wait_ticket(number, |ticket| ticket["state"] == "delivered").await
    }

    /// The department's part of every journey: it finds the ticket in its inbox, signs for it and answers.
    pub(crate) async fn answer(&self, department: &str, number: &str, text: &str) -> Value {
        let handler = self.handler(department);
        let seen = handler.ticket(number).await;
        assert_eq!((&seen["state"], &seen["department"]), (&json!("dispatched"), &json!(department)), "{seen:#}");
        assert_eq!(seen["appeals"][0]["from"], Value::Null, "a handler does not see who the citizen is");
        handler.act(number, "sign", json!({})).await;
        handler.act(number, "replies", json!({ "text": text })).await
    }
}

/// A client of the staff API with one token.
pub(crate) struct Staff<'a> {
    hub: &'a Hub,
    token: String,
}

impl Staff<'_> {
    /// Any call below `/api/v1`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut call = self.hub.http.request(method, self.hub.url(&format!("/api/v1{path}"))).bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.json(body);
        }
        call.send().await.expect("the hub answers")
    }

    /// Reads; panics unless the answer is 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        json_of(self.call(Method::GET, path, None).await, StatusCode::OK).await
    }

    /// Posts and returns status and body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.call(Method::POST, path, Some(body)).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// One ticket.
    pub(crate) async fn ticket(&self, number: &str) -> Value {
        self.get(&format!("/tickets/{number}")).await
    }

    /// The tickets this member of staff sees, in order of creation, at most 200.
    pub(crate) async fn tickets(&self) -> Vec<Value> {
        self.get("/tickets?limit=200").await["items"].as_array().expect("a list").clone()
    }

    /// Acts on a ticket at its present version and returns the ticket afterwards.
    pub(crate) async fn act(&self, number: &str, verb: &str, mut body: Value) -> Value {
        body["version"] = self.ticket(number).await["version"].clone();
        let (status, answer) = self.post(&format!("/tickets/{number}/{verb}"), &body).await;
        assert!((200..300).contains(&status), "{verb}: {status} {answer}");
        self.ticket(number).await
    }

    /// Files what a caller says; the answer is the ticket.
    pub(crate) async fn call_in(&self, call: &Value) -> Value {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let key = format!("call-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = self
            .hub
            .http
            .post(self.hub.url("/api/v1/tickets"))
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key)
            .json(call)
            .send()
            .await
            .expect("the hub answers");
        json_of(answer, StatusCode::CREATED).await
    }

    /// All events of the feed so far.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(json!(0), |event| event["position"].clone());
            let page = self.get(&format!("/events?after={after}&limit=200")).await;
            let page = page["items"].as_array().expect("a list").clone();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// The token, for calls that need no client.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

/// The environment variable of a setting.
fn variable(key: &str) -> String {
    format!("YINGDA__{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

/// Ends a process while the test's own peers go on answering it.
async fn ended(process: Process, signal: &'static str, grace_secs: u32) -> Option<i32> {
    tokio::task::spawn_blocking(move || process.end(signal, grace_secs)).await.expect("no panic")
}

/// The JSON of an answer with this status.
pub(crate) async fn json_of(answer: Response, status: StatusCode) -> Value {
    let (got, text) = (answer.status(), answer.text().await.expect("a body"));
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The deliveries of a ticket of one kind.
pub(crate) fn deliveries<'a>(ticket: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = ticket["deliveries"].as_array().expect("a list");
    all.iter().filter(|delivery| delivery["kind"] == kind).collect()
}
