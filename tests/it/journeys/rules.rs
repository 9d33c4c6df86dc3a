//! A rule set's way: drafted by one person, tried on the past, published by another while messages flow, taken back.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::hub::{Hub, SMS_SECRET, json_of};
use crate::peers::sms_gateway::SmsGateway;

/// What only the new rule knows.
const TEXT: &str = "飞艇停在路中间";
/// Messages that flow while the rules change.
const FLOW: usize = 60;

/// The demo city's pack with one rule more.
fn pack(folder: &Path) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder").flatten() {
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                copy(&path, &target);
            } else {
                std::fs::copy(&path, &target).expect("a file");
            }
        }
    }
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("routing-rules/packs/demo-city"), folder);
    let rule = "[[rule]]\nid = \"more.airship\"\nreason = \"airships block roads\"\nweight = 6\nwhen = { any = [\"飞艇\"] }\n\
                then = { item = \"roads.works\" }\ntests = [{ text = \"飞艇挡路\", item = \"roads.works\" }]\n";
    std::fs::write(folder.join("rules/more.toml"), rule).expect("a rule");
}

/// Runs `yingda rules` on the hub's data folder; the exit code and what it said.
async fn rules(hub: &Hub, words: &[&str]) -> (Option<i32>, String) {
    let data = hub.data().join("data");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_yingda"))
        .arg("rules")
        .args(words)
        .arg("--data")
        .arg(data)
        .current_dir(hub.data())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the command runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

/// Runs it and expects it to go well.
async fn well(hub: &Hub, words: &[&str]) -> String {
    let (code, told) = rules(hub, words).await;
    assert_eq!(code, Some(0), "{words:?}: {told}");
    told
}

/// Sends a message of its own citizen; the ticket.
async fn say(hub: &Hub, gateway: &SmsGateway, index: usize) -> Value {
    let from = format!("+86138001{index:05}");
    let answer = gateway.say(&hub.url("/channels/sms/demo"), &format!("in-{index}"), &from, TEXT).await;
    assert_eq!(answer.headers()["yingda-outcome"], "new");
    let body = json_of(answer, reqwest::StatusCode::OK).await;
    hub.agent().ticket(body["ticket"].as_str().expect("a number")).await
}

#[tokio::test]
async fn rules_change_while_messages_flow() {
    let gateway = SmsGateway::start(SMS_SECRET).await;
    let mut hub = super::plan().await.sms(&gateway).start().await;
    let folder = hub.data().join("pack");
    pack(&folder);
    let folder = folder.display().to_string();
    let listed = well(&hub, &["list"]).await;
    assert!(listed.contains("1  published"), "the first start has imported the demo city: {listed}");

    let unsure = say(&hub, &gateway, 10_000).await;
    assert_eq!((&unsure["state"], &unsure["decision"]["decided_by"]), (&json!("triage"), &json!("abstain")));
    let number = unsure["number"].as_str().expect("a number").to_owned();
    let first = unsure["decision"]["rule_set"].as_str().expect("a version").to_owned();
    let works = json!({ "item": "roads.works", "reason": "an airship" });
    let placed = hub.agent().act(&number, "dispatch", works).await;

    let drafted = well(&hub, &["import", &folder, "--note", "airships"]).await;
    assert!(drafted.contains("2  draft"), "{drafted}");
    let (code, told) = rules(&hub, &["publish", "2"]).await;
    assert!(code == Some(65) && told.contains("backtested"), "{code:?} {told}");
    let tried = well(&hub, &["backtest", "--pack", "2", "--days", "30"]).await;
    assert!(tried.contains("triage -> ") && tried.contains(&number), "the ticket would have gone there: {tried}");
    let (code, told) = rules(&hub, &["publish", "2"]).await;
    assert!(code == Some(65) && told.contains("second person"), "{code:?} {told}");

    // Messages flow while another person publishes.
    let (flows, begun) = tokio::sync::oneshot::channel();
    let published = async {
        begun.await.expect("messages flow");
        let (status, published) = hub.supervisor().post("/rule-sets/2/publish", &json!({})).await;
        assert_eq!((status, published["state"].as_str()), (200, Some("published")), "{published}");
        published["version"].as_str().expect("a version").to_owned()
    };
    let flow = async {
        let mut tickets = Vec::new();
        for index in 0..FLOW / 4 {
            tickets.push(say(&hub, &gateway, index).await);
        }
        flows.send(()).expect("somebody publishes");
        for index in FLOW / 4..FLOW {
            tickets.push(say(&hub, &gateway, index).await);
        }
        tickets
    };
    let (second, tickets) = tokio::join!(published, flow);
    assert_ne!(first, second);
    let sure = |ticket: &Value| ticket["department"] == placed["department"];
    for ticket in &tickets {
        let by = ticket["decision"]["rule_set"].as_str().expect("each decision names its rules");
        assert!(by == first || by == second, "{ticket:#}");
        assert_eq!(sure(ticket), by == second, "judged by the rules it names: {ticket:#}");
    }
    let versions: Vec<&Value> = tickets.iter().map(|ticket| &ticket["decision"]["rule_set"]).collect();
    assert!(versions.is_sorted_by_key(|version| **version == json!(second)), "no way back: {versions:?}");
    let numbers: BTreeSet<&str> = tickets.iter().filter_map(|ticket| ticket["number"].as_str()).collect();
    assert_eq!(numbers.len(), FLOW, "none lost, none twice");
    let after = say(&hub, &gateway, 20_000).await;
    assert_eq!(after["decision"]["rule_set"], json!(second));
    assert!(sure(&after), "{after:#}");

    let replayed = well(&hub, &["replay", &number]).await;
    assert!(replayed.contains("again   the same") && replayed.contains("more.airship"), "{replayed}");
    let history = well(&hub, &["history", "--days", "30"]).await;
    assert!(history.contains(&number) && history.contains("\"label\":\"roads.works\""), "{history}");

    // What was published stays so over a start, whatever the folder of the settings holds.
    hub.stop().await;
    hub.start_again().await;
    let again = say(&hub, &gateway, 20_001).await;
    assert_eq!(again["decision"]["rule_set"], json!(second));

    let back = well(&hub, &["rollback"]).await;
    assert!(back.contains("1  published"), "{back}");
    let unsure = say(&hub, &gateway, 20_002).await;
    assert_eq!((&unsure["decision"]["rule_set"], &unsure["state"]), (&json!(first), &json!("triage")));
    hub.end().await;
}
