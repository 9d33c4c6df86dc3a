//! Every mail of the corpus through a running hub.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::hub::Plan;
use crate::peers::{self, repository};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the corpus") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "json") {
            found.push(path);
        }
    }
}

/// Each is taken, whatever it is, with one outcome; the ledger counts as many as were sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mail_of_the_corpus_is_taken_and_counted() {
    let root = repository("../shared/data/mail");
    if !root.is_dir() {
        eprintln!("skipped: no corpus");
        return;
    }
    let mut found = Vec::new();
    files(&root, &mut found);
    found.sort();
    let hub = Plan::new().start().await;
    let (http, door, token) = (peers::http(), hub.url("/channels/email/mailbox"), hub.secret("/email/mailbox/token"));
    let outcomes: Vec<(String, String)> = stream::iter(&found)
        .map(|path| {
            let call = http.post(&door).bearer_auth(token).header("content-type", "message/rfc822");
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
            async move {
                let answer = call.body(std::fs::read(path).expect("a mail")).send().await.expect("the hub answers");
                assert!(answer.status().is_success(), "{name}: {}", answer.status());
                let outcome = answer.headers()["yingda-outcome"].to_str().expect("a word").to_owned();
                (name.split('/').next().unwrap_or_default().to_owned(), outcome)
            }
        })
        .buffer_unordered(8)
        .collect()
        .await;

    let mut suites: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (suite, outcome) in &outcomes {
        *suites.entry(suite).or_default().entry(outcome).or_default() += 1;
        *sums.entry(outcome).or_default() += 1;
    }
    for (suite, counts) in &suites {
        eprintln!("{suite}: {counts:?}");
    }
    let ledger = hub.ledger().await;
    assert_eq!(ledger["received"], outcomes.len());
    let names = ["new", "appended", "report", "control", "duplicate", "quarantined"];
    for (outcome, sum) in names.into_iter().zip(["new", "appended", "reports", "control", "duplicates", "quarantined"])
    {
        assert_eq!(ledger[sum], sums.get(outcome).copied().unwrap_or_default(), "{outcome}");
    }
    hub.end().await;
}
