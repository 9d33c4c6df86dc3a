//! What citizens say one after another, over SMS and chat: which ticket it reaches, and what it does there.

use bytes::Bytes;
use channel_contract::{Content, Inbound, Message, Outcome, RawRequest, Receipt, Verdict, digest};
use serde_json::{Value, json};

use super::{City, MINUTE};

/// Where the messages come from.
const FROM: &str = "+8613800138000";

impl City {
    /// Takes a verified message of `FROM` over an account.
    async fn takes(&self, account: &str, message: Message) -> Verdict {
        let channel = self.hub.channels.get(account).expect("an account").clone();
        let raw = RawRequest {
            method: "POST".to_owned(),
            url: "http://hub.test/".to_owned(),
            headers: Vec::new(),
            peer: None,
            body: Bytes::new(),
            received_at: self.hub.clock.now(),
        };
        let key = uuid::Uuid::new_v4().to_string();
        let message = Message { from: FROM.to_owned(), ..message };
        let content = Content::Message(Box::new(message));
        let item = Inbound { digest: digest([key.as_bytes()]), key, content };
        let taken = self.hub.take(&channel, raw, Receipt::Verified(vec![item]), None).await;
        taken.expect("taken").pop().expect("one verdict")
    }

    /// Takes an SMS; what became of it, and its ticket.
    async fn says(&self, text: &str) -> (Outcome, Value) {
        let verdict = self.takes("demo", Message { text: text.to_owned(), ..Message::default() }).await;
        let number = verdict.ticket.expect("a ticket");
        (verdict.outcome, self.get("agent", &format!("/tickets/{number}")).await)
    }

    /// The texts of what goes to the citizen, newest last.
    async fn told(&self) -> Vec<String> {
        let mut conn = self.hub.store.read().await.expect("a connection");
        let rows = conn
            .fetch("select text from deliveries where department is null order by id", Vec::new())
            .await
            .expect("rows");
        rows.iter().map(|row| row.get(0).expect("a text")).collect()
    }

