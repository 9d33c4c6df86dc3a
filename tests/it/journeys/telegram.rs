//! Telegram by long polling: text, album, numbered question by button, limits and a blocked bot.

use serde_json::{Value, json};

use crate::hub::{Hub, Plan, deliveries};
use crate::peers::telegram::Telegram;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const LIGHT: &str = "澄江路的路灯坏了";

async fn start(telegram: &Telegram) -> Hub {
    Plan::new()
        .set("channels.telegram.bot.token", Telegram::TOKEN)
        .set("channels.telegram.bot.api_url", &telegram.api_url())
        .start()
        .await
}

fn text_of(call: &Value) -> &str {
    call["parameters"]["text"].as_str().unwrap_or_default()
}

fn to(call: &Value, chat: i64) -> bool {
    let given = &call["parameters"]["chat_id"];
    given.as_i64() == Some(chat) || given.as_str().is_some_and(|text| text.parse() == Ok(chat))
}

#[tokio::test]
async fn a_text_is_answered_even_when_telegram_asks_to_wait() {
    let telegram = Telegram::start().await;
    let hub = start(&telegram).await;
    telegram.say(7, LIGHT).await;
    let number = hub.only_ticket().await;
    telegram.wait_call(|call| to(call, 7) && text_of(call).contains(&number)).await;

    telegram.fault(&json!([{ "code": 429, "retry_after": 1 }])).await;
    hub.answer("wangjiang-urban-management", &number, "路灯已修好").await;
    telegram.wait_call(|call| to(call, 7) && text_of(call).contains("路灯已修好")).await;
    let ticket = hub.delivered(&number).await;
    let attempts = deliveries(&ticket, "reply")[0]["attempts"].as_array().expect("a list").clone();
    assert_eq!(attempts.len(), 2, "one told to wait, one taken: {attempts:?}");
    let starts: Vec<_> = attempts
        .iter()
        .map(|one| {
            one["started_at"].as_str().expect("a time").parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339")
        })
        .collect();
    assert!(starts[1] - starts[0] >= chrono::TimeDelta::seconds(1), "retry_after is honoured: {starts:?}");

    let before = telegram.calls().await.len();
    telegram.say(7, "/start").await;
    crate::peers::eventually("a greeting", async || (telegram.calls().await.len() > before).then_some(())).await;
    let ledger = hub.ledger().await;
    assert_eq!((&ledger["new"], &ledger["control"]), (&json!(1), &json!(1)));
    hub.end().await;
}

#[tokio::test]
async fn an_album_is_one_appeal_with_its_photos() {
    let telegram = Telegram::start().await;
    let hub = start(&telegram).await;
    for (file, caption) in [("photo-1", Some(LIGHT)), ("photo-2", None)] {
        telegram.control("file", &json!({ "file_id": file, "base64": PNG })).await;
        let photo = json!([{ "file_id": file, "file_unique_id": format!("u-{file}"), "width": 1, "height": 1, "file_size": 70 }]);
        let mut message = json!({ "chat": 8, "photo": photo, "media_group_id": "album-1" });
        if let Some(caption) = caption {
            message["caption"] = json!(caption);
        }
        telegram.control("message", &message).await;
    }
    let number = hub.only_ticket().await;
    let ticket = hub
        .wait_ticket(&number, |ticket| {
            let files = ticket["appeals"][0]["attachments"].as_array().expect("a list");
            files.len() == 2 && files.iter().all(|file| file["state"] == "stored")
        })
        .await;
    assert_eq!(ticket["appeals"].as_array().map(Vec::len), Some(1), "{ticket:#}");
    assert_eq!(ticket["appeals"][0]["text"], LIGHT);
    assert_eq!(ticket["appeals"][0]["attachments"][0]["media_type"], "image/png");
    assert_eq!(ticket["department"], "wangjiang-urban-management");
    hub.end().await;
}

