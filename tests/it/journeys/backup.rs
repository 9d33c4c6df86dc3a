//! A hub is copied while it runs; another one goes on from the copy.

use serde_json::json;

use crate::hub::SMS_SECRET;
use crate::peers::sms_gateway::SmsGateway;

const CITIZEN: &str = "+8613800138077";
const DEPARTMENT: &str = "wangjiang-urban-management";
const MAIL: &str = "From: Wang <wang@example.net>\r\nTo: help@city.example\r\nSubject: Broken lamp\r\nMessage-ID: <lamp@example.net>\r\n\
    Date: Sun, 22 Nov 2026 09:00:00 +0800\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=edge\r\n\r\n\
    --edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe street lamp is broken.\r\n\
    --edge\r\nContent-Type: text/plain; name=lamp.txt\r\nContent-Disposition: attachment; filename=lamp.txt\r\n\r\nlamp 17\r\n--edge--\r\n";

#[tokio::test]
async fn a_restored_hub_sends_what_the_lost_one_could_not() {
    let mut gateway = SmsGateway::start(SMS_SECRET).await;
    let mut lost = super::plan().await.sms(&gateway).start().await;
    let taken = gateway.say(&lost.url("/channels/sms/demo"), "m-1", CITIZEN, "澄江路的路灯坏了").await;
    assert_eq!(taken.headers()["yingda-outcome"], "new");
    gateway.wait_taken(|sms| sms.to == CITIZEN).await;
    let number = lost.only_ticket().await;
    let mailbox = lost.url("/channels/email/mailbox");
    let mail = crate::peers::http()
        .post(mailbox)
        .bearer_auth(lost.secret("/email/mailbox/token"))
        .header("content-type", "message/rfc822")
        .header("x-envelope-from", "wang@example.net")
        .body(MAIL);
    assert_eq!(mail.send().await.expect("an answer").headers()["yingda-outcome"], "new");
    gateway.stop().await;
    lost.answer(DEPARTMENT, &number, "路灯已修好").await;

    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    lost.command(&["backup", &backup.display().to_string()]).await;
    lost.kill().await;

    let hub = super::plan().await.sms(&gateway).restore(&backup).await;
    assert_eq!(hub.credentials()["tokens"], lost.credentials()["tokens"], "staff log in as before");
    assert_eq!(hub.ledger().await["new"], json!(2));
    gateway.start_again().await;
    let reply = gateway.wait_taken(|sms| sms.text.contains("路灯已修好")).await;
    gateway.report(&hub.url("/channels/sms/demo"), &reply.provider_id, "delivered").await;
    hub.delivered(&number).await;
    assert_eq!(gateway.taken().iter().filter(|sms| sms.text.contains("路灯已修好")).count(), 1);

    // The same message again is known to the copy, and the file came along.
    let again = gateway.say(&hub.url("/channels/sms/demo"), "m-1", CITIZEN, "澄江路的路灯坏了").await;
    assert_eq!(again.headers()["yingda-outcome"], "duplicate");
    let tickets = hub.wait_tickets(2).await;
    let mail = tickets.iter().find(|ticket| ticket["channel"] == "email").expect("the mail");
    let mail = hub.agent().ticket(mail["number"].as_str().expect("a number")).await;
    let file = &mail["appeals"][0]["attachments"][0];
    assert_eq!((&file["name"], &file["state"]), (&json!("lamp.txt"), &json!("stored")));
    let path = format!(
        "/tickets/{}/attachments/{}",
        mail["number"].as_str().expect("a number"),
        file["id"].as_str().expect("an id")
    );
    let bytes = hub.agent().call(reqwest::Method::GET, &path, None).await.bytes().await.expect("the file");
    assert_eq!(bytes.trim_ascii(), b"lamp 17");
    hub.end().await;
}
