//! What goes wrong around a hub, and that nothing is lost by it, done twice, or held up.

mod disk;
mod duplicates;
mod hanging;
mod kill;
mod mails;
mod origin;
mod outage;
mod poison;
mod slow_console;

use reqwest::Response;
use serde_json::{Value, json};

use crate::hub::{Hub, SMS_SECRET};
use crate::peers;
use crate::peers::sms_gateway::sign;

/// Everyday appeals that the demo city routes without asking back.
const TEXTS: [&str; 4] = [
    "澄江路的路灯坏了好几天，晚上漆黑一片",
    "我们小区的垃圾一个星期没有人清运了，又脏又臭",
    "The street light in front of the school has been broken for a week",
    "半夜两点工地还在施工，噪音太大，孩子睡不着",
];

/// A provider of short messages as the hub sees it coming in: a client that signs.
#[derive(Clone)]
struct Provider {
    http: reqwest::Client,
    door: String,
    secret: &'static str,
}

impl Provider {
    fn new(hub: &Hub) -> Self {
        Self { http: peers::http(), door: hub.url("/channels/sms/demo"), secret: SMS_SECRET }
    }

    /// The same, with a secret that the hub does not know.
    fn forger(&self) -> Self {
        Self { secret: "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhlIGh1Yg==", ..self.clone() }
    }

    async fn say(&self, id: &str, from: &str, text: &str) -> reqwest::Result<Response> {
        let body = json!({ "id": id, "from": from, "to": "12345", "text": text }).to_string();
        let mut request = self.http.post(&self.door).header("content-type", "application/json");
        for (name, value) in sign(self.secret, id, peers::now().timestamp(), body.as_bytes()) {
            request = request.header(name, value);
        }
        request.body(body).send().await
    }

    /// Says something that the hub must take; returns its word and the ticket.
    async fn take(&self, id: &str, from: &str, text: &str) -> (String, Option<String>) {
        let answer = self.say(id, from, text).await.expect("the hub answers");
        assert!(answer.status().is_success(), "{id}: {}", answer.status());
        told(answer).await
    }
}

/// The outcome that an answer names, and the ticket.
async fn told(answer: Response) -> (String, Option<String>) {
    let outcome = answer.headers()["yingda-outcome"].to_str().expect("a word").to_owned();
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["outcome"], json!(outcome));
    (outcome, body["ticket"].as_str().map(str::to_owned))
}

/// Hands the hub an everyday mail of `li@example.com`; its outcome and its ticket.
async fn mailed(hub: &Hub) -> (String, Option<String>) {
    let mail = "From: Li <li@example.com>\r\nTo: 12345@demo-city.example\r\nMessage-ID: <2@example.com>\r\n\
                Subject: Street light\r\n\r\nThe street light in front of our house has been broken for a week.\r\n";
    let request = peers::http()
        .post(hub.url("/channels/email/mailbox"))
        .bearer_auth(hub.secret("/email/mailbox/token"))
        .header("content-type", "message/rfc822")
        .body(mail);
    told(request.send().await.expect("the hub answers")).await
}

/// The telephone of the citizen with this number.
fn telephone(number: usize) -> String {
    format!("+86138{number:08}")
}

/// A text for the citizen with this number.
fn text(number: usize) -> &'static str {
    TEXTS[number % TEXTS.len()]
}

/// The numbers of all tickets of the city.
async fn all_tickets(hub: &Hub) -> Vec<String> {
    let agent = hub.agent();
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let page = agent.get(&format!("/tickets?limit=200{after}")).await;
        let items = page["items"].as_array().expect("a list");
        numbers.extend(items.iter().map(|ticket| ticket["number"].as_str().expect("a number").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return numbers,
        }
    }
}
