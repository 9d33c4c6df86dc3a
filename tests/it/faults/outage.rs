//! Far ends that are down for a while: what they owe and what is owed to them arrives when they are back.

use serde_json::{Value, json};

use super::{Provider, mailed, telephone, text};
use crate::hub::{Hub, Plan, SMS_SECRET, deliveries};
use crate::peers::sms_gateway::{Answer, SmsGateway};
use crate::peers::smtp_fault::{Mode, SmtpFault};
use crate::peers::telegram::Telegram;

/// Waits until the hub has tried in vain to send the acknowledgement of a ticket, and will try again.
async fn tried_in_vain(hub: &Hub, number: &str, times: usize) -> Value {
    hub.wait_ticket(number, |ticket| {
        let acknowledgement = deliveries(ticket, "acknowledgement");
        acknowledgement.first().is_some_and(|one| {
            one["state"] == "queued" && one["attempts"].as_array().is_some_and(|attempts| attempts.len() >= times)
        })
    })
    .await
}

#[tokio::test]
async fn an_sms_gateway_that_is_down_gets_everything_later() {
    let mut gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = Plan::new().sms(&gateway).start().await;
    let provider = Provider::new(&hub);
    gateway.stop().await;
    let (_, first) = provider.take("m-1", &telephone(1), text(1)).await;
    let first = first.expect("a ticket");
    tried_in_vain(&hub, &first, 2).await;

    // Back, but not well yet: an error, then a break in the middle of an answer.
    gateway.answer_next(&[Answer::Refuse(503), Answer::Drop]);
    gateway.start_again().await;
    gateway.wait_taken(|sms| sms.text.contains(&first)).await;
    let sent = hub.wait_ticket(&first, |ticket| deliveries(ticket, "acknowledgement")[0]["state"] == "sent").await;
    assert!(deliveries(&sent, "acknowledgement")[0]["attempts"].as_array().is_some_and(|tries| tries.len() >= 4));
    assert_eq!(gateway.taken().len(), 1, "the broken try was not sent twice");
    hub.end().await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_gets_everything_later() {
    let mut server = SmtpFault::start().await;
    let hub = Plan::new().set("channels.email.mailbox.smtp_url", &server.smtp_url()).start().await;
    server.stop();
    let (outcome, number) = mailed(&hub).await;
    let number = number.expect("a ticket");
    assert_eq!(outcome, "new");
    tried_in_vain(&hub, &number, 2).await;

    server.switch(Mode::RefuseData(451));
    server.start_again().await;
    let tries = |ticket: &Value| deliveries(ticket, "acknowledgement")[0]["attempts"].as_array().map_or(0, Vec::len);
    let so_far = tries(&hub.agent().ticket(&number).await);
    tried_in_vain(&hub, &number, so_far + 2).await;
    server.switch(Mode::Accept);
    let mail = server.wait_taken(|mail| mail.to == ["li@example.com"]).await;
    assert!(mail.raw.contains("Auto-Submitted: auto-replied"), "{}", mail.raw);
    hub.wait_ticket(&number, |ticket| deliveries(ticket, "acknowledgement")[0]["state"] != "queued").await;
    assert_eq!(server.taken().len(), 1);
    hub.end().await;
}

#[tokio::test]
async fn telegram_that_is_down_gets_and_gives_everything_later() {
    let telegram = Telegram::start().await;
    let hub = Plan::new()
        .set("channels.telegram.bot.token", Telegram::TOKEN)
        .set("channels.telegram.bot.api_url", &telegram.api_url())
        .start()
        .await;
    telegram.say(7, text(1)).await;
    let first = hub.only_ticket().await;
    telegram.wait_call(|call| call["method"] == "sendmessage").await;

    // Nothing leaves, and the poll that waits is the last one to be answered for a while.
    let down = json!({ "code": 502, "method": "getUpdates" });
    telegram
        .fault(&json!([{ "code": 502 }, { "code": 500, "drop": true }, { "code": 429, "retry_after": 1 }, down]))
        .await;
    let ticket = hub.agent().ticket(&first).await;
    let department = ticket["department"].as_str().expect("a department");
    hub.answer(department, &first, "路灯已修好").await;
    let wanted = |call: &Value| {
        call["method"] == "sendmessage"
            && call["parameters"]["text"].as_str().is_some_and(|text| text.contains("路灯已修好"))
    };
    telegram.wait_call(wanted).await;
    let answered = hub.delivered(&first).await;
    assert!(deliveries(&answered, "reply")[0]["attempts"].as_array().is_some_and(|tries| tries.len() >= 4));

    for chat in [8, 9] {
        telegram.say(chat, text(2)).await;
    }
    hub.wait_tickets(3).await;
    assert_eq!(hub.ledger().await["new"], json!(3));
    hub.end().await;
}
