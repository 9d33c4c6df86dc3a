//! A city app on a foreign websocket implementation: nothing is lost and nothing comes twice.

use serde_json::json;

use crate::hub::deliveries;
use crate::peers::ws_peer::WsPeer;

const TEXT: &str = "澄江路的路灯坏了";

#[tokio::test]
async fn an_app_speaks_drops_comes_back_and_has_its_answer() {
    let mut hub = super::plan().await.start().await;
    let door = hub.url("/channels/websocket/app").replace("http://", "ws://");
    let mut app = WsPeer::start();
    let welcome = app.hello(&door, None, None).await;
    let session = welcome["session"].as_str().expect("a session").to_owned();
    let ack = app.send("m1", TEXT).await;
    assert_eq!(ack["outcome"], "new");
    let number = ack["ticket"].as_str().expect("a number").to_owned();
    let acknowledgement = app.wait(|frame| frame["type"] == "message").await;
    assert_eq!((&acknowledgement["kind"], &acknowledgement["ticket"]), (&json!("acknowledgement"), &json!(number)));
    app.frame(&json!({ "type": "received", "position": acknowledgement["position"] })).await;
    let again = app.send("m1", TEXT).await;
    assert_eq!((&again["outcome"], &again["ticket"]), (&json!("duplicate"), &json!(number)));
    app.drop_connection().await;

    // The answer waits while the app is away, over a kill of the hub too.
    hub.answer("wangjiang-urban-management", &number, "路灯已修好").await;
    hub.wait_ticket(&number, |ticket| deliveries(ticket, "reply")[0]["state"] == "sent").await;
    hub.kill().await;
    hub.start_again().await;
    let welcome = app.hello(&door, Some(&session), Some(&acknowledgement["position"])).await;
    assert_eq!(welcome["session"], json!(session));
    let reply = app.wait(|frame| frame["type"] == "message").await;
    assert_eq!(reply["kind"], "reply");
    assert!(reply["text"].as_str().is_some_and(|text| text.contains("路灯已修好")), "{reply}");
    assert!(reply["position"].as_u64() > acknowledgement["position"].as_u64());
    assert_eq!(hub.agent().ticket(&number).await["state"], "replied", "not yet confirmed by the app");
    app.frame(&json!({ "type": "received", "position": reply["position"] })).await;
    hub.delivered(&number).await;

    // Another text under the same id is not what it says it is.
    let other = app.send("m1", "另一件事").await;
    assert_eq!(other["outcome"], "quarantined");
    app.frame(&json!({ "type": "ping" })).await;
    app.wait(|frame| frame["type"] == "pong").await;
    app.raw("no JSON").await;
    let error = app.wait(|frame| frame["type"] == "error").await;
    assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
    app.close().await;

    // Who knows no session sees nothing of it; a page of a stranger is refused.
    let mut stranger = WsPeer::start();
    let welcome = stranger.hello(&door, None, None).await;
    assert_ne!(welcome["session"], json!(session));
    stranger.frame(&json!({ "type": "ping" })).await;
    assert_eq!(stranger.wait(|frame| frame["type"] != "welcome").await["type"], "pong");
    stranger.close().await;
    assert_eq!(stranger.open(&door, Some("https://elsewhere.example")).await, Err(json!(403)));
    hub.end().await;
}
