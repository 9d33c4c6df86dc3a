//! A visible, labelled, bounded stream of appeals through the demo's own channel endpoints.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Credentials;
use crate::channels::standard_webhooks::SigningKey;
use crate::domain::{Clock, new_id};

/// Bytes of UTF-8 that fit into an encoded word of 75 characters.
const LONGEST_WORD: usize = 45;

/// How many appeals are sent.
pub const APPEALS: usize = 60;
/// How long it waits between two.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Texts {
    appeal: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// Sends [`APPEALS`] appeals to the hub of these credentials, one every two seconds, by each channel in turn.
/// Each is told in the log; one that fails does not end the rest.
pub async fn run(credentials: Credentials, client: reqwest::Client) {
    let texts = match toml::from_str::<Texts>(include_str!("appeals.toml")) {
        Ok(texts) => texts.appeal,
        Err(error) => return tracing::error!(%error, "demo traffic: texts"),
    };
    let citizens = Citizens { credentials, client, clock: Clock::System };
    if !citizens.ready().await {
        return tracing::error!("demo traffic: the hub did not become ready");
    }
    let mut pace = tokio::time::interval(PAUSE);
    for (turn, text) in texts.iter().cycle().take(APPEALS).enumerate() {
        pace.tick().await;
        let (channel, sent) = match turn % 5 {
            0 => ("sms", citizens.sms(turn, &text.text).await),
            1 => ("email", citizens.email(turn, &text.text).await),
            2 => ("telegram", citizens.telegram(turn, &text.text).await),
            3 => ("websocket", citizens.websocket(turn, &text.text).await),
            _ => ("webform", citizens.form(&text.text).await),
        };
        match sent {
            Ok(outcome) => tracing::info!(channel, number = turn + 1, of = APPEALS, outcome, "demo appeal sent"),
            Err(error) => tracing::warn!(
                channel,
                number = turn + 1,
                of = APPEALS,
                error = format!("{error:#}"),
                "demo appeal failed"
            ),
        }
    }
}

struct Citizens {
    credentials: Credentials,
    client: reqwest::Client,
    clock: Clock,
}

