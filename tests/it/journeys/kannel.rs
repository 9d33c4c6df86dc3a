//! SMS over a running Kannel: Chinese text both ways, long ones in parts, reports by attempt.

use crate::hub::deliveries;
use crate::peers::kannel::Kannel;

const CITIZEN: &str = "+8613800138001";

#[tokio::test]
async fn chinese_messages_go_both_ways_and_reports_come_back() {
    const SECRET: &str = "kannel-secret-of-the-journey";
    let plan = super::plan().await.set("channels.sms.kannel.secret", SECRET);
    let mut kannel = Kannel::start(&plan.url(&format!("/channels/sms/kannel?secret={SECRET}"))).await;
    let hub = plan.set("channels.sms.kannel.sendsms_url", &kannel.sendsms_url()).start().await;

    // Longer than one short message of 70 characters, with quotation marks whose octets look like white space.
    let text = format!("“澄江路”的路灯坏了……{}", "晚上漆黑一片，老人孩子都不敢出门，".repeat(5));
    kannel.say(CITIZEN, "12345", &text).await;
    let number = hub.only_ticket().await;
    let ticket = hub.agent().ticket(&number).await;
    assert_eq!(ticket["appeals"][0]["text"], text);
    assert_eq!(ticket["appeals"][0]["from"], CITIZEN);
    let acknowledged = async || {
        let text: String = kannel.arrived().iter().map(|sms| sms.text.as_str()).collect();
        text.contains(&number).then_some(())
    };
    crate::peers::eventually("the acknowledgement on the telephone", acknowledged).await;

    hub.answer("wangjiang-urban-management", &number, "路灯已修好").await;
    let sms = kannel.wait_arrived(|sms| sms.text.contains("路灯已修好")).await;
    assert_eq!(sms.to, CITIZEN);
    let ticket = hub.delivered(&number).await;
    let reply = deliveries(&ticket, "reply")[0];
    assert_eq!(reply["attempts"][0]["report"], "delivered");

    // A text in parts is one appeal.
    kannel
        .say_in_parts(
            "+8613800138002",
            "12345",
            ["A manhole cover is missing on Chengjiang Road, ", "somebody nearly fell in last night"],
        )
        .await;
    let whole = hub.wait_tickets(2).await;
    let second = whole[1]["number"].as_str().expect("a number").to_owned();
    let ticket = hub.agent().ticket(&second).await;
    assert_eq!(
        ticket["appeals"][0]["text"],
        "A manhole cover is missing on Chengjiang Road, somebody nearly fell in last night"
    );

    // The network is away: Kannel accepts and queues, and only its later report closes the delivery.
    kannel.network_off();
    hub.agent().act(&number, "reopen", serde_json::json!({})).await;
    hub.handler("wangjiang-urban-management").act(&number, "sign", serde_json::json!({})).await;
    hub.handler("wangjiang-urban-management")
        .act(&number, "replies", serde_json::json!({ "text": "灯杆也已加固" }))
        .await;
    let waiting = hub
        .wait_ticket(&number, |ticket| deliveries(ticket, "reply").last().is_some_and(|last| last["state"] == "sent"))
        .await;
    assert_eq!(waiting["state"], "replied");
    kannel.network_on().await;
    kannel.wait_arrived(|sms| sms.text.contains("灯杆也已加固")).await;
    hub.delivered(&number).await;
    hub.end().await;
}
