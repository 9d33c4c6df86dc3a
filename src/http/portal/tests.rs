//! The pages against a hub of their own, and the words in them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

use super::pages::{ICON, Language, Pages, STYLE, Site};
use super::views::{
    Answer, AnswerPage, Confirmation, Download, Fault, FaultPage, FormPage, Item, ItemGroup, Limits, Moment,
    ReceivedPage, Said, Step, TicketPage, TrackPage, Typed, WidgetPage, faulty, masked, paragraphs, shape, size,
};
use crate::channels::webform::{Photo, compose};
use crate::cli::{Common, serve as command};
use crate::dispatch::actions::{Reply, Seen, reply};
use crate::domain::{Actor, Clock, Role, TicketNumber};
use crate::hub::Hub;
use crate::locale::Catalogues;
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

/// Every page with everything on it, in every language.
fn rendered() -> Vec<(String, String)> {
    let catalogues = Arc::new(Catalogues::load(None).expect("sound"));
    let pages = Pages::new(Arc::clone(&catalogues));
    let mut all = Vec::new();
    for words in catalogues.all() {
        let site = Site {
            city: "Y",
            helpline: "12345",
            language: words.tag(),
            languages: catalogues
                .all()
                .iter()
                .map(|other| Language { tag: other.tag(), name: other.text("language.name") })
                .collect(),
            section: "start",
            path: "/",
            pass: Some("p"),
            style: "/s",
            icon: "/i",
        };
        let at =
            Moment::new(&chrono::DateTime::parse_from_rfc3339("2026-11-24T15:04:00+08:00").expect("a time"), words);
        let keys =
            words.texts().filter_map(|(key, _)| key.strip_prefix("error.")).filter(|key| !key.starts_with("throttled"));
        let fields = [
            "text",
            "place",
            "photos",
            "name",
            "answer_channel",
            "answer_address",
            "number",
            "code",
            "confirmation",
            "addition",
            "reopen",
        ];
        let errors: Vec<_> =
            keys.zip(fields.into_iter().cycle()).map(|(key, field)| Fault::new(field, key, words)).collect();
        let limits =
            Limits { text_chars: 2000, photos: 3, photo_megabytes: 10, photo_types: vec!["image/png".to_owned()] };
        let item = Item { id: "i".to_owned(), name: "i".to_owned() };
        let form = FormPage {
            form_token: "t".to_owned(),
            input: Typed { confidential: true, ..Typed::default() },
            faulty: faulty(&errors),
            errors: errors.clone(),
            unavailable: true,
            photos_lost: true,
            limits,
            items: vec![ItemGroup { name: "g".to_owned(), items: vec![item] }],
            answer_channels: vec!["sms", "email", "phone"],
        };
        all.push((form.form_token.clone(), pages.render("form.html", &site, &form)));
        for (due, department, confirm) in [(true, true, "code"), (true, false, "call"), (false, false, "")] {
            let page = ReceivedPage {
                number: "1".to_owned(),
                spoken: "1".to_owned(),
                code: "C".to_owned(),
                pass: "p".to_owned(),
                due: due.then(|| at.text.clone()),
                department: department.then(|| "D".to_owned()),
                confirm,
            };
            all.push(("received".to_owned(), pages.render("received.html", &site, &page)));
        }
        let track = TrackPage { number: "1".to_owned(), faulty: faulty(&errors), errors: errors.clone() };
        all.push(("track".to_owned(), pages.render("track.html", &site, &track)));
        let file = Download { name: "f".to_owned(), size: size(2_000_000), url: "/f".to_owned() };
        let answer = Answer {
            at: at.clone(),
            department: Some("D".to_owned()),
            language: Some("zh-Hans".to_owned()),
            paragraphs: paragraphs("one\ntwo\n\nthree"),
            files: vec![file],
        };
        for (state, confirmation, late) in
            [("received", "waiting", false), ("assigned", "confirmed", true), ("answered", "unsent", false)]
        {
            let page = TicketPage {
                number: "1".to_owned(),
                spoken: "1".to_owned(),
                pass: "p".to_owned(),
                form_token: "t".to_owned(),
                state,
                shape: shape(state),
                due: (state != "received").then(|| at.text.clone()),
                left: (state != "received").then(|| words.count("track.days_left", 2, &[])),
                late,
                department: (state == "answered").then(|| "D".to_owned()),
                answers: if late {
                    Vec::new()
                } else {
                    vec![answer.clone(), Answer { department: None, ..answer.clone() }]
                },
                steps: ["received", "assigned", "progress", "answered", "closed", "reopened"]
                    .map(|key| Step { key, shape: shape(key), at: at.clone(), department: Some("D".to_owned()) })
                    .to_vec(),
                messages: ["sms", "email", "telegram", "websocket", "webform", "phone"]
                    .map(|channel| Said {
                        at: at.clone(),
                        channel: channel.to_owned(),
                        language: None,
                        paragraphs: paragraphs("x"),
                        files: vec!["a".to_owned(), "b".to_owned()],
                    })
                    .to_vec(),
                confirmation: Some(Confirmation { address: masked("+8613800138000"), state: confirmation }),
                can_add: true,
                can_reopen: true,
                primary: "reopen",
                limits: Some(Limits {
                    text_chars: 2000,
                    photos: 3,
                    photo_megabytes: 10,
                    photo_types: vec!["image/jpeg".to_owned()],
                }),
                photos_lost: true,
                done: Some("done".to_owned()),
                typed: "typed".to_owned(),
                typed_in: "reopen",
                faulty: faulty(&errors),
                errors: errors.clone(),
                unavailable: late,
            };
            all.push((state.to_owned(), pages.render("ticket.html", &site, &page)));
        }
        let page = AnswerPage { spoken: "1".to_owned(), answer, expires: at.text.clone() };
        all.push(("answer".to_owned(), pages.render("answer.html", &site, &page)));
        for kind in ["not_found", "too_large", "bad_request", "try_later", "gone"] {
            let page = FaultPage { kind, way_out: "/track", way_out_words: "site.track" };
            all.push((kind.to_owned(), pages.render("fault.html", &site, &page)));
        }
        let page = WidgetPage { account: "app".to_owned() };
        all.push(("widget".to_owned(), pages.render("widget.html", &site, &page)));
    }
    all
}

