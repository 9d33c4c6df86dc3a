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

    /// A widget as `widget.mjs` expects it, which answers itself.
    const WIDGET: &str = r#"<div id="chat"></div><script>
        const root = document.getElementById('chat').attachShadow({ mode: 'open' });
        root.innerHTML = `<style>button, input { min-height: 44px; }</style>
            <button part="launcher">Chat</button><div part="panel" hidden>
            <div part="log" role="log" tabindex="0" aria-label="Chat"></div>
            <input part="input" aria-label="Message"></div>`;
        const part = (name) => root.querySelector(`[part=${name}]`);
        const show = (text) => {
            const message = document.createElement('p');
            message.setAttribute('part', 'message');
            message.textContent = text;
            part('log').append(message);
        };
        const said = JSON.parse(localStorage.said ?? '[]');
        said.forEach(show);
        part('launcher').onclick = () => { part('panel').hidden = false; part('input').focus(); };
        part('input').onkeydown = ({ key }) => {
            if (key !== 'Enter') return;
            said.push(part('input').value, 'We have it: 20261122000017');
            said.forEach(show);
            localStorage.said = JSON.stringify(said);
        };</script>"#;

    #[tokio::test]
    async fn chats_by_keyboard_and_comes_back() {
        let hub = Router::new().route("/", get(async || page(WIDGET)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let chat = run("widget.mjs", &base, &json!({ "path": "/", "text": "路灯坏了", "reply": "We have it" })).await;
        hub.abort();
        assert_eq!(chat["messages"], json!(["路灯坏了", "We have it: 20261122000017"]));
        assert_eq!(chat["messages"], chat["after_reload"]);
        assert_clean(&chat);
    }
}
