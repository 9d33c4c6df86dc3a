//! The agents' pages: queue and ticket, with real short messages in and out.

use serde_json::{Value, json};

use super::journey;
use crate::hub::{Hub, Plan, SMS_SECRET, deliveries};
use crate::peers::mail::Mail;
use crate::peers::sms_gateway::{Answer, SmsGateway};

const CITIZEN: &str = "+8613800138021";

async fn hub(gateway: &SmsGateway) -> Hub {
    Plan::new().sms(gateway).start().await
}

fn arguments() -> Value {
    json!({ "secret": SMS_SECRET, "from": CITIZEN })
}

fn text<'value>(seen: &'value Value, key: &str) -> &'value str {
    seen[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn the_queue_is_live_and_still() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = hub(&gateway).await;
    let seen = journey(&hub, "queue.mjs", arguments()).await;
    assert_eq!(seen["unmoved"], true, "nothing moves until one asks for it");
    assert_eq!(text(&seen, "sms_count"), "短信\n3", "three tickets came by SMS");
    assert_eq!(text(&seen, "address"), "/console/queue?channel=sms");
    assert_eq!(seen["found"].as_array().map(Vec::len), Some(1), "two characters find the one ticket: {seen}");
    assert_eq!(text(&seen, "searched"), "/console/queue", "what is searched for stands in no address");
    assert_eq!(seen["contact"], json!({ "rows": 1, "address": false }));
    assert!(text(&seen, "banner").contains("未能实时更新"), "{seen}");
    assert!(text(&seen, "waiting").starts_with("100 件以上"), "all that passed while cut is told: {seen}");
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");
    let mut all: Vec<Value> = Vec::new();
    let mut page = hub.agent().get("/tickets?order=newest&limit=200").await;
    loop {
        all.extend(page["items"].as_array().into_iter().flatten().map(|ticket| ticket["number"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        page = hub.agent().get(&format!("/tickets?order=newest&limit=200&after={next}")).await;
    }
    assert_eq!(all.len(), 223);
    assert_eq!(seen["listed"], json!(all), "each ticket once, newest first");
    hub.end().await;
}

#[tokio::test]
async fn a_whole_ticket_by_keyboard_alone() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = hub(&gateway).await;
    let seen = journey(&hub, "ticket.mjs", arguments()).await;
    let answer = gateway.wait_taken(|taken| taken.text.contains("路灯已经修好")).await;
    assert_eq!(answer.to, CITIZEN);
    assert!(gateway.taken().iter().all(|taken| !taken.text.contains("已电话联系")), "a note stays inside");
    assert!(seen["marked"].to_string().contains('灯'), "the phrase that decided is marked: {seen}");
    assert_eq!(text(&seen, "note").lines().next(), Some("保存内部备注"));
    assert!(text(&seen, "button").contains("138…21"), "the button names the recipient: {seen}");
    assert!(text(&seen, "length").contains("条短信"), "{seen}");
    for key in ["受理", "派单", "答复市民", "写内部备注", "归档", "签收"] {
        assert!(text(&seen, "map").contains(key), "the map of keys names {key}");
    }
    let history = seen["history"].to_string();
    for event in ["派单", "签收", "写内部备注", "答复市民", "归档", "撤销归档"] {
        assert!(history.contains(event), "{event} in {history}");
    }
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");
    let ticket = hub.agent().ticket(text(&seen, "number")).await;
    assert_eq!((&ticket["state"], &ticket["department"]), (&json!("closed"), &json!("parks")));
    hub.end().await;
}

#[tokio::test]
async fn the_less_usual_ways_of_a_ticket() {
    const OTHER: &str = "+8613800138022";
    let gateway = SmsGateway::start(SMS_SECRET).await;
    gateway.answer_always(Answer::Refuse(503));
    // What the gateway refuses is tried again by nobody but the person at the console.
    let plan = Plan::new().sms(&gateway).set("outbox.backoff_base_secs", "3600").set("outbox.backoff_cap_secs", "3600");
    let hub = plan.start().await;
    let mut arguments = arguments();
    arguments["other"] = json!(OTHER);
    let answering = async {
        gateway.wait_calls(2).await;
        gateway.answer_always(Answer::Accept);
        gateway.wait_calls(3).await;
        gateway.answer_always(Answer::Refuse(503));
    };
    let (seen, ()) = tokio::join!(journey(&hub, "work.mjs", arguments), answering);

    let template = text(&seen, "template");
    assert!(template.contains("（燃气）") && !template.contains('{'), "filled in: {template}");
    let sent = gateway.taken();
    assert_eq!(sent.len(), 1, "only what was tried again has left: {sent:?}");
    assert_eq!(
        (sent[0].to.as_str(), sent[0].text.as_str()),
        (CITIZEN, text(&seen, "preview")),
        "the preview is what leaves"
    );

    let supervisor = hub.supervisor();
    let number = text(&seen, "number");
    let ticket = supervisor.ticket(number).await;
    assert_eq!((&ticket["item"], &ticket["assignee"]["name"]), (&json!("utilities.gas"), &json!("agent2")));
    let replies = ticket["replies"].as_array().expect("replies");
    assert_eq!(replies[0]["attachments"][0]["name"], "repaired.png");
    let states: Vec<_> = deliveries(&ticket, "reply").iter().map(|sent| (&sent["channel"], &sent["state"])).collect();
    assert!(states.contains(&(&json!("phone"), &json!("queued"))), "the second answer is a call to make: {states:?}");
    assert_eq!(supervisor.get("/call-tasks").await["items"].as_array().map(Vec::len), Some(1));
    let history = supervisor.get(&format!("/tickets/{number}/events")).await;
    let kinds: Vec<_> =
        history["items"].as_array().into_iter().flatten().filter_map(|event| event["kind"].as_str()).collect();
    for kind in ["classified", "assigned", "signed", "replied", "closed", "reopened"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }

    let said = |ticket: &Value| -> Vec<String> {
        let appeals = ticket["appeals"].as_array().into_iter().flatten();
        appeals.filter_map(|appeal| appeal["text"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(said(&ticket), ["西湖区文三路的路灯坏了，晚上很黑"]);
    let target = supervisor.ticket(text(&seen, "target")).await;
    assert_eq!(said(&target), ["人民路的井盖不见了", "上次说的那个也没好"]);
    let mut others = supervisor.tickets().await;
    others.retain(|other| other["number"] != ticket["number"] && other["number"] != target["number"]);
    assert_eq!(others.len(), 1, "one of its own: {others:?}");
    let own = supervisor.ticket(others[0]["number"].as_str().expect("a number")).await;
    assert_eq!(said(&own), ["另外那件事也请看一下"]);
    hub.end().await;
}

#[tokio::test]
async fn two_on_one_ticket_lose_no_word() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let hub = hub(&gateway).await;
    let seen = journey(&hub, "together.mjs", arguments()).await;
    let told = text(&seen, "told");
    assert!(told.contains("2 条消息") && told.contains("supervisor将紧急程度改为“紧急”"), "who changed what: {told}");
    assert_eq!(seen["held"], json!({ "text": "您好，维修人员今天下午到场。", "sent": 0 }));
    assert!(text(&seen, "compared").contains("普通\n紧急"), "was and is, field by field: {seen}");
    assert!(text(&seen, "after").contains("调整紧急程度"), "still told after a reload: {seen}");
    let sent = gateway.wait_taken(|taken| taken.text.contains("维修人员今天下午到场。请放心。")).await;
    assert_eq!(sent.to, CITIZEN);
    let offline = &seen["offline"];
    assert!(text(offline, "told").contains("没有发出"), "{seen}");
    assert_eq!((text(offline, "text"), &offline["shown"]), ("后续情况会再告诉您。请留意。", &json!(0)));
    gateway.wait_taken(|taken| taken.text.contains("后续情况会再告诉您。请留意。")).await;
    for said in ["维修人员", "后续情况"] {
        let answers = gateway.taken().into_iter().filter(|taken| taken.text.contains(said)).count();
        assert_eq!(answers, 1, "{said} left once");
    }
    assert_eq!(hub.only_ticket().await, hub.agent().tickets().await[0]["number"].as_str().unwrap_or_default());
    hub.end().await;
}

/// A mail in HTML with a picture from elsewhere, something that would run, and a picture attached (a PNG of one dot).
const MAIL: &str = "From: citizen@city.test\r\nTo: hub@city.test\r\nSubject: Street light\r\nMessage-ID: <console@home.test>\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"part\"\r\n\r\n\
    --part\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
    <p>文三路的<b>路灯</b>坏了，晚上很黑</p><img src=\"https://pictures.test/seen.png\"><script>parent.ran = true</script>\r\n\
    --part\r\nContent-Type: image/png; name=\"light.png\"\r\nContent-Disposition: attachment; filename=\"light.png\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\n\
    iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==\r\n--part--\r\n";

#[tokio::test]
async fn a_mail_is_seen_as_it_looked_and_tells_nobody() {
    let mail = Mail::start().await;
    let plan = Plan::new()
        .set("channels.email.mailbox.address", "hub@city.test")
        .set("channels.email.mailbox.imap_url", &mail.imap_url("hub"))
        .set("channels.email.mailbox.smtp_url", &mail.smtp_url());
    let hub = plan.start().await;
    mail.deliver("citizen@city.test", "hub@city.test", MAIL.as_bytes()).await;
    hub.only_ticket().await;
    let seen = journey(&hub, "mail.mjs", json!({})).await;
    assert!(text(&seen, "text").contains("路灯坏了"), "{seen}");
    let html = text(&seen["framed"], "html");
    assert!(html.contains("<b>路灯</b>坏了") && !html.contains("<script"), "{html}");
    assert!(text(&seen["framed"], "policy").contains("default-src 'none'"), "{seen}");
    assert_eq!(seen["framed"]["left_out"], "1", "it says how many pictures are left out");
    assert_eq!((&seen["asked_before"], &seen["asked_after"]), (&json!(0), &json!(1)), "pictures only when asked for");
    assert_eq!(seen["picture"], json!({ "name": "light.png", "width": 1 }));
    hub.end().await;
}