#[tokio::test]
async fn a_vague_message_is_asked_about_and_moved_by_a_button() {
    let telegram = Telegram::start().await;
    let hub = start(&telegram).await;
    telegram.say(9, LIGHT).await;
    let light = hub.only_ticket().await;
    telegram.say(9, "楼下工地半夜施工噪音太大，睡不着").await;
    hub.wait_tickets(2).await;
    telegram.say(9, "请问现在怎么样了").await;
    let third = hub.wait_tickets(3).await[2]["number"].as_str().expect("a number").to_owned();
    let question = telegram
        .wait_call(|call| {
            to(call, 9) && !call["parameters"]["reply_markup"].is_null() && text_of(call).contains(&light)
        })
        .await;
    let markup = &question["parameters"]["reply_markup"];
    let markup = markup.as_str().map_or_else(|| markup.clone(), |text| serde_json::from_str(text).expect("JSON"));
    let position = text_of(&question)
        .lines()
        .filter(|line| line.trim_start().starts_with(['1', '2', '3']))
        .position(|line| line.contains(&light));
    let button = &markup["inline_keyboard"][position.expect("the light among the choices")][0];
    telegram.control("press", &json!({ "chat": 9, "data": button["callback_data"] })).await;
    let ticket = hub.wait_ticket(&light, |ticket| ticket["appeals"].as_array().map(Vec::len) == Some(2)).await;
    assert_eq!(ticket["appeals"][1]["text"], "请问现在怎么样了");
    assert_eq!(hub.agent().ticket(&third).await["state"], "closed", "nothing is left in it");
    hub.end().await;
}

#[tokio::test]
async fn a_chat_that_refuses_becomes_a_call_task() {
    let telegram = Telegram::start().await;
    let hub = start(&telegram).await;
    telegram.say(10, LIGHT).await;
    let number = hub.only_ticket().await;
    telegram.wait_call(|call| to(call, 10) && text_of(call).contains(&number)).await;
    telegram.fault(&json!([{ "code": 403, "method": "sendmessage" }])).await;
    hub.answer("wangjiang-urban-management", &number, "路灯已修好").await;
    let ticket = hub
        .wait_ticket(&number, |ticket| deliveries(ticket, "reply").iter().any(|one| one["channel"] == "phone"))
        .await;
    let replies = deliveries(&ticket, "reply");
    assert_eq!((&replies[0]["channel"], &replies[0]["state"]), (&json!("telegram"), &json!("failed")), "{replies:#?}");
    assert_eq!(replies[1]["fallback_of"], replies[0]["id"]);
    let tasks = hub.agent().get("/call-tasks").await;
    assert_eq!(tasks["items"][0]["ticket"], json!(number));
    let task = tasks["items"][0]["id"].as_str().expect("an id");
    let (status, _) = hub.agent().post(&format!("/call-tasks/{task}/done"), &json!({ "note": "told" })).await;
    assert_eq!(status, 204);
    hub.delivered(&number).await;
    hub.end().await;
}

#[tokio::test]
async fn who_blocked_the_bot_is_called() {
    let telegram = Telegram::start().await;
    let hub = start(&telegram).await;
    telegram.say(11, LIGHT).await;
    let number = hub.only_ticket().await;
    telegram.wait_call(|call| to(call, 11) && text_of(call).contains(&number)).await;
    telegram.control("block", &json!({ "chat": 11 })).await;
    crate::peers::eventually("the block in the ledger", async || (hub.ledger().await["control"] == 1).then_some(()))
        .await;
    hub.answer("wangjiang-urban-management", &number, "路灯已修好").await;
    let ticket = hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply").len() == 2).await;
    let ways: Vec<_> =
        deliveries(&ticket, "reply").iter().map(|one| (one["channel"].clone(), one["state"].clone())).collect();
    assert_eq!(ways, [(json!("telegram"), json!("failed")), (json!("phone"), json!("queued"))]);
    let tasks = hub.agent().get("/call-tasks").await;
    assert_eq!(tasks["items"][0]["ticket"], json!(number));
    hub.end().await;
}
