//! A call: an agent files what the caller says; the answer goes out by SMS, or is told in a call back.

use serde_json::json;

use crate::hub::SMS_SECRET;
use crate::peers::sms_gateway::SmsGateway;

const CALLER: &str = "+8613800138003";
const TEXT: &str = "澄江路的路灯坏了";
const DEPARTMENT: &str = "wangjiang-urban-management";

#[tokio::test]
async fn a_caller_is_answered_by_sms() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = super::plan().await.sms(&gateway).start().await;
    let call =
        json!({ "channel": "phone", "from": CALLER, "text": TEXT, "answer_channel": "sms", "answer_address": CALLER });
    let ticket = hub.agent().call_in(&call).await;
    let number = ticket["number"].as_str().expect("a number").to_owned();
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let reply = gateway.wait_taken(|sms| sms.text.contains("路灯已修好")).await;
    assert_eq!(reply.to, CALLER);
    gateway.report(&hub.url("/channels/sms/demo"), &reply.provider_id, "delivered").await;
    hub.delivered(&number).await;
    hub.end().await;
}

#[tokio::test]
async fn a_caller_is_called_back() {
    let hub = super::plan().await.start().await;
    let ticket = hub
        .agent()
        .call_in(&json!({ "channel": "phone", "from": CALLER, "text": TEXT, "answer_channel": "phone" }))
        .await;
    let number = ticket["number"].as_str().expect("a number").to_owned();
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let tasks = hub.agent().get("/call-tasks").await;
    let task = &tasks["items"][0];
    assert_eq!((&task["ticket"], &task["to"]), (&json!(number), &json!(CALLER)));
    assert!(task["text"].as_str().is_some_and(|text| text.contains("路灯已修好")), "{task}");
    assert_eq!(hub.agent().ticket(&number).await["state"], "replied", "an open call is no delivered answer");
    let done = format!("/call-tasks/{}/done", task["id"].as_str().expect("an id"));
    let (status, body) = hub.agent().post(&done, &json!({ "note": "本人接听，表示满意" })).await;
    assert_eq!(status, 204, "{body}");
    hub.delivered(&number).await;
    assert_eq!(hub.agent().get("/call-tasks").await["items"], json!([]));
    hub.end().await;
}
