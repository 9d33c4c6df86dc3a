//! The generic SMS gateway: in by a signed webhook, the answer out by a signed call, the report back.

use serde_json::{Value, json};

use crate::hub::{SMS_SECRET, deliveries, json_of};
use crate::peers::sms_gateway::SmsGateway;

const CITIZEN: &str = "+8613800138000";
const TEXT: &str = "澄江路的路灯坏了好几天，晚上漆黑一片";
const DEPARTMENT: &str = "wangjiang-urban-management";

#[tokio::test]
async fn comes_in_and_is_answered() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = super::plan().await.sms(&gateway).start().await;
    let door = hub.url("/channels/sms/demo");

    let answer = gateway.say(&door, "in-1", CITIZEN, TEXT).await;
    assert_eq!(answer.headers()["yingda-outcome"], "new");
    let body = json_of(answer, reqwest::StatusCode::OK).await;
    let number = body["ticket"].as_str().expect("a number").to_owned();
    let acknowledgement = gateway.wait_taken(|sms| sms.text.contains(&number)).await;
    assert_eq!(acknowledgement.to, CITIZEN);

    hub.answer(DEPARTMENT, &number, "路灯已修好，请查看").await;
    let reply = gateway.wait_taken(|sms| sms.text.contains("路灯已修好")).await;
    assert_eq!(reply.to, CITIZEN);
    let sent = hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply")[0]["state"] == "sent").await;
    assert_eq!(sent["state"], "replied", "acceptance is no delivery where reports come");
    assert_eq!(deliveries(&sent, "reply")[0]["id"], json!(reply.delivery_id));

    let report = gateway.report(&door, &reply.provider_id, "delivered").await;
    assert_eq!(report.headers()["yingda-outcome"], "report");
    let ticket = hub.delivered(&number).await;
    assert_eq!(deliveries(&ticket, "reply")[0]["state"], "delivered");
    assert_eq!(deliveries(&ticket, "reply")[0]["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(ticket["appeals"][0]["text"], TEXT);
    assert_eq!(ticket["appeals"][0]["from"], CITIZEN);

    // The same message again, and the report: nothing happens twice.
    let again = gateway.say(&door, "in-1", CITIZEN, TEXT).await;
    assert_eq!(again.headers()["yingda-outcome"], "duplicate");
    assert_eq!(json_of(again, reqwest::StatusCode::OK).await["ticket"], json!(number));
    let expected = json!({ "received": 3, "new": 1, "appended": 0, "reports": 1, "control": 0, "duplicates": 1, "quarantined": 0 });
    assert_eq!(hub.ledger().await, expected);
    assert_eq!(gateway.taken().len(), 2);
    assert_eq!(gateway.refused_signatures(), 0);
    hub.end().await;
}

/// What is under way when the hub is killed arrives after its next start, and the gateway's outage delays only.
#[tokio::test]
async fn an_outage_and_a_kill_delay_but_lose_nothing() {
    let mut gateway = SmsGateway::start(SMS_SECRET).await;
    let mut hub = super::plan().await.sms(&gateway).start().await;
    let door = hub.url("/channels/sms/demo");
    gateway.stop().await;
    let mut numbers = Vec::new();
    for id in ["in-1", "in-2", "in-3"] {
        let from = format!("{CITIZEN}{}", id.chars().skip(3).collect::<String>());
        let client = SmsGateway::start(SMS_SECRET).await;
        let body: Value = json_of(client.say(&door, id, &from, TEXT).await, reqwest::StatusCode::OK).await;
        numbers.push(body["ticket"].as_str().expect("a number").to_owned());
    }
    hub.wait_ticket(&numbers[0], |ticket| {
        deliveries(ticket, "acknowledgement")[0]["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty())
    })
    .await;
    hub.kill().await;
    gateway.start_again().await;
    hub.start_again().await;
    for number in &numbers {
        gateway.wait_taken(|sms| sms.text.contains(number.as_str())).await;
    }
    assert_eq!(gateway.taken().len(), 3);
    assert_eq!(hub.agent().tickets().await.len(), 3);
    hub.end().await;
}
