//! Twilio's side of a webhook: signed and posted by Twilio's own Python library (`tests/counterparts/twilio_post.py`).

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The hub's answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u64,
    /// Headers, names in lower case.
    pub(crate) headers: Value,
    /// Body.
    pub(crate) body: String,
}

/// Posts form `parameters` to `url`, signed with `token` for `signed_url` (the address the hub knows itself by).
pub(crate) async fn post(url: &str, signed_url: &str, token: &str, parameters: &[(&str, &str)]) -> Answer {
    let parameters: serde_json::Map<String, Value> =
        parameters.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
    let order = json!({ "url": url, "signed_url": signed_url, "token": token, "parameters": parameters });
    let mut script = Command::new(super::process::python())
        .arg(super::repository("tests/counterparts/twilio_post.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("tests/setup.sh prepares Python");
    let mut input = script.stdin.take().expect("a pipe");
    input.write_all(order.to_string().as_bytes()).await.expect("the order is read");
    drop(input);
    let output = tokio::time::timeout(super::PATIENCE, script.wait_with_output()).await;
    let output = output.expect("an end").expect("an output");
    assert!(output.status.success(), "twilio_post.py says why above");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Answer {
        status: answer["status"].as_u64().expect("a status"),
        headers: answer["headers"].clone(),
        body: answer["body"].as_str().expect("a body").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::post;

    #[tokio::test]
    async fn signs_a_chinese_message() {
        let hub = Router::new().route(
            "/sms",
            post(async |headers: HeaderMap, body: String| {
                let signature = headers["x-twilio-signature"].to_str().expect("ASCII").to_owned();
                ([("yingda-outcome", "new")], format!("{signature} {body}"))
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/sms", listener.local_addr().expect("an address"));
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let parameters = [("MessageSid", "SM1"), ("From", "+8613800138000"), ("Body", "路灯坏了")];
        let answer = super::post(&url, "https://hub.city.test/sms", "0123456789abcdef", &parameters).await;
        hub.abort();
        assert_eq!((answer.status, answer.headers["yingda-outcome"].as_str()), (200, Some("new")));
        // HMAC-SHA1 over the address and the sorted parameters, computed by hand with openssl.
        let expected = "lFQ3tXRVwC+M1aY+y9342MvRJhM= Body=%E8%B7%AF%E7%81%AF%E5%9D%8F%E4%BA%86&From=%2B8613800138000&MessageSid=SM1";
        assert_eq!(answer.body, expected);
    }
}
