//! A department's desk on a phone.

use serde_json::{Value, json};

use super::journey;
use crate::hub::{Plan, SMS_SECRET};
use crate::peers::sms_gateway::SmsGateway;

#[tokio::test]
async fn a_handler_on_site_signs_answers_with_a_photo_asks_and_sends_back() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = Plan::new().sms(&gateway).start().await;
    let from = "+8613800138077";
    let arguments = json!({ "secret": SMS_SECRET, "from": from, "department": "urban-management" });
    let seen = journey(&hub, "desk.mjs", arguments).await;
    assert_eq!(seen["waiting"], 1, "what is new waits behind a counter");
    assert_eq!(seen["change"], "紧急程度: 普通 → 高", "what a colleague changed stands field by field");
    assert_eq!(
        (&seen["stopped"], &seen["kept"]),
        (&json!(true), &json!(true)),
        "nothing goes out unseen, nothing written is lost"
    );
    assert_eq!(seen["hidden"], true, "the citizen's telephone is nowhere");
    assert_eq!(seen["overflow"], false);

    let number = seen["number"].as_str().expect("a number");
    gateway.wait_taken(|sms| sms.to == from && sms.text.contains("路灯已于今天下午修好")).await;
    gateway.wait_taken(|sms| sms.to == "+8613800138088" && sms.text.contains("哪一段中山路")).await;
    let ticket = hub.agent().ticket(number).await;
    let photos = |reply: &Value| reply["attachments"].as_array().map_or(0, Vec::len);
    assert_eq!(ticket["replies"].as_array().map(|replies| replies.iter().map(photos).sum()), Some(1), "{ticket}");

    let tickets = hub.agent().tickets().await;
    let back = tickets.iter().find(|ticket| ticket["state"] == "triage").expect("the one that was sent back");
    let back = hub.agent().ticket(back["number"].as_str().expect("a number")).await;
    assert_eq!(back["assignments"][0]["reason"], "outside_district", "{back}");
    hub.end().await;
}
