//! What can be said of the widget without a browser: its texts are complete, its colours can be read, and it holds
//! nothing that a strict Content-Security-Policy refuses. A browser drives it in the hub's own tests.

use std::collections::BTreeSet;

use channel_websocket::WIDGET_JS;
use serde_json::{Map, Value};

/// The JSON object that stands in the script after `const NAME =`.
fn table(name: &str) -> Map<String, Value> {
    let (_, rest) = WIDGET_JS.split_once(&format!("const {name} = ")).expect("the table is there");
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    match values.next() {
        Some(Ok(Value::Object(table))) => table,
        other => panic!("{name} is not plain JSON: {other:?}"),
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The placeholders of a text, such as `{number}`.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

#[test]
fn the_catalogues_say_the_same_things() {
    let catalogue = table("CATALOGUE");
    let (zh, en) = (&catalogue["zh"], &catalogue["en"]);
    assert_eq!(keys(zh), keys(en));
    for key in keys(zh) {
        let (zh, en) = (zh[key].as_str().expect("a text"), en[key].as_str().expect("a text"));
        assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{key}");
        assert_eq!(placeholders(zh), placeholders(en), "{key}");
    }
}

#[test]
fn each_text_is_used_and_each_used_text_is_there() {
    let catalogue = table("CATALOGUE");
    let known = keys(&catalogue["en"]);
    let used: BTreeSet<_> = WIDGET_JS.split("say('").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    // Kinds of messages and error codes are looked up by the word of the protocol.
    let looked_up = |key: &str| ["kind_", "failed_"].iter().any(|prefix| key.starts_with(prefix));
    assert_eq!(known.iter().copied().filter(|key| !looked_up(key)).collect::<BTreeSet<_>>(), used);
    for kind in ["acknowledgement", "question", "reply", "notice"] {
        assert!(known.contains(format!("kind_{kind}").as_str()), "{kind}");
    }
    for code in ["too_long", "empty_text", "other"] {
        assert!(known.contains(format!("failed_{code}").as_str()), "{code}");
    }
}

#[test]
fn no_text_stands_outside_the_catalogue() {
    let (before, after) = WIDGET_JS.split_once("const CATALOGUE = ").expect("catalogue");
    let (_, after) = after.split_once("\n};").expect("its end");
    let is_chinese = |character: char| {
        ('\u{3000}'..='\u{9fff}').contains(&character) || ('\u{ff00}'..='\u{ffef}').contains(&character)
    };
    for (number, line) in before.lines().chain(after.lines()).enumerate() {
        assert!(!line.contains(is_chinese), "line {number}: {line}");
    }
}

/// Relative luminance (WCAG 2.2) of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let colour = u32::from_str_radix(colour.trim_start_matches('#'), 16).expect("a colour");
    let channel = |shift: u32| {
        let value = f64::from((colour >> shift) & 0xff) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
}

#[test]
fn colours_can_be_read() {
    let palette = table("PALETTE");
    // Text needs 4.5 to 1 (WCAG 1.4.3), borders of controls and the focus ring 3 to 1 (1.4.11).
    let pairs = [
        ("text", "surface", 4.5),
        ("text", "sunken", 4.5),
        ("text", "mine", 4.5),
        ("muted", "surface", 4.5),
        ("muted", "sunken", 4.5),
        ("muted", "mine", 4.5),
        ("accent", "surface", 4.5),
        ("accent", "sunken", 4.5),
        ("onaccent", "accent", 4.5),
        ("error", "surface", 4.5),
        ("error", "mine", 4.5),
        ("control", "surface", 3.0),
        ("focus", "surface", 3.0),
        ("focus", "sunken", 3.0),
    ];
    for (theme, colours) in &palette {
        for (front, back, least) in pairs {
            let colour = |name: &str| luminance(colours[name].as_str().expect("a colour"));
            let (one, two) = (colour(front), colour(back));
            let ratio = (one.max(two) + 0.05) / (one.min(two) + 0.05);
            assert!(ratio >= least, "{theme}: {front} on {back} is {ratio:.2}");
        }
    }
    assert_eq!(palette.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["light", "dark"]));
}

#[test]
fn nothing_that_a_strict_policy_refuses() {
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        ".style.",
        "setAttribute('style'",
        "createElement('style'",
    ] {
        assert!(!WIDGET_JS.contains(word), "{word}");
    }
    assert!(WIDGET_JS.contains("adoptedStyleSheets"));
}

#[test]
fn parts_that_pages_and_tests_rely_on() {
    for part in ["launcher", "panel", "log", "input", "send"] {
        assert!(WIDGET_JS.contains(&format!("part: '{part}'")), "{part}");
    }
}