    async fn kinds(&self, number: &Value) -> Vec<String> {
        let number = number.as_str().expect("a number");
        let events = self.get("agent", &format!("/tickets/{number}/events")).await;
        let items = events["items"].as_array().expect("events").iter();
        items.filter_map(|event| event["kind"].as_str().map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn danger_in_what_is_added_alarms_at_once() {
    let city = City::new().await;
    let (_, lamp) = city.says("解放路的路灯不亮了").await;
    assert_eq!(
        (&lamp["state"], &lamp["priority"], &lamp["emergency"]),
        (&json!("dispatched"), &json!("normal"), &json!([]))
    );
    let (outcome, raised) = city.says("有人触电了，快来").await;
    assert_eq!((outcome, &raised["number"]), (Outcome::Appended, &lamp["number"]));
    assert_eq!((&raised["emergency"], &raised["priority"]), (&json!(["120"]), &json!("urgent")));
    assert!(raised["due_at"].as_str() < lamp["due_at"].as_str(), "{raised:#}");
    assert_eq!(raised["assignments"][0]["due_at"], raised["due_at"]);
    assert!(city.kinds(&lamp["number"]).await.contains(&"emergency".to_owned()));
    assert!(city.told().await.last().is_some_and(|text| text.contains("120")), "{:?}", city.told().await);

    // Whoever has signed for it is not spared either, and a second danger does not hide the first.
    let department = lamp["department"].as_str().expect("a department");
    let number = lamp["number"].as_str().expect("a number");
    city.post(department, &format!("/tickets/{number}/sign"), json!({ "version": raised["version"] })).await;
    let (_, burning) = city.says("着火了，快来救火").await;
    assert_eq!((&burning["state"], &burning["emergency"]), (&json!("signed"), &json!(["120", "119"])));
    city.balanced().await;
}

#[tokio::test]
async fn danger_in_doubt_waits_for_nobody() {
    let city = City::new().await;
    city.says("解放路的路灯不亮了").await;
    city.says("小区停水两天了").await;
    let (outcome, ticket) = city.says("家里煤气泄漏").await;
    assert_eq!((outcome, &ticket["hold_until"]), (Outcome::New, &Value::Null));
    assert_eq!(ticket["state"], "dispatched", "{ticket:#}");
    let (outcome, ticket) = city.says("快来人，有人触电了").await;
    assert_eq!(
        (outcome, &ticket["link_reason"], &ticket["hold_until"]),
        (Outcome::New, &json!("emergency"), &Value::Null)
    );
    assert!(!city.told().await.iter().any(|text| text.contains("哪一件")), "{:?}", city.told().await);
}

#[tokio::test]
async fn a_numbered_list_is_answered_as_people_answer() {
    let city = City::new().await;
    let (_, lamp) = city.says("解放路的路灯不亮了").await;
    let (_, water) = city.says("小区停水两天了").await;
    let (outcome, asked) = city.says("怎么还没有人来").await;
    assert_eq!((outcome, &asked["link_reason"]), (Outcome::New, &json!("asked")));
    let (outcome, same) = city.says("好的").await;
    assert_eq!((outcome, &same["number"]), (Outcome::Appended, &asked["number"]), "one question is enough");
    // The newest stands first in the list.
    let (outcome, moved) = city.says("回复2").await;
    assert_eq!((outcome, &moved["number"]), (Outcome::Control, &lamp["number"]));
    let texts: Vec<&str> =
        moved["appeals"].as_array().expect("appeals").iter().filter_map(|one| one["text"].as_str()).collect();
    assert_eq!(texts, ["解放路的路灯不亮了", "怎么还没有人来", "好的"]);
    let last = city.told().await.pop().expect("told where");
    assert!(last.contains(lamp["number"].as_str().expect("a number")), "{last}");
    let (outcome, changed) = city.says("1").await;
    assert_eq!((outcome, &changed["number"]), (Outcome::Appended, &water["number"]), "a bare number opens nothing");
    city.balanced().await;
}

#[tokio::test]
async fn an_answer_that_comes_late_still_moves() {
    let city = City::new().await;
    let (_, lamp) = city.says("解放路的路灯不亮了").await;
    city.says("小区停水两天了").await;
    let (_, asked) = city.says("怎么还没有人来").await;
    city.hub.clock.advance(11 * MINUTE);
    crate::dispatch::release_due(&city.hub).await.expect("released");
    let (outcome, moved) = city.says("2").await;
    assert_eq!((outcome, &moved["number"]), (Outcome::Control, &lamp["number"]));
    let number = asked["number"].as_str().expect("a number");
    assert_eq!(city.get("agent", &format!("/tickets/{number}")).await["state"], "closed");
    city.balanced().await;
}

#[tokio::test]
async fn a_greeting_and_the_matter_are_one() {
    let city = City::new().await;
    let (_, greeting) = city.says("你好，我要反映一个问题").await;
    assert_eq!(greeting["state"], "triage");
    let (outcome, ticket) = city.says("解放路的路灯坏了").await;
    assert_eq!((outcome, &ticket["number"]), (Outcome::Appended, &greeting["number"]));
    assert_eq!((&ticket["state"], &ticket["item"]), (&json!("dispatched"), &json!("roads.streetlight")));
    city.hub.clock.advance(11 * MINUTE);
    assert_eq!(city.says("小区停水两天了").await.0, Outcome::New);
}

#[tokio::test]
async fn a_caption_under_any_photo_of_an_album_is_judged() {
    let city = City::new().await;
    let part = |text: &str| Message { text: text.to_owned(), group: Some("album".to_owned()), ..Message::default() };
    let first = city.takes("bot", part("")).await;
    let second = city.takes("bot", part("解放路的路灯坏了，见照片")).await;
    assert_eq!((first.outcome, second.outcome), (Outcome::New, Outcome::Appended));
    assert_eq!(first.ticket, second.ticket);
    let ticket = city.get("agent", &format!("/tickets/{}", first.ticket.expect("a ticket"))).await;
    assert_eq!(
        (&ticket["state"], &ticket["item"], &ticket["language"]),
        (&json!("dispatched"), &json!("roads.streetlight"), &json!("zh-Hans"))
    );
    let mark = &ticket["decision"]["marks"][0];
    assert_eq!((&mark["appeal"], &mark["field"]), (&ticket["appeals"][0]["id"], &json!("text")), "{mark}");
}

#[tokio::test]
async fn an_edited_message_and_an_answer_find_their_ticket() {
    let city = City::new().await;
    let message = |text: &str, id: &str, references: &[&str]| Message {
        text: text.to_owned(),
        message_id: Some(id.to_owned()),
        references: references.iter().map(|&id| id.to_owned()).collect(),
        ..Message::default()
    };
    let lamp = city.takes("bot", message("解放路的路灯坏了", "7:1", &[])).await;
    let water = city.takes("bot", message("小区停水两天了", "7:2", &[])).await;
    assert_eq!((lamp.outcome, water.outcome), (Outcome::New, Outcome::New));
    let edited = city.takes("bot", message("解放路的井盖坏了", "7:1", &["7:1"])).await;
    assert_eq!((edited.outcome, &edited.ticket), (Outcome::Appended, &lamp.ticket));
    let ticket = city.get("agent", &format!("/tickets/{}", lamp.ticket.expect("a ticket"))).await;
    assert_eq!(ticket["item"], "roads.manholes", "the last version counts: {ticket:#}");
    let more = city.takes("bot", message("还是没有人来", "7:3", &["7:2"])).await;
    assert_eq!((more.outcome, more.ticket), (Outcome::Appended, water.ticket));
    city.balanced().await;
}

#[tokio::test]
async fn raw_messages_expire_with_everything_in_them_and_keep_their_hash() {
    let city = City::new().await;
    let channel = city.hub.channels.get("kannel").expect("an account").clone();
    let raw = RawRequest {
        method: "GET".to_owned(),
        url: format!("http://hub.test/channels/sms/kannel?id=1&from={FROM}&text=lamp"),
        headers: vec![("user-agent".to_owned(), b"Kannel".to_vec())],
        peer: None,
        body: Bytes::new(),
        received_at: city.hub.clock.now(),
    };
    let message = Message { from: FROM.to_owned(), text: "lamp".to_owned(), ..Message::default() };
    let item = Inbound { key: "1".to_owned(), digest: digest([]), content: Content::Message(Box::new(message)) };
    city.hub.take(&channel, raw, Receipt::Verified(vec![item]), None).await.expect("taken");
    let kept = async || {
        let mut conn = city.hub.store.read().await.expect("a connection");
        let row = conn
            .fetch_optional("select url, headers, length(body_sha256), body is null from inbound", Vec::new())
            .await;
        let row = row.expect("read").expect("a row");
        let (url, headers): (String, String) = (row.get(0).expect("url"), row.get(1).expect("headers"));
        (url, headers, row.get::<i64>(2).expect("a length"), row.get::<bool>(3).expect("a flag"))
    };
    crate::watch::tidy(&city.hub).await.expect("tidied");
    assert!(kept().await.0.contains("lamp"), "it is not time yet");
    // Ids only ever grow within a process, and the clocks of other tests in it are ahead by a year.
    city.hub.clock.advance(3 * 365 * 24 * 60 * MINUTE);
    crate::watch::tidy(&city.hub).await.expect("tidied");
    assert_eq!(kept().await, ("http://hub.test/channels/sms/kannel".to_owned(), "[]".to_owned(), 32, true));
}
