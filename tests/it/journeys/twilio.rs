//! Twilio: webhooks signed by its own library, its REST interface played by a double that checks what Twilio checks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use serde_json::{Value, json};

use crate::hub::deliveries;
use crate::peers;

const CITIZEN: &str = "+8613800138002";
const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
const AUTH_TOKEN: &str = "0123456789abcdef0123456789abcdef";

type Sent = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, <https://www.twilio.com/docs/messaging/api/message-resource>.
async fn rest(
    sent: Sent,
    headers: HeaderMap,
    path: String,
    form: BTreeMap<String, String>,
) -> (StatusCode, Json<Value>) {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    if headers["authorization"] != format!("Basic {login}") || path != ACCOUNT_SID {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "code": 20003, "status": 401 })));
    }
    if ["To", "From", "Body"].iter().any(|name| form.get(*name).is_none_or(String::is_empty)) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "code": 21602, "status": 400 })));
    }
    let mut sent = sent.lock().expect("no holder panics");
    sent.push(form);
    (StatusCode::CREATED, Json(json!({ "sid": format!("SM{:032}", sent.len()), "status": "queued" })))
}

#[tokio::test]
async fn signed_in_sent_by_rest_and_called_back() {
    let sent = Sent::default();
    let record = Arc::clone(&sent);
    let api = Router::new().route(
        "/2010-04-01/Accounts/{sid}/Messages.json",
        post(async move |Path(sid): Path<String>, headers: HeaderMap, Form(form)| {
            rest(record, headers, sid, form).await
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let api_url = format!("http://{}", listener.local_addr().expect("an address"));
    let api = tokio::spawn(axum::serve(listener, api).into_future());
    let hub = super::plan()
        .await
        .set("channels.sms.twilio.auth_token", &format!("\"{AUTH_TOKEN}\""))
        .set("channels.sms.twilio.account_sid", ACCOUNT_SID)
        .set("channels.sms.twilio.sender", "\"+15005550006\"")
        .set("channels.sms.twilio.api_url", &api_url)
        .start()
        .await;
    let wait_sent = async |wanted: &str| {
        peers::eventually("a message at Twilio", async || {
            let sent = sent.lock().expect("no holder panics");
            sent.iter().position(|form| form["Body"].contains(wanted)).map(|at| (at + 1, sent[at].clone()))
        })
        .await
    };

    let door = hub.url("/channels/sms/twilio");
    let parameters = [
        ("MessageSid", "SM1"),
        ("From", CITIZEN),
        ("To", "+15005550006"),
        ("Body", "The street light in Chengjiang Road is broken"),
        ("NumMedia", "0"),
    ];
    let answer = peers::twilio::post(&door, &door, AUTH_TOKEN, &parameters).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "<Response/>"));
    assert_eq!(
        (&answer.headers["yingda-outcome"], &answer.headers["content-type"]),
        (&json!("new"), &json!("text/xml"))
    );
    let number = hub.only_ticket().await;
    wait_sent(&number).await;

    hub.answer("wangjiang-urban-management", &number, "The light works again.").await;
    let (at, reply) = wait_sent("The light works again.").await;
    assert_eq!((reply["To"].as_str(), reply["From"].as_str()), (CITIZEN, "+15005550006"));
    let callback = &reply["StatusCallback"];
    let sid = format!("SM{at:032}");
    for status in ["sent", "delivered"] {
        let report = [("MessageSid", sid.as_str()), ("MessageStatus", status)];
        let answer = peers::twilio::post(callback, callback, AUTH_TOKEN, &report).await;
        assert_eq!((answer.status, &answer.headers["yingda-outcome"]), (200, &json!("report")));
    }
    let ticket = hub.delivered(&number).await;
    assert_eq!(deliveries(&ticket, "reply")[0]["attempts"][0]["provider_id"], json!(sid));

    // A forged one is kept aside and answered like any other.
    let answer = peers::twilio::post(&door, &door, "another token of thirty-two char", &parameters).await;
    assert_eq!((answer.status, &answer.headers["yingda-outcome"]), (200, &json!("quarantined")));
    assert_eq!(hub.agent().tickets().await.len(), 1);
    hub.end().await;
    api.abort();
}