#[test]
fn every_page_renders_in_every_language_without_a_missing_word() {
    let catalogue = Catalogues::load(None).expect("sound");
    let sections: BTreeSet<&str> =
        catalogue.default_language().texts().filter_map(|(key, _)| key.split('.').next()).collect();
    for (name, html) in rendered() {
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{name}");
        // An unknown key shows itself.
        let text = visible(&html);
        for word in text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.' || letter == '_')) {
            let is_key =
                word.split_once('.').is_some_and(|(section, rest)| sections.contains(section) && !rest.is_empty());
            assert!(!is_key, "{name}: {word} has no words");
        }
        for variable in [
            "{limit}",
            "{name}",
            "{number}",
            "{due}",
            "{department}",
            "{address}",
            "{count}",
            "{helpline}",
            "{state}",
            "{at}",
        ] {
            let named_by_an_error = html.contains("summary") && ["{limit}", "{name}"].contains(&variable);
            assert!(named_by_an_error || !text.contains(variable), "{name}: {variable}");
        }
    }
}

/// The text between tags.
fn visible(html: &str) -> String {
    html.split('<').filter_map(|piece| piece.split_once('>').map(|(_, text)| text)).collect::<Vec<_>>().join(" ")
}

#[test]
fn words_stand_in_catalogues_only() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/portal");
    let han = |text: &str| text.chars().any(|letter| ('\u{3400}'..='\u{9fff}').contains(&letter));
    // Macros write attributes outside any tag.
    let attribute = regex::Regex::new(r#" [a-z-]+="[^"]*""#).expect("a pattern");
    let mut used = String::new();
    for entry in std::fs::read_dir(folder.join("pages")).expect("the pages").flatten() {
        let source = std::fs::read_to_string(entry.path()).expect("a page");
        let path = entry.path().display().to_string();
        assert!(!han(&source) || path.ends_with(".css"), "{path} has words of its own");
        if path.ends_with(".html") {
            let mut bare = String::new();
            for piece in source.split('{') {
                bare.push_str(piece.rsplit('}').next().unwrap_or_default());
            }
            let text = visible(&bare);
            let words: String =
                attribute.replace_all(&text, "").chars().filter(|letter| letter.is_alphabetic()).collect();
            assert_eq!(words, "", "{path} has words of its own");
        }
        used.push_str(&source);
    }
    for entry in std::fs::read_dir(&folder).expect("the sources").flatten().filter(|entry| entry.path().is_file()) {
        let source = std::fs::read_to_string(entry.path()).expect("a source");
        let path = entry.path().display().to_string();
        if !path.ends_with("tests.rs") {
            let production = source.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!han(production), "{path} has words of its own");
            used.push_str(production);
        }
    }
    // Keys that are put together from words of the program: errors, media, kinds of faults, steps, reasons.
    let made = ["error.", "channel.", "fault.", "form.answer_", "emergency.", "decision.abstain_"];
    used.push_str(include_str!("../api/explain.rs"));
    let steps = ["received", "assigned", "progress", "answered", "closed", "reopened"];
    for (key, _) in Catalogues::load(None).expect("sound").default_language().texts() {
        let plain = key.trim_end_matches(".one").trim_end_matches(".other");
        let step = plain.strip_prefix("track.").is_some_and(|step| steps.contains(&step));
        assert!(
            step || made.iter().any(|prefix| key.starts_with(prefix)) || used.contains(&format!("\"{plain}\"")),
            "{key} is not used"
        );
    }
}
