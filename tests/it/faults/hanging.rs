//! Sends that never get an answer: they hold up nobody else.

use super::{Provider, mailed, telephone, text};
use crate::hub::{Plan, SMS_SECRET};
use crate::peers;
use crate::peers::sms_gateway::{Answer, SmsGateway};
use crate::peers::smtp_fault::SmtpFault;

/// The longest that an account may be set to wait for its gateway, in seconds.
const LONGEST: &str = "120";

#[tokio::test]
async fn one_telephone_that_hangs_delays_no_other() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    gateway.hang_for(&telephone(0));
    let mut hub = Plan::new()
        .sms(&gateway)
        .set("channels.sms.demo.timeout_secs", LONGEST)
        .set("outbox.lease_secs", "3600")
        .start()
        .await;
    let provider = Provider::new(&hub);
    provider.take("m-0", &telephone(0), text(0)).await;
    peers::eventually("a call that hangs", async || (gateway.hangs() == 1).then_some(())).await;
    for citizen in 1..=20 {
        provider.take(&format!("m-{citizen}"), &telephone(citizen), text(citizen)).await;
    }
    for citizen in 1..=20 {
        gateway.wait_taken(|sms| sms.to == telephone(citizen)).await;
    }
    assert_eq!((gateway.hangs(), gateway.given_up()), (1, 0), "the first call still hangs");
    hub.kill().await;
}

#[tokio::test]
async fn an_account_that_hangs_altogether_delays_no_other_account() {
    let (gateway, mut mails) = (SmsGateway::start(SMS_SECRET).await, SmtpFault::start().await);
    gateway.answer_always(Answer::Hang);
    let mut hub = Plan::new()
        .sms(&gateway)
        .set("channels.sms.demo.timeout_secs", LONGEST)
        .set("outbox.lease_secs", "3600")
        .set("channels.email.mailbox.smtp_url", &mails.smtp_url())
        .start()
        .await;
    let provider = Provider::new(&hub);
    for citizen in 0..40 {
        provider.take(&format!("m-{citizen}"), &telephone(citizen), text(citizen)).await;
    }
    assert_eq!(mailed(&hub).await.0, "new");
    mails.wait_taken(|mail| mail.to == ["li@example.com"]).await;
    assert!(gateway.hangs() > 0);
    assert_eq!(gateway.given_up(), 0, "every call still hangs");
    mails.stop();
    hub.kill().await;
}
