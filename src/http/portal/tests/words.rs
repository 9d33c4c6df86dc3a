//! The words in the pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::http::portal::pages::{Language, Pages, Site};
use crate::http::portal::views::{
    Answer, AnswerPage, Confirmation, Download, Fault, FaultPage, FormPage, Item, ItemGroup, Limits, Moment, Moved,
    ReceivedPage, Said, Step, TicketPage, TrackPage, Typed, WidgetPage, faulty, masked, paragraphs, shape, size,
};
use crate::locale::Catalogues;

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
                moved: late.then(|| Moved { spoken: "2".to_owned(), pass: Some("p".to_owned()) }),
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
        let production = source.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!han(production), "{path} has words of its own");
        used.push_str(production);
    }
    // Keys that are put together from words of the program: errors, media, kinds of faults, steps, reasons.
    let made = ["error.", "channel.", "fault.", "form.answer_", "emergency.", "decision.abstain_"];
    used.push_str(include_str!("../../api/explain.rs"));
    used.push_str(include_str!("../../../intake/batch/message.rs"));
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
