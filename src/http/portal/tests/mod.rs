//! The pages against a hub of their own.

mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

use super::pages::{ICON, STYLE};
use crate::channels::webform::{Photo, compose};
use crate::cli::{Common, serve as command};
use crate::dispatch::actions::{Reply, Seen, reply};
use crate::domain::{Actor, Clock, Role, TicketNumber};
use crate::hub::Hub;
use crate::serve::{Running, open};
use crate::store::tickets;

/// 2026-11-22 10:00 in Shanghai.
const MORNING: i64 = 1_795_312_800_000;

/// A demo city in a folder of its own, whose clock stands still.
struct City {
    running: Running,
    clock: Clock,
    router: Router,
    _data: tempfile::TempDir,
}

impl City {
    async fn open() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let common = Common { data: Some(data.path().to_owned()), ..Common::default() };
        let args = command::Args { demo: true, listen: Some("127.0.0.1:0".to_owned()), demo_traffic: false };
        let mut prepared = command::prepare(&common, &args).expect("the demo's settings are sound");
        // Nobody logs in here, and hashing the passwords of a whole city takes long.
        prepared.demo = None;
        let clock = Clock::manual(MORNING);
        let running = open(prepared, clock.clone()).await.expect("a hub");
        let router = crate::http::router(&running.hub);
        Self { running, clock, router, _data: data }
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.running.hub
    }

    async fn ask(&self, method: Method, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Page {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(method, path, cookie, "application/x-www-form-urlencoded", body.into()).await
    }

    async fn send(&self, method: Method, path: &str, cookie: &str, media_type: &str, body: Body) -> Page {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, media_type)
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1234))))
            .body(body)
            .expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let html = to_bytes(body, usize::MAX).await.expect("a body");
        Page { status: parts.status, headers: parts.headers, html: String::from_utf8(html.into()).expect("UTF-8") }
    }

    async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, "", &[]).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Page {
        self.ask(Method::POST, path, cookie, fields).await
    }

    /// The form with its cookie and submit token.
    async fn form(&self) -> (String, String) {
        let page = self.get("/").await;
        assert_eq!(page.status, StatusCode::OK);
        (page.cookie(), page.hidden("form_token"))
    }

    /// Files an appeal and returns its number, its query code and the cookie.
    async fn filed(&self, fields: &[(&str, &str)]) -> (TicketNumber, String, String) {
        let (cookie, token) = self.form().await;
        let mut all = vec![("form_token", token.as_str())];
        all.extend_from_slice(fields);
        let page = self.post("/", &cookie, &all).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        (TicketNumber::stored(page.element("ticket-number")), page.element("query-code"), cookie)
    }

    async fn ticket(&self, number: &TicketNumber) -> tickets::TicketRow {
        let mut conn = self.hub().store.read().await.expect("a connection");
        tickets::get(&mut conn, &self.hub().store.city, number).await.expect("read").expect("a ticket")
    }

    async fn ledger(&self) -> i64 {
        let mut conn = self.hub().store.read().await.expect("a connection");
        conn.fetch_value("select count(*) from inbound", Vec::new()).await.expect("a count")
    }
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Page {
    fn cookie(&self) -> String {
        let cookie = self.headers.get(header::SET_COOKIE).expect("a cookie").to_str().expect("ASCII");
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        cookie.split(';').next().expect("a pair").to_owned()
    }

    fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self.html.split_once(before).unwrap_or_else(|| panic!("{before} is missing in {}", self.html));
        rest.split(after).next().expect("a text").to_owned()
    }

    fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    fn element(&self, id: &str) -> String {
        self.between(&format!("id=\"{id}\">"), "<")
    }

    fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }
}

