//! The citizen pages in Chromium: the form and the progress page without scripts, the chat widget with its one.

use serde_json::json;

use crate::hub::deliveries;
use crate::peers::browser;
use crate::peers::smtp_fault::SmtpFault;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const DEPARTMENT: &str = "wangjiang-urban-management";

#[tokio::test]
async fn a_form_without_javascript_is_filed_followed_and_answered() {
    let hub = super::plan().await.start().await;
    let fields = json!({
        "text": "路灯坏了好几天", "place": "澄江路12号", "name": "王女士",
        "photos": [{ "name": "light.png", "media_type": "image/png", "base64": PNG }],
    });
    let filed = browser::run("form.mjs", &hub.url(""), &json!({ "file": fields })).await;
    browser::assert_clean(&filed);
    let number = filed["number"].as_str().expect("a number");
    assert_eq!(hub.only_ticket().await, number);
    let ticket = hub.agent().ticket(number).await;
    assert_eq!((&ticket["channel"], &ticket["place"]), (&json!("webform"), &json!("澄江路12号")));
    assert_eq!(ticket["appeals"][0]["attachments"][0]["state"], "stored");

    hub.answer(DEPARTMENT, number, "路灯已修好").await;
    let follow = json!({ "track": { "number": number, "code": filed["code"] } });
    let followed = browser::run("form.mjs", &hub.url(""), &follow).await;
    browser::assert_clean(&followed);
    assert!(followed["track"].as_str().is_some_and(|page| page.contains("路灯已修好")), "{followed}");
    hub.delivered(number).await;
    hub.end().await;
}

#[tokio::test]
async fn an_address_typed_in_gets_a_code_first_and_the_answer_when_confirmed() {
    let mail = SmtpFault::start().await;
    let hub = super::plan()
        .await
        .set("channels.email.mailbox.address", "hub@city.test")
        .set("channels.email.mailbox.smtp_url", &mail.smtp_url())
        .start()
        .await;
    let fields = json!({
        "text": "The street light is broken", "place": "Chengjiang Road 12", "answer_channel": "email",
        "answer_address": "citizen@city.test",
    });
    let filed = browser::run("form.mjs", &hub.url(""), &json!({ "locale": "en-GB", "file": fields })).await;
    browser::assert_clean(&filed);
    let number = filed["number"].as_str().expect("a number");
    let code_mail = mail.wait_taken(|mail| mail.to == ["citizen@city.test"]).await;
    assert_eq!(hub.agent().ticket(number).await["answer"]["confirmed"], false);
    let parsed = mail_parser::MessageParser::default().parse(code_mail.raw.as_bytes()).expect("a mail");
    let text = parsed.body_text(0).expect("a text").into_owned();
    assert!(!text.contains("street light"), "whoever owns the address learns nothing: {text}");
    let code = text
        .split(|letter: char| !letter.is_ascii_digit())
        .find(|digits| digits.len() == 6)
        .unwrap_or_else(|| panic!("no code in {text}"));

    let confirm = json!({ "locale": "en-GB", "confirm": { "number": number, "code": filed["code"], "entered": code } });
    browser::assert_clean(&browser::run("form.mjs", &hub.url(""), &confirm).await);
    let ticket = hub.agent().ticket(number).await;
    assert_eq!((&ticket["answer"]["channel"], &ticket["answer"]["confirmed"]), (&json!("email"), &json!(true)));
    hub.answer(DEPARTMENT, number, "The light works again.").await;
    mail.wait_taken(|mail| mail.to == ["citizen@city.test"] && mail.raw.contains("The light works again.")).await;
    let ticket = hub.delivered(number).await;
    assert_eq!(deliveries(&ticket, "reply")[0]["channel"], "email");
    hub.end().await;
}

#[tokio::test]
async fn an_unconfirmed_address_is_told_nothing() {
    let mail = SmtpFault::start().await;
    let hub = super::plan()
        .await
        .set("channels.email.mailbox.address", "hub@city.test")
        .set("channels.email.mailbox.smtp_url", &mail.smtp_url())
        .start()
        .await;
    let fields = json!({
        "text": "澄江路的路灯坏了", "answer_channel": "email", "answer_address": "neighbour@city.test",
    });
    let filed = browser::run("form.mjs", &hub.url(""), &json!({ "file": fields })).await;
    let number = filed["number"].as_str().expect("a number");
    mail.wait_taken(|mail| mail.to == ["neighbour@city.test"]).await;
    hub.answer(DEPARTMENT, number, "路灯已修好").await;
    let ticket = hub
        .wait_ticket(number, |ticket| deliveries(ticket, "reply").first().is_some_and(|one| one["state"] == "sent"))
        .await;
    assert_eq!(deliveries(&ticket, "reply")[0]["channel"], "webform");
    assert_eq!(mail.taken().len(), 1, "the code and nothing else");
    hub.end().await;
}

#[tokio::test]
async fn the_widget_carries_a_conversation() {
    let hub = super::plan().await.start().await;
    let conversation = json!({ "path": "/widget-demo", "text": "澄江路的路灯坏了", "reply": "路灯已修好" });
    let base = hub.url("");
    let chat = browser::run("widget.mjs", &base, &conversation);
    let desk = async {
        let number = hub.only_ticket().await;
        hub.answer(DEPARTMENT, &number, "路灯已修好").await;
        number
    };
    let (chat, number) = tokio::join!(chat, desk);
    browser::assert_clean(&chat);
    assert_eq!(chat["entries"], chat["after_reload"]);
    let entries = chat["entries"].as_array().expect("a list");
    let kinds: Vec<_> = entries.iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, [&json!(null), &json!("acknowledgement"), &json!("reply")]);
    assert_eq!(entries[2]["ticket"], json!(number));
    hub.delivered(&number).await;
    hub.end().await;
}
