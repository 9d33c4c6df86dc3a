//! The frame: how the console is served, and its journey.

use reqwest::{Method, StatusCode, header};
use serde_json::json;

use super::journey;
use crate::hub::Plan;
use crate::peers;

#[tokio::test]
async fn the_console_is_served_strictly_and_only_where_it_is() {
    let hub = Plan::new().start().await;
    let http = peers::http();
    let get = async |path: &str| http.request(Method::GET, hub.url(path)).send().await.expect("an answer");

    let page = get("/console/tickets/20261122000017").await;
    assert_eq!(page.status(), StatusCode::OK, "history mode; is the console built?");
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
    for part in
        ["script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
    let tag = page.headers()[header::ETAG].clone();
    let html = page.text().await.expect("a page");
    let again = http.get(hub.url("/console/")).header(header::IF_NONE_MATCH, tag).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    let asset = html.split('"').find(|part| part.starts_with("/console/assets/")).expect("an asset of the page");
    let asset = get(asset).await;
    assert_eq!(asset.status(), StatusCode::OK);
    assert_eq!(asset.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    for missing in ["/console/assets/gone-0.js", "/console/.vite/manifest.json", "/consoles"] {
        assert_eq!(get(missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    hub.end().await;
}

#[tokio::test]
async fn staff_log_in_in_both_languages_and_move_by_keyboard() {
    let hub = Plan::new().start().await;
    let seen = journey(&hub, "frame.mjs", json!({})).await;
    let text = |key: &str| seen[key].as_str().unwrap_or_default().to_owned();
    assert!(seen["titles"]["zh-CN"].as_str().is_some_and(|title| title.starts_with("我的设置")), "{seen}");
    assert!(seen["titles"]["en"].as_str().is_some_and(|title| title.starts_with("My settings")), "{seen}");
    assert_eq!(seen["overflow"], json!([]), "no page scrolls sideways");
    assert!(text("wrong").contains("账号或密码不正确"), "{seen}");
    assert_eq!(seen["kept"], seen_login(&hub), "the login stays in its field");
    assert_eq!(seen["focus"], json!(["#page", "/console/queue", "/console/call"]), "skip link, then the rail");
    assert!(text("palette").contains("20261122000017"), "{seen}");
    assert_eq!(text("language"), "My settings");
    assert_eq!(seen["lockout"], json!({ "status": 429, "login": true }), "locked after too many wrong passwords");
    assert_eq!(seen["lasting"], json!(true), "Escape does not give up what is on the page");
    assert!(text("other").contains("another login"), "{seen}");
    assert_eq!(text("mark"), "the same page");
    hub.end().await;
}

fn seen_login(hub: &crate::hub::Hub) -> serde_json::Value {
    let staff = hub.credentials()["staff"].as_array().expect("staff");
    staff.iter().find(|member| member["role"] == "agent").expect("an agent")["login"].clone()
}
