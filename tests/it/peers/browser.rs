//! Chromium, driven by Playwright: the scripts of `tests/e2e`.

use serde_json::Value;
use tempfile::TempDir;

use super::process::Start;

/// Runs a script of `tests/e2e` (by file name) against `base_url` and returns the JSON it prints last.
/// `arguments` is what the script's head asks for. Panics with the script's words if it fails.
pub(crate) async fn run(script: &str, base_url: &str, arguments: &Value) -> Value {
    // The browser's profile and caches go with the directory.
    let directory = TempDir::new().expect("a directory");
    let environment = [
        ("BASE_URL", base_url.to_owned()),
        ("ARGUMENTS", arguments.to_string()),
        ("HOME", directory.path().display().to_string()),
    ];
    let start = Start {
        name: "browser",
        directory: directory.path(),
        signal: "TERM",
        remove_directory: false,
        environment: &environment,
    };
    let script = super::repository("tests/e2e").join(script).display().to_string();
    let printed = super::process::run(&start, &["node", &script]).await;
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{script} printed {printed:?}: {error}"))
}

/// Panics if a script saw an accessibility violation or an error on the console.
pub(crate) fn assert_clean(result: &Value) {
    assert_eq!(result["violations"], serde_json::json!([]), "axe, WCAG 2.2 AA");
    assert_eq!(result["errors"], serde_json::json!([]), "console, page and content security policy");
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
    use axum::response::Html;
    use axum::routing::{get, post};
    use serde_json::json;

    use super::*;

    fn page(body: &str) -> Html<String> {
        let head = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Test</title>
            <link rel="icon" href="data:,"></head>"#;
        Html(format!("{head}<body><main><h1>Test</h1>{body}</main></body></html>"))
    }

    const FORM: &str = r#"<form method="post" action="/" enctype="multipart/form-data">
        <label>Text <textarea name="text"></textarea></label>
        <label>Place <input name="place"></label>
        <label>Name <input name="name"></label>
        <label><input type="checkbox" name="confidential" value="yes"> Confidential</label>
        <label>Answer by <select name="answer_channel"><option value="webform">Page</option>
            <option value="email">E-mail</option></select></label>
        <label>Address <input name="answer_address"></label>
        <label>Photos <input type="file" name="photos" multiple></label>
        <button type="submit">Send</button></form><script>document.forms[0].remove()</script>"#;

    const TRACK: &str = r#"<form method="post" action="/track">
        <label>Number <input name="number"></label><label>Code <input name="code"></label>
        <button type="submit">Show</button></form>"#;

    #[tokio::test]
    async fn fills_a_form_without_javascript_and_judges_pages() {
        let hub = Router::new()
            .route("/", get(async || page(FORM)))
            .route(
                "/",
                post(async |body: axum::body::Bytes| {
                    let body = String::from_utf8_lossy(&body);
                    let complete = ["路灯坏了", "Xihu", "yes", "citizen@city.test", "light.png"];
                    assert!(complete.iter().all(|part| body.contains(part)), "{body}");
                    page(r#"<p id="ticket-number">20261122000017</p><p id="query-code">AB12CD34</p>"#)
                }),
            )
            .route("/track", get(async || page(TRACK)))
            .route("/track", post(async |body: String| page(&format!("<p>{body}</p>"))))
            .route("/bad", get(async || page("<img src='/gone.png'><script>console.error('broken')</script>")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let fields = json!({
            "text": "路灯坏了", "place": "Xihu", "confidential": true,
            "answer_channel": "email", "answer_address": "citizen@city.test",
            "photos": [{ "name": "light.png", "media_type": "image/png", "base64": "iVBORw0KGgo=" }],
        });
        let filed = run("form.mjs", &base, &json!({ "file": fields })).await;
        assert_eq!((&filed["number"], &filed["code"]), (&json!("20261122000017"), &json!("AB12CD34")));
        assert_eq!(filed["track"], json!("Test\n\nnumber=20261122000017&code=AB12CD34"));
        assert_clean(&filed);

        let bad = run("page.mjs", &base, &json!({ "path": "/bad" })).await;
        hub.abort();
        assert!(bad["violations"].to_string().contains("image-alt"), "{bad}");
        assert!(bad["errors"].to_string().contains("broken"), "{bad}");
    }

    const TICKET: &str = "20261122000017";

    fn message(position: u32, kind: &str, text: &str) -> Value {
        json!({ "type": "message", "position": position, "ticket": TICKET, "kind": kind, "text": text })
    }

    /// The hub's side of the widget's conversation: an acknowledgement and a reply to each message.
    async fn converse(mut socket: WebSocket) {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            let answers = match frame["type"].as_str() {
                Some("hello") => vec![
                    json!({ "type": "welcome", "session": "s1", "position": frame["after"].as_u64().unwrap_or(0) }),
                ],
                Some("send") => vec![
                    json!({ "type": "ack", "id": frame["id"], "outcome": "new", "ticket": TICKET }),
                    message(1, "acknowledgement", "We have it."),
                    message(2, "reply", &format!("Mended: {}", frame["text"].as_str().expect("a text"))),
                ],
                _ => Vec::new(),
            };
            for answer in answers {
                // The browser may have left meanwhile.
                drop(socket.send(Message::text(answer.to_string())).await);
            }
        }
    }

    #[tokio::test]
    async fn chats_by_keyboard_and_comes_back() {
        let widget = std::fs::read_to_string(super::super::repository("channels/websocket/widget/yingda-widget.js"))
            .expect("the widget");
        let hub = Router::new()
            .route(
                "/",
                get(async || page(r#"<script src="/widget.js" data-account="app" data-lang="zh" defer></script>"#)),
            )
            .route("/widget.js", get(async move || ([("content-type", "text/javascript")], widget)))
            .route("/channels/websocket/app", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(converse)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let chat = run("widget.mjs", &base, &json!({ "path": "/", "text": "路灯坏了", "reply": "Mended" })).await;
        hub.abort();
        let kinds: Vec<_> =
            chat["entries"].as_array().expect("a list").iter().map(|entry| (&entry["kind"], &entry["text"])).collect();
        let expected = [
            (Value::Null, "路灯坏了"),
            (json!("acknowledgement"), "We have it."),
            (json!("reply"), "Mended: 路灯坏了"),
        ];
        let expected = expected.map(|(kind, text)| (kind, json!(text)));
        assert_eq!(kinds, expected.iter().map(|(kind, text)| (kind, text)).collect::<Vec<_>>());
        assert_eq!(chat["entries"], chat["after_reload"]);
        assert_clean(&chat);
    }
}
