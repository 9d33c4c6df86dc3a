//! A message that breaks its batch.

use channel_contract::{Outcome, RawRequest};
use futures_util::future::join_all;
use yingda::cli::Common;
use yingda::cli::serve::{Args, prepare};
use yingda::domain::{Clock, TicketNumber};

use super::{telephone, text};
use crate::hub::SMS_SECRET;
use crate::peers;
use crate::peers::sms_gateway::sign;

/// It is kept aside as `poisoned` with its reason; those that shared its batch become tickets.
#[tokio::test]
async fn a_message_that_breaks_its_batch_is_kept_aside_alone() {
    drop(peers::http());
    let folder = tempfile::tempdir().expect("a directory");
    let settings = folder.path().join("yingda.toml");
    std::fs::write(&settings, format!("[channels.sms.demo]\nsecret = \"{SMS_SECRET}\"\n")).expect("written");
    let common = Common { config: Some(settings), data: Some(folder.path().join("data")), log: None };
    let args = Args { demo: true, listen: Some("127.0.0.1:0".to_owned()), demo_traffic: false };
    let prepared = prepare(&common, &args).expect("prepared");
    let running = yingda::serve::start(prepared, Clock::System).await.expect("started");
    let hub = &running.hub;
    let channel = hub.channels.get("demo").expect("the account").clone();

    let take = async |number: usize, into: Option<TicketNumber>| {
        let id = format!("m-{number}");
        let body = serde_json::json!({ "id": id, "from": telephone(number), "to": "12345", "text": text(number) });
        let body = body.to_string();
        let headers = sign(SMS_SECRET, &id, peers::now().timestamp(), body.as_bytes());
        let raw = RawRequest {
            method: "POST".to_owned(),
            url: "http://127.0.0.1/channels/sms/demo".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec(),
            peer: None,
            body: body.into(),
            received_at: peers::now(),
        };
        let receipt = channel.receive(&raw);
        hub.take(&channel, raw, receipt, into).await.expect("taken").remove(0)
    };
    // Number 7 is meant for a ticket that does not exist, which no statement of the batch survives.
    let nowhere = TicketNumber::stored("nowhere".to_owned());
    let verdicts = join_all((0..40).map(|number| take(number, (number == 7).then(|| nowhere.clone())))).await;
    for (number, verdict) in verdicts.iter().enumerate() {
        if number == 7 {
            assert_eq!(verdict.outcome, Outcome::Quarantined);
            assert_eq!((verdict.ticket.as_deref(), verdict.reason.as_deref()), (None, Some("poisoned")));
        } else {
            assert_eq!(verdict.outcome, Outcome::New, "{number}");
        }
    }
    let mut reading = hub.store.read().await.expect("a connection");
    let ledger = yingda::store::intake::ledger(&mut reading, &hub.store.city).await.expect("the ledger");
    assert_eq!((ledger.received, ledger.new, ledger.quarantined), (40, 39, 1));
    assert!(ledger.adds_up());
    drop(reading);
    running.end().await.expect("a clean end");
}