#[tokio::test]
async fn a_form_is_one_appeal_and_only_from_our_own_page() {
    let city = City::open().await;
    let (cookie, token) = city.form().await;
    let good = [("form_token", token.as_str()), ("text", "文昌路的路灯不亮"), ("place", "文昌路12号")];

    for (cookie, token) in [
        ("", token.as_str()),
        ("yingda_form=0123456789abcdef0123456789abcdef", &token),
        (&cookie, ""),
        (&cookie, "1.2.3"),
    ] {
        let refused = city.post("/", cookie, &[("form_token", token), ("text", "文昌路的路灯不亮")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.says("文昌路的路灯不亮"), "what was typed stays");
    }
    let wrong =
        [("form_token", token.as_str()), ("place", "<b>文昌路"), ("answer_channel", "sms"), ("answer_address", "138")];
    let refused = city.post("/", &cookie, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for expected in
        ["<title>错误：", "href=\"#text\"", "href=\"#answer_address\"", "&lt;b&gt;文昌路", "aria-invalid=\"true\""]
    {
        assert!(refused.says(expected), "{expected} in {}", refused.html);
    }
    assert_eq!(city.ledger().await, 0, "nothing was taken so far");

    let filed = city.post("/", &cookie, &good).await;
    assert_eq!(filed.status, StatusCode::OK);
    let number = filed.element("ticket-number");
    assert!(TicketNumber::parse(&number).is_some(), "{number}");
    let again = city.post("/", &cookie, &good).await;
    assert_eq!(
        (again.element("ticket-number"), again.element("query-code")),
        (number.clone(), filed.element("query-code"))
    );
    let other = city.post("/", &cookie, &[("form_token", token.as_str()), ("text", "另一件事")]).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert!(other.says("另一件事"));
    assert_ne!(other.hidden("form_token"), token, "the next try has a token of its own");

    let switched = city.post("/received?lang=en", &cookie, &[("pass", &filed.hidden("pass"))]).await;
    assert!(switched.says("<html lang=\"en\">") && switched.element("ticket-number") == number);

    city.clock.advance(25 * 3_600_000);
    let stale = city.post("/", &cookie, &good).await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);

    let (cookie, token) = city.form().await;
    city.hub().store.close().await;
    let unsaved = city.post("/", &cookie, &[("form_token", &token), ("text", "文昌路的路灯还不亮")]).await;
    assert_eq!(unsaved.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(unsaved.headers.contains_key(header::RETRY_AFTER));
    assert!(unsaved.says("文昌路的路灯还不亮") && unsaved.says("未能保存"), "{}", unsaved.html);
}

#[tokio::test]
async fn rules_see_who_speaks_and_from_which_street() {
    let city = City::open().await;
    // The demo has a rule for businesses, and one for the square before the station at weekends.
    for (kind, street, fired) in [
        ("enterprise", "云川火车站", [true, true]),
        ("individual", "云川火车站", [false, true]),
        ("enterprise", "", [true, false]),
        ("", "", [false, false]),
    ] {
        let (number, ..) = city.filed(&[("text", "共享单车乱停放"), ("citizen_kind", kind), ("street", street)]).await;
        let replay = crate::rule_sets::replay::replay(city.hub(), &number).await.expect("a decision");
        let hits = replay.stored.hits.to_string();
        assert_eq!(
            ["service.enterprise", "service.station-square"].map(|rule| hits.contains(rule)),
            fired,
            "{kind} {street}: {hits}"
        );
    }
    let (cookie, token) = city.form().await;
    let refused = city.post("/", &cookie, &[("form_token", token.as_str()), ("citizen_kind", "enterprise")]).await;
    assert!(refused.says("value=\"enterprise\" selected"), "what was chosen stays");
}

#[tokio::test]
async fn times_are_told_as_people_say_them() {
    let city = City::open().await;
    for (language, by_when, valid, routed, unclear) in [
        ("zh-Hans", "前答复。", "24小时内有效", "文昌路的路灯坏了，请尽快维修", "有件事情想对你们说说"),
        ("zh-Hant", "前答覆。", "24小時內有效", "文昌路的路燈壞了，請儘快維修", "有件事情想對你們說說"),
        (
            "en",
            "answer by ",
            "24 hours",
            "The street light is broken",
            "There is something that I would like to tell you",
        ),
    ] {
        for (text, address) in [(routed, "li.lei@example.com"), (unclear, "13800138000")] {
            let (cookie, token) = city.form().await;
            let channel = if address.contains('@') { "email" } else { "sms" };
            let fields = [
                ("form_token", token.as_str()),
                ("text", text),
                ("answer_channel", channel),
                ("answer_address", address),
                ("language", language),
            ];
            let page = city.post(&format!("/?lang={language}"), &cookie, &fields).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.says(by_when), "{language}: when the answer comes, not when to look: {}", page.html);
            let number = TicketNumber::stored(page.element("ticket-number"));
            let mut conn = city.hub().store.read().await.expect("a connection");
            let sent: String = conn
                .fetch_value("select text from deliveries where ticket = $1 and kind = 'code'", vec![(&number).into()])
                .await
                .expect("a code");
            assert!(sent.contains(valid), "{language} {channel}: {sent}");
        }
    }
}

#[tokio::test]
async fn a_ticket_is_followed_added_to_answered_and_reopened() {
    let city = City::open().await;
    let (number, code, cookie) = city
        .filed(&[("text", "文昌路的路灯不亮"), ("answer_channel", "email"), ("answer_address", "li.lei@example.com")])
        .await;
    let typed = format!(" {} ", number.spoken());
    let open = [("number", typed.as_str()), ("code", &code.to_lowercase())];
    let page = city.post("/track", &cookie, &open).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.says("还有"), "the time left is told");
    assert!(page.says("文昌路的路灯不亮") && page.says("l…@example.com") && !page.says("li.lei@"));
    let pass = page.hidden("pass");

    let token = page.hidden("form_token");
    let addition = [("pass", pass.as_str()), ("form_token", &token), ("text", "晚上完全看不见")];
    for _ in 0..2 {
        let added = city.post("/track/message", &cookie, &addition).await;
        assert_eq!((added.status, added.html.matches("晚上完全看不见").count()), (StatusCode::OK, 1));
    }
    let empty = city.post("/track/message", &cookie, &[("pass", &pass), ("form_token", &token), ("text", "")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(empty.says("href=\"#addition\""));

    let row = city.ticket(&number).await;
    let actor = Actor {
        id: "token:test".to_owned(),
        name: "test".to_owned(),
        role: Role::Agent,
        department: row.department.clone(),
        identity: false,
    };
    let seen = Seen { number: number.clone(), version: row.version, actor };
    let (answer, _) = reply(city.hub(), seen, Reply { text: "路灯已修复".to_owned(), attachments: Vec::new() })
        .await
        .expect("answered");
    let answered = city.post("/track", &cookie, &[("pass", &pass)]).await;
    assert!(answered.says("路灯已修复"));
    assert_eq!(outbound(&city, &number).await, ["code email", "reply webform"], "unconfirmed, the answer stays here");

    let wrong = city.post("/confirm", &cookie, &[("pass", &pass), ("confirmation", "abcdef")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!city.ticket(&number).await.answer_confirmed);
    let right = city.hub().confirmation_code(&number, "li.lei@example.com");
    let confirmed = city.post("/confirm", &cookie, &[("pass", &pass), ("confirmation", &right)]).await;
    assert_eq!(confirmed.status, StatusCode::OK);
    assert!(city.ticket(&number).await.answer_confirmed);
    assert_eq!(outbound(&city, &number).await, ["code email", "reply webform", "reply email"]);

    let link = "a-link-of-the-outbox";
    let mut changes = city.hub().store.changes(MORNING);
    changes.answer_link(crate::secret::hash(link), &number, answer.as_str(), MORNING + 1000);
    let changes = std::sync::Mutex::new(Some(changes));
    city.hub()
        .store
        .write(move |conn| {
            let changes = changes.lock().expect("one writer").take();
            Box::pin(async move { changes.expect("once").flush(conn).await })
        })
        .await
        .expect("a link");
    assert!(city.get(&format!("/answer/{link}")).await.says("路灯已修复"));
    assert_eq!(city.get("/answer/another").await.status, StatusCode::NOT_FOUND);

    let fresh = city.post("/track", &cookie, &[("pass", &pass)]).await.hidden("form_token");
    let reopened =
        city.post("/track/reopen", &cookie, &[("pass", &pass), ("form_token", &fresh), ("text", "还是不亮")]).await;
    assert_eq!(reopened.status, StatusCode::OK);
    assert!(reopened.says("还是不亮") && reopened.says("已要求重新办理"));
    assert_eq!(city.ticket(&number).await.state, crate::domain::TicketState::Dispatched);

    city.clock.advance(31 * 60_000);
    assert_eq!(city.get(&format!("/answer/{link}")).await.status, StatusCode::NOT_FOUND, "the link has ended");
    let expired = city.post("/track", &cookie, &[("pass", &pass)]).await;
    assert_eq!(expired.status, StatusCode::FORBIDDEN);
    assert!(!expired.says("路灯"));
    let forged = pass.replacen(number.as_str(), "2611220000021", 1);
    assert_eq!(
        city.post("/track/message", &cookie, &[("pass", &forged), ("text", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn photos_come_with_what_is_added() {
    let city = City::open().await;
    let (number, code, cookie) = city.filed(&[("text", "文昌路的路灯不亮")]).await;
    let page = city.post("/track", &cookie, &[("number", number.as_str()), ("code", &code)]).await;
    let (pass, token) = (page.hidden("pass"), page.hidden("form_token"));
    let photo = |name: &str, media_type: &str, bytes: &[u8]| Photo {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: bytes.to_vec().into(),
    };
    let add = async |text: &str, photo: Photo| {
        let fields = [("pass", pass.as_str()), ("form_token", &token), ("text", text)];
        let (media_type, body) = compose(&fields, &[photo]);
        city.send(Method::POST, "/track/message", &cookie, &media_type, body.into()).await
    };
    let refused = add("看照片", photo("lamp.exe", "application/x-msdownload", b"MZ")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("href=\"#addition-photos\"") && refused.says("看照片"), "{}", refused.html);
    assert!(refused.says("照片没有保留"), "the photo has to be chosen again");

    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
    let added = add("看照片", photo("lamp.png", "image/png", png)).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.html);
    assert!(added.says("lamp.png"));
    let mut conn = city.hub().store.read().await.expect("a connection");
    let files = tickets::attachments(&mut conn, &city.hub().store.city, &number).await.expect("read");
    let kept: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.state.as_str(), file.size)).collect();
    assert_eq!(kept, [("lamp.png", "stored", i64::try_from(png.len()).ok())]);
    let bodies: Vec<Vec<u8>> = conn
        .fetch("select body from inbound order by id", Vec::new())
        .await
        .expect("read")
        .iter()
        .map(|row| row.get(0).expect("a body"))
        .collect();
    let held = |text: &str| bodies.iter().any(|body| body.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(held("IHDR") && !held(&pass), "the ledger has the photo, and not the pass that opens the page");
}

async fn outbound(city: &City, number: &TicketNumber) -> Vec<String> {
    let mut conn = city.hub().store.read().await.expect("a connection");
    let deliveries = tickets::deliveries(&mut conn, &city.hub().store.city, number).await.expect("deliveries");
    let citizen = deliveries.into_iter().filter(|delivery| delivery.department.is_none());
    citizen.map(|delivery| format!("{} {}", delivery.kind, delivery.channel)).collect()
}

#[tokio::test]
async fn query_codes_cannot_be_guessed() {
    let city = City::open().await;
    let (number, code, _) = city.filed(&[("text", "文昌路的路灯不亮")]).await;
    let most = city.hub().config.intake.query_tries_per_hour;
    for _ in 0..most {
        let wrong = city.post("/track", "", &[("number", number.as_str()), ("code", "22222222")]).await;
        assert_eq!(wrong.status, StatusCode::NOT_FOUND);
    }
    for code in ["22222222", code.as_str()] {
        let refused = city.post("/track", "", &[("number", number.as_str()), ("code", code)]).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.says("60分钟"), "{}", refused.html);
    }
    city.clock.advance(3_600_000);
    for _ in 0..=most {
        let right = city.post("/track", "", &[("number", number.as_str()), ("code", &code)]).await;
        assert_eq!(right.status, StatusCode::OK, "right codes do not count");
    }
    let mistyped = city.post("/track", "", &[("number", "2611220000099"), ("code", &code)]).await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY, "a wrong check digit is told at once");
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_remember_the_language() {
    let city = City::open().await;
    for path in ["/", "/track", "/nothing", "/answer/x", "/files/x", "/widget-demo"] {
        let page = city.get(path).await;
        let policy = page.headers.get(header::CONTENT_SECURITY_POLICY).expect("a policy").to_str().expect("ASCII");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.headers.get(header::CACHE_CONTROL).expect("a rule"), "no-store", "{path}");
        assert!(
            !page.says("http:") && !page.says("https:") && !page.says("style=") && !page.says("<script>"),
            "{path}"
        );
        assert!(page.says("href=\"tel:12345\""), "{path}: the helpline stands on every page");
    }
    let english = city.get("/track?lang=en").await;
    assert!(english.says("<html lang=\"en\">"));
    let cookies: Vec<_> =
        english.headers.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("yingda_lang=en;")), "{cookies:?}");
    let remembered = city.ask(Method::GET, "/", "yingda_lang=zh-Hant", &[]).await;
    assert!(remembered.says("<html lang=\"zh-Hant\">"));
    let style = remembered.between("<link rel=\"stylesheet\" href=\"", "\"").replace("&#x2f;", "/");
    assert_eq!(city.get(&style).await.html, STYLE);
    assert!(city.get("/assets/icon.svg").await.html == ICON);
}

#[tokio::test]
async fn a_ticket_that_went_into_another_says_so() {
    let city = City::open().await;
    let (number, code, cookie) = city.filed(&[("text", "文昌路的路灯不亮")]).await;
    let (other, ..) = city.filed(&[("text", "文昌路停水")]).await;
    let (from, to) = (number.clone(), other.clone());
    crate::dispatch::actions::write(city.hub(), move |hub, conn, changes| {
        let (from, to) = (from.clone(), to.clone());
        Box::pin(async move { crate::dispatch::merge_into(hub, conn, changes, &from, &to, "citizen").await })
    })
    .await
    .expect("moved");
    let page = city.post("/track", &cookie, &[("number", number.as_str()), ("code", &code)]).await;
    assert!(page.says("已并入诉求") && page.says(&other.spoken()), "{}", page.html);
    assert!(!page.says("申请重办") && !page.says("还没有答复"), "{}", page.html);
    assert!(!page.says("查看诉求"), "nobody knows that both are the same citizen's");
}