impl Citizens {
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.credentials.base_url)
    }

    async fn ready(&self) -> bool {
        let mut pace = tokio::time::interval(Duration::from_millis(250));
        for _ in 0..240 {
            pace.tick().await;
            let answer = self.client.get(self.address("/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
        }
        false
    }

    /// An id that no earlier start has used.
    fn id(&self) -> String {
        new_id(self.clock.millis()).to_string()
    }

    async fn sms(&self, turn: usize, text: &str) -> anyhow::Result<String> {
        let key = SigningKey::parse(&self.credentials.sms.demo.secret).map_err(anyhow::Error::msg)?;
        let (id, seconds) = (self.id(), self.clock.now().timestamp());
        let from = format!("+861390000{turn:04}");
        let body =
            json!({"id": id, "from": from, "to": "12345", "text": text, "received_at": self.clock.now().to_rfc3339()})
                .to_string();
        let request = self
            .client
            .post(self.address("/channels/sms/demo"))
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", key.sign(&id, seconds, body.as_bytes()))
            .header("content-type", "application/json")
            .body(body);
        outcome(request).await
    }

    async fn email(&self, turn: usize, text: &str) -> anyhow::Result<String> {
        let date = self.clock.now().to_rfc2822();
        // The first clause as the subject, as far as one encoded word reaches (RFC 2047).
        let clause = text.split(['，', '。', '？', ',', '.', '?']).next().unwrap_or_default();
        let mut bytes = 0;
        let fits = |letter: &char| {
            bytes += letter.len_utf8();
            bytes <= LONGEST_WORD
        };
        let subject = STANDARD.encode(clause.chars().take_while(fits).collect::<String>());
        let mail = format!(
            "From: citizen{turn}@demo-city.example\r\nTo: 12345@demo-city.example\r\nMessage-ID: <{}@demo-city.example>\r\nDate: {date}\r\n\
             Subject: =?utf-8?B?{subject}?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            self.id(),
            STANDARD.encode(text),
        );
        let request = self
            .client
            .post(self.address("/channels/email/mailbox"))
            .bearer_auth(&self.credentials.email.mailbox.token)
            .header("content-type", "message/rfc822")
            .body(mail);
        outcome(request).await
    }

    async fn telegram(&self, turn: usize, text: &str) -> anyhow::Result<String> {
        let chat = 700_000 + turn;
        // Milliseconds since 2020 as the update id: no two starts of the demo send the same.
        let update = (self.clock.millis() - 1_577_836_800_000) / 1000;
        let message = json!({
            "message_id": update,
            "date": self.clock.now().timestamp(),
            "chat": {"id": chat, "type": "private", "first_name": "Demo"},
            "from": {"id": chat, "is_bot": false, "first_name": "Demo"},
            "text": text,
        });
        let request = self
            .client
            .post(self.address("/channels/telegram/bot"))
            .header("x-telegram-bot-api-secret-token", &self.credentials.telegram.bot.webhook_secret)
            .json(&json!({"update_id": update, "message": message}));
        outcome(request).await
    }

    async fn websocket(&self, turn: usize, text: &str) -> anyhow::Result<String> {
        let address = self.address("/channels/websocket/app").replacen("http", "ws", 1);
        let (mut socket, _) = tokio_tungstenite::connect_async(address).await?;
        let hello = json!({"type": "hello", "session": null, "after": null});
        let send = json!({"type": "send", "id": format!("demo-{turn}"), "text": text});
        for frame in [hello, send] {
            socket.send(Message::text(frame.to_string())).await?;
        }
        let answered = async {
            while let Some(frame) = socket.next().await {
                let frame: serde_json::Value = serde_json::from_str(frame?.to_text()?).unwrap_or_default();
                match frame["type"].as_str() {
                    Some("ack") => return Ok(frame["outcome"].as_str().unwrap_or_default().to_owned()),
                    Some("error") => anyhow::bail!("{}", frame["code"]),
                    _ => {}
                }
            }
            anyhow::bail!("closed without an acknowledgement")
        };
        let told = tokio::time::timeout(Duration::from_secs(20), answered).await?;
        socket.close(None).await?;
        told
    }

    async fn form(&self, text: &str) -> anyhow::Result<String> {
        let page = self.client.get(self.address("/")).send().await?.error_for_status()?;
        let cookies: Vec<String> = page
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        let html = page.text().await?;
        let mut fields: Vec<(&str, String)> = hidden_fields(&html);
        fields.push(("text", text.to_owned()));
        let form = fields
            .into_iter()
            .fold(reqwest::multipart::Form::new(), |form, (name, value)| form.text(name.to_owned(), value));
        let origin = self.credentials.base_url.clone();
        let request = self.client.post(self.address("/")).header("cookie", cookies.join("; ")).header("origin", origin);
        let answer = request.multipart(form).send().await?;
        anyhow::ensure!(answer.status().is_success() || answer.status().is_redirection(), "status {}", answer.status());
        Ok("taken".to_owned())
    }
}

async fn outcome(request: reqwest::RequestBuilder) -> anyhow::Result<String> {
    let answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "status {status}");
    Ok(answer.headers().get("yingda-outcome").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned())
}

/// Names and values of the hidden inputs of a page of our own, whose values hold no markup.
fn hidden_fields(html: &str) -> Vec<(&str, String)> {
    html.split("<input")
        .skip(1)
        .filter_map(|tag| {
            let tag = tag.split('>').next()?;
            let attribute = |name: &str| tag.split_once(&format!(" {name}=\""))?.1.split('"').next();
            (attribute("type") == Some("hidden")).then_some(())?;
            Some((attribute("name")?, attribute("value").unwrap_or_default().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_labelled_as_a_demo() {
        let texts: Texts = toml::from_str(include_str!("appeals.toml")).expect("texts");
        assert!(texts.appeal.len() >= 20);
        assert!(texts.appeal.iter().all(|text| text.text.starts_with("[demo] ")));
    }

    #[test]
    fn hidden_fields_of_a_form_are_found() {
        let html = r#"<form><input type="hidden" name="form_token" value="1.a.b"><input name="text" type="text" value="x">
            <input name="spare" type="hidden"/></form>"#;
        assert_eq!(hidden_fields(html), [("form_token", "1.a.b".to_owned()), ("spare", String::new())]);
    }
}
