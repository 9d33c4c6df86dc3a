//! Journeys over two channels: the answer goes where the citizen wants it, or where it can still arrive.

use serde_json::json;

use crate::hub::{Hub, SMS_SECRET, deliveries, json_of};
use crate::peers::sms_gateway::{Answer, SmsGateway};
use crate::peers::smtp_fault::{Mode, SmtpFault};

const CITIZEN: &str = "+8613800138004";
const TEXT: &str = "澄江路的路灯坏了";
const DEPARTMENT: &str = "wangjiang-urban-management";

async fn start(gateway: &SmsGateway, mail: &SmtpFault) -> Hub {
    super::plan()
        .await
        .sms(gateway)
        .set("channels.email.mailbox.address", "hub@city.test")
        .set("channels.email.mailbox.smtp_url", &mail.smtp_url())
        .start()
        .await
}

/// A message by SMS whose citizen tells an agent to be answered by mail.
async fn filed(hub: &Hub, gateway: &SmsGateway) -> String {
    let answer = gateway.say(&hub.url("/channels/sms/demo"), "in-1", CITIZEN, TEXT).await;
    let body = json_of(answer, reqwest::StatusCode::OK).await;
    let number = body["ticket"].as_str().expect("a number").to_owned();
    hub.agent().act(&number, "answer-address", json!({ "channel": "email", "address": "citizen@city.test" })).await;
    number
}

#[tokio::test]
async fn comes_in_by_sms_and_is_answered_by_mail() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mail = SmtpFault::start().await;
    let hub = start(&gateway, &mail).await;
    let number = filed(&hub, &gateway).await;
    hub.answer(DEPARTMENT, &number, "The light works again.").await;
    let reply = mail.wait_taken(|mail| mail.raw.contains("The light works again.")).await;
    assert_eq!(reply.to, ["citizen@city.test"]);
    let ticket = hub.delivered(&number).await;
    assert_eq!(deliveries(&ticket, "reply")[0]["channel"], "email");
    assert!(gateway.taken().iter().all(|sms| !sms.text.contains("works again")));
    hub.end().await;
}

#[tokio::test]
async fn a_refused_mailbox_falls_back_to_the_telephone_it_came_from() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mail = SmtpFault::start().await;
    mail.switch(Mode::RefuseRecipient(550));
    let hub = start(&gateway, &mail).await;
    let number = filed(&hub, &gateway).await;
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let reply = gateway.wait_taken(|sms| sms.text.contains("路灯已修好")).await;
    assert_eq!(reply.to, CITIZEN);
    gateway.report(&hub.url("/channels/sms/demo"), &reply.provider_id, "delivered").await;
    let ticket = hub.delivered(&number).await;
    let replies = deliveries(&ticket, "reply");
    assert_eq!((&replies[0]["channel"], &replies[0]["state"]), (&json!("email"), &json!("failed")));
    assert_eq!((&replies[1]["channel"], &replies[1]["state"]), (&json!("sms"), &json!("delivered")));
    assert_eq!(replies[1]["fallback_of"], replies[0]["id"]);
    hub.end().await;
}

#[tokio::test]
async fn a_deferring_mail_server_only_delays() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mail = SmtpFault::start().await;
    mail.switch(Mode::RefuseData(451));
    let hub = start(&gateway, &mail).await;
    let number = filed(&hub, &gateway).await;
    hub.answer(DEPARTMENT, &number, "The light works again.").await;
    hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply")[0]["attempts"][0]["ended_at"].is_string()).await;
    mail.switch(Mode::Accept);
    mail.wait_taken(|mail| mail.raw.contains("The light works again.")).await;
    let ticket = hub.delivered(&number).await;
    assert_eq!(deliveries(&ticket, "reply").len(), 1, "no other address was tried");
    assert_eq!(mail.taken().iter().filter(|mail| mail.raw.contains("works again")).count(), 1);
    hub.end().await;
}

#[tokio::test]
async fn a_confidential_answer_does_not_leave_its_channel() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mail = SmtpFault::start().await;
    let hub = start(&gateway, &mail).await;
    let call = json!({
        "channel": "phone", "from": CITIZEN, "text": TEXT, "confidential": true, "answer_channel": "email",
        "answer_address": "citizen@city.test",
    });
    let number = hub.agent().call_in(&call).await["number"].as_str().expect("a number").to_owned();
    hub.answer(DEPARTMENT, &number, "Your neighbour was fined.").await;
    let notice = mail.wait_taken(|mail| mail.to == ["citizen@city.test"] && mail.raw.contains(&number)).await;
    assert!(!notice.raw.contains("fined"), "{}", notice.raw);
    hub.delivered(&number).await;
    assert!(mail.taken().iter().all(|mail| !mail.raw.contains("fined")));
    hub.end().await;
}

#[tokio::test]
async fn a_gateway_that_refuses_the_number_leaves_a_call() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mail = SmtpFault::start().await;
    let hub = start(&gateway, &mail).await;
    let answer = gateway.say(&hub.url("/channels/sms/demo"), "in-1", CITIZEN, TEXT).await;
    let number = json_of(answer, reqwest::StatusCode::OK).await["ticket"].as_str().expect("a number").to_owned();
    gateway.wait_taken(|sms| sms.text.contains(&number)).await;
    gateway.answer_always(Answer::Refuse(422));
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let ticket = hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply").len() == 2).await;
    let replies = deliveries(&ticket, "reply");
    assert_eq!((&replies[0]["state"], replies[0]["attempts"].as_array().map(Vec::len)), (&json!("failed"), Some(1)));
    assert_eq!((&replies[1]["channel"], &replies[1]["to"]), (&json!("phone"), &json!(CITIZEN)));
    hub.end().await;
}
