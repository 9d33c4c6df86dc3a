//! `kill -9` under load: what was acknowledged is there once, and every delivery arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Provider, all_tickets, telephone, text, told};
use crate::hub::{Database, Hub, Plan, SMS_SECRET};
use crate::peers::sms_gateway::SmsGateway;
use crate::peers::{PATIENCE, eventually};

const SENDERS: usize = 8;

/// What the senders know: the ticket of each acknowledged message, and those that nobody acknowledged.
#[derive(Default)]
struct Book {
    acknowledged: BTreeMap<usize, String>,
    open: BTreeSet<usize>,
}

fn id(number: usize) -> String {
    format!("kill-{number}")
}

/// Sends until the hub is gone; tells `progress` of each acknowledgement.
async fn send(provider: Provider, next: Arc<AtomicUsize>, book: Arc<Mutex<Book>>, progress: watch::Sender<usize>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let answer = provider.say(&id(number), &telephone(number), text(number)).await;
        let taken = match answer {
            Ok(answer) if answer.status().is_success() => answer.json::<serde_json::Value>().await.ok(),
            _ => None,
        };
        let ticket = taken.map(|body| body["ticket"].as_str().expect("a ticket").to_owned());
        let mut book = book.lock().expect("no holder panics");
        let Some(ticket) = ticket else {
            book.open.insert(number);
            return;
        };
        book.acknowledged.insert(number, ticket);
        progress.send_modify(|count| *count += 1);
    }
}

/// Loads the hub and kills it at a random moment.
async fn killed_under_load(hub: &mut Hub, next: &Arc<AtomicUsize>, book: &Arc<Mutex<Book>>) {
    let (progress, mut acknowledged) = watch::channel(0);
    let mut senders = JoinSet::new();
    let provider = Provider::new(hub);
    for _ in 0..SENDERS {
        senders.spawn(send(provider.clone(), Arc::clone(next), Arc::clone(book), progress.clone()));
    }
    let moment = usize::from(uuid::Uuid::new_v4().as_bytes()[0]) % 32;
    let reached = acknowledged.wait_for(|count| *count > moment);
    tokio::time::timeout(PATIENCE, reached).await.expect("progress").expect("senders run");
    hub.kill().await;
    while let Some(ended) = senders.join_next().await {
        ended.expect("no sender panics");
    }
}

async fn killed(database: Database, kills: usize) {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    // A short lease, because whatever was being sent when the hub died waits for its end.
    let mut hub = Plan::new().on(database).await.set("outbox.lease_secs", "10").sms(&gateway).start().await;
    let (next, book) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Book::default())));
    for _ in 0..kills {
        killed_under_load(&mut hub, &next, &book).await;
        hub.start_again().await;
    }
    let Book { acknowledged, open } = std::mem::take(&mut *book.lock().expect("no holder panics"));
    assert!(!open.is_empty() && acknowledged.len() > kills, "the kills came under load");

    // The provider repeats everything: what was acknowledged is known, with its ticket; of the rest nothing is doubled.
    let provider = Provider::new(&hub);
    let mut tickets = acknowledged.clone();
    for some in (0..next.load(Ordering::Relaxed)).collect::<Vec<_>>().chunks(SENDERS) {
        let again = some.iter().map(|number| {
            let provider = &provider;
            async move {
                let answer = provider.say(&id(*number), &telephone(*number), text(*number)).await;
                (*number, told(answer.expect("the hub answers")).await)
            }
        });
        for (number, (outcome, ticket)) in join_all(again).await {
            let ticket = ticket.expect("a ticket");
            match acknowledged.get(&number) {
                Some(known) => assert_eq!((outcome.as_str(), &ticket), ("duplicate", known), "{}", id(number)),
                None => assert!(outcome == "new" || outcome == "duplicate", "{}: {outcome}", id(number)),
            }
            tickets.insert(number, ticket);
        }
    }
    let there = all_tickets(&hub).await;
    assert_eq!(there.len(), tickets.len(), "one ticket for each message");
    assert_eq!(there.iter().collect::<BTreeSet<_>>(), tickets.values().collect::<BTreeSet<_>>());
    assert_eq!(hub.ledger().await["new"], tickets.len());

    // Each sender has its acknowledgement; the gateway sent none twice, since a repeated try has the same webhook-id.
    let wanted: BTreeSet<String> = tickets.keys().map(|number| telephone(*number)).collect();
    eventually("every acknowledgement", async || (gateway.taken().len() >= wanted.len()).then_some(())).await;
    let taken = gateway.taken();
    assert_eq!(taken.len(), wanted.len(), "nobody is told twice");
    assert_eq!(taken.iter().map(|sms| sms.to.clone()).collect::<BTreeSet<_>>(), wanted);
    for (number, ticket) in &tickets {
        let to = telephone(*number);
        assert!(taken.iter().any(|sms| sms.to == to && sms.text.contains(ticket)), "{ticket}");
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_double_nothing_on_sqlite() {
    killed(Database::Sqlite, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_and_double_nothing_on_postgres() {
    killed(Database::Postgres, 5).await;
}
