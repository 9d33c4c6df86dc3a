//! E-mail: through OpenSMTPD into Dovecot, by IMAP into the hub, answers out by SMTP into the citizen's mailbox.

use serde_json::{Value, json};

use crate::hub::{Hub, Plan, deliveries};
use crate::peers::eventually;
use crate::peers::mail::Mail;
use crate::peers::oauth::{OAuthProvider, REFRESH_TOKEN};

const ADDRESS: &str = "hub@city.test";
const CITIZEN: &str = "citizen@city.test";
const TEXT: &str = "澄江路的路灯坏了好几天，晚上漆黑一片。";
const DEPARTMENT: &str = "wangjiang-urban-management";

async fn plan(mail: &Mail) -> Plan {
    super::plan()
        .await
        .set("channels.email.mailbox.address", ADDRESS)
        .set("channels.email.mailbox.imap_url", &mail.imap_url("hub"))
        .set("channels.email.mailbox.smtp_url", &mail.smtp_url())
}

/// A mail as a citizen's program writes it (RFC 5322, 8-bit); `more` are further header lines.
fn written(from: &str, subject: &str, id: &str, more: &str, text: &str) -> String {
    let date = crate::peers::now().to_rfc2822();
    format!(
        "From: {from}\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{id}>\r\n{more}MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    )
}

/// The value of a header, unfolded.
fn header(mail: &str, name: &str) -> String {
    let head = mail.replace("\r\n", "\n");
    let head = head.split_once("\n\n").map_or(head.as_str(), |(head, _)| head).replace("\n\t", " ").replace("\n ", " ");
    let line = head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// The text of a mail, decoded.
fn body(mail: &str) -> String {
    let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).expect("a mail");
    parsed.body_text(0).unwrap_or_default().into_owned()
}

/// The address within angle brackets, or the whole.
fn bare(address: &str) -> &str {
    address.rsplit_once('<').map_or(address, |(_, rest)| rest.trim_end_matches('>'))
}

async fn wait_body(mail: &Mail, user: &str, wanted: &str) -> String {
    mail.wait_mail(user, |mail| body(mail).contains(wanted)).await
}

#[tokio::test]
async fn a_mail_is_acknowledged_continued_and_answered() {
    let mail = Mail::start().await;
    let hub = plan(&mail).await.start().await;
    mail.deliver(CITIZEN, ADDRESS, written(CITIZEN, "Light", "first@home.test", "", TEXT).as_bytes()).await;
    let number = hub.only_ticket().await;
    let acknowledgement = wait_body(&mail, "citizen", &number).await;
    assert_eq!(header(&acknowledgement, "In-Reply-To"), "<first@home.test>");
    assert!(header(&acknowledgement, "References").contains("<first@home.test>"));
    assert_eq!(header(&acknowledgement, "Auto-Submitted"), "auto-replied");

    // The citizen adds something by answering the acknowledgement.
    let id = header(&acknowledgement, "Message-ID");
    let to = header(&acknowledgement, "Reply-To");
    assert_ne!(bare(&to), ADDRESS, "the reply address names the ticket");
    let more = format!("In-Reply-To: {id}\r\nReferences: <first@home.test> {id}\r\n");
    let addition = written(CITIZEN, "Re: Light", "second@home.test", &more, "就在渡月桥旁边。\r\n\r\n> 诉求已收到");
    mail.deliver(CITIZEN, bare(&to), addition.as_bytes()).await;
    let ticket = hub.wait_ticket(&number, |ticket| ticket["appeals"].as_array().map(Vec::len) == Some(2)).await;
    assert_eq!(ticket["appeals"][1]["text"], "就在渡月桥旁边。");

    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let reply = wait_body(&mail, "citizen", "路灯已修好").await;
    assert_eq!(header(&reply, "In-Reply-To"), "<second@home.test>");
    assert!(header(&reply, "References").contains("<second@home.test>"));
    assert_eq!(bare(&header(&reply, "From")), ADDRESS);
    assert_eq!(header(&reply, "Auto-Submitted"), "", "a person wrote it");
    let ticket = hub.delivered(&number).await;
    assert_eq!(deliveries(&ticket, "reply")[0]["to"], CITIZEN);

    // Somebody else who got hold of the mail opens a ticket of their own, linked to this one.
    let more = format!("In-Reply-To: {}\r\n", header(&reply, "Message-ID"));
    let foreign = written("neighbour@city.test", "Re: Light", "third@elsewhere.test", &more, "谢谢，我们这里也亮了");
    mail.deliver("neighbour@city.test", bare(&header(&reply, "Reply-To")), foreign.as_bytes()).await;
    let other = hub.wait_tickets(2).await[1]["number"].as_str().expect("a number").to_owned();
    let other = hub.agent().ticket(&other).await;
    assert_eq!((&other["linked_to"], &other["link_reason"]), (&json!(number), &json!("other_sender")));
    hub.end().await;
}

#[tokio::test]
async fn a_bounce_revokes_what_counted_as_delivered() {
    let mail = Mail::start().await;
    let hub = plan(&mail).await.start().await;
    // Nobody of this name has a mailbox: what is sent there comes back.
    let ghost = "ghost@city.test";
    mail.deliver("", ADDRESS, written(ghost, "Light", "ghost@home.test", "", TEXT).as_bytes()).await;
    let number = hub.only_ticket().await;
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    let ticket = hub
        .wait_ticket(&number, |ticket| {
            deliveries(ticket, "reply").first().is_some_and(|reply| reply["state"] == "failed")
        })
        .await;
    let reply = deliveries(&ticket, "reply")[0];
    assert_eq!(reply["attempts"][0]["outcome"], "accepted", "the server took it first: {reply:#}");
    assert_ne!(ticket["state"], "delivered");
    assert!(hub.ledger().await["reports"].as_u64() >= Some(1));
    assert_eq!(hub.agent().tickets().await.len(), 1, "a bounce is no appeal");
    hub.end().await;
}

async fn appeals(hub: &Hub, count: usize) -> Vec<Value> {
    hub.wait_tickets(count).await
}

#[tokio::test]
async fn outages_and_a_new_uidvalidity_lose_and_double_nothing() {
    let mut mail = Mail::start().await;
    let hub = plan(&mail).await.start().await;
    let one =
        |sender: &str, id: &str| written(&format!("{sender}@city.test"), "Light", &format!("{id}@home.test"), "", TEXT);
    mail.deliver(CITIZEN, ADDRESS, one("citizen", "1").as_bytes()).await;
    appeals(&hub, 1).await;
    mail.change_uidvalidity("hub").await;
    mail.deliver(CITIZEN, ADDRESS, one("neighbour", "2").as_bytes()).await;
    appeals(&hub, 2).await;
    eventually("the mail that was fetched again, as a duplicate", async || {
        (hub.ledger().await["duplicates"] == 1).then_some(())
    })
    .await;

    // Mails that arrive while IMAP is away are found afterwards, and so is what comes then.
    mail.stop_imap();
    mail.deliver_locally("hub", one("department", "3").as_bytes());
    mail.start_imap().await;
    mail.deliver_locally("hub", one("operator", "4").as_bytes());
    let tickets = appeals(&hub, 4).await;
    let from: Vec<_> = tickets.iter().map(|ticket| ticket["number"].as_str().expect("a number")).collect();
    let mut senders = Vec::new();
    for number in from {
        senders.push(hub.agent().ticket(number).await["appeals"][0]["from"].as_str().expect("a sender").to_owned());
    }
    senders.sort();
    assert_eq!(senders, ["citizen@city.test", "department@city.test", "neighbour@city.test", "operator@city.test"]);
    hub.end().await;
}

#[tokio::test]
async fn smtp_away_delays_and_the_mail_arrives_once() {
    let mut mail = Mail::start().await;
    let hub = plan(&mail).await.start().await;
    mail.deliver(CITIZEN, ADDRESS, written(CITIZEN, "Light", "1@home.test", "", TEXT).as_bytes()).await;
    let number = hub.only_ticket().await;
    wait_body(&mail, "citizen", &number).await;
    mail.stop_smtp();
    hub.answer(DEPARTMENT, &number, "路灯已修好").await;
    hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply")[0]["attempts"][0]["ended_at"].is_string()).await;
    mail.start_smtp().await;
    wait_body(&mail, "citizen", "路灯已修好").await;
    hub.delivered(&number).await;
    assert_eq!(mail.fetch("citizen").iter().filter(|mail| body(mail).contains("路灯已修好")).count(), 1);
    hub.end().await;
}

#[tokio::test]
async fn a_departments_answer_to_its_notice_is_an_internal_note() {
    let mail = Mail::start().await;
    let hub = plan(&mail).await.set("departments.water.email", "department@city.test").start().await;
    let text = "The manhole cover in Chengjiang Road is missing.";
    mail.deliver(CITIZEN, ADDRESS, written(CITIZEN, "Manhole", "1@home.test", "", text).as_bytes()).await;
    let number = hub.only_ticket().await;
    assert_eq!(hub.agent().ticket(&number).await["department"], "water");
    let notice = wait_body(&mail, "department", &number).await;
    assert!(!body(&notice).contains("citizen@") && !body(&notice).contains("missing"), "nothing personal: {notice}");
    let more = format!("In-Reply-To: {}\r\n", header(&notice, "Message-ID"));
    let answer = written("department@city.test", "Re: Manhole", "note@water.test", &more, "A team is on its way.");
    mail.deliver("department@city.test", bare(&header(&notice, "Reply-To")), answer.as_bytes()).await;
    let ticket = hub.wait_ticket(&number, |ticket| ticket["notes"].as_array().map(Vec::len) == Some(1)).await;
    assert_eq!(ticket["notes"][0]["text"], "A team is on its way.");
    assert_eq!(ticket["state"], "dispatched");
    assert!(mail.fetch("citizen").iter().all(|mail| !body(mail).contains("on its way")));
    hub.end().await;
}

#[tokio::test]
async fn a_mailbox_is_read_with_tokens_that_are_refreshed() {
    let provider = OAuthProvider::start().await;
    let mut mail = Mail::start_trusting(Some(&provider)).await;
    let hub = super::plan()
        .await
        .set("channels.email.mailbox.address", ADDRESS)
        .set("channels.email.mailbox.imap_url", &mail.imap_address())
        .set("channels.email.mailbox.imap_username", "hub")
        .set("channels.email.mailbox.oauth.token_url", &provider.token_url())
        .set("channels.email.mailbox.oauth.client_id", "yingda")
        .set("channels.email.mailbox.oauth.refresh_token", REFRESH_TOKEN)
        .start()
        .await;
    let one =
        |sender: &str, id: &str| written(&format!("{sender}@city.test"), "Light", &format!("{id}@home.test"), "", TEXT);
    mail.deliver(CITIZEN, ADDRESS, one("citizen", "1").as_bytes()).await;
    appeals(&hub, 1).await;
    assert_eq!(provider.given(), 1, "one token serves until it ends");

    // The grant stands, but the token counts no more when the connection has to be made anew.
    provider.revoke();
    mail.stop_imap();
    mail.start_imap().await;
    mail.deliver_locally("hub", one("neighbour", "2").as_bytes());
    appeals(&hub, 2).await;
    assert_eq!(provider.given(), 2);
    hub.end().await;
}
