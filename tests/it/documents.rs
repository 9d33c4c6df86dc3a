//! The examples of `docs/contract.md`, sent to a demo hub in their order.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::hub::Plan;
use crate::peers;

/// An example: what is sent, and what comes back.
struct Example {
    request: String,
    answer: String,
}

/// The pairs of `http` and `json` blocks of a document.
fn examples(document: &str) -> Vec<Example> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_owned(), Vec::new())),
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(kind, lines)| (kind, lines.join("\n")))),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    let pairs = blocks.windows(2).filter(|pair| pair[0].0 == "http" && pair[1].0 == "json");
    pairs.map(|pair| Example { request: pair[0].1.clone(), answer: pair[1].1.clone() }).collect()
}

/// Whether an answer is what the document shows; fields may be left out, `"*"` is any value.
fn fits(shown: &Value, got: &Value) -> bool {
    match (shown, got) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(shown), Value::Object(got)) => {
            shown.iter().all(|(name, value)| got.get(name).is_some_and(|got| fits(value, got)))
        }
        (Value::Array(shown), Value::Array(got)) => {
            shown.len() == got.len() && shown.iter().zip(got).all(|(shown, got)| fits(shown, got))
        }
        _ => shown == got,
    }
}

/// Keeps what stands where the document names a word in braces.
fn learn(shown: &Value, got: &Value, words: &mut BTreeMap<String, String>) {
    match (shown, got) {
        (Value::String(name), got) if name.starts_with('{') && name.ends_with('}') => {
            let value = got.as_str().map_or_else(|| got.to_string(), str::to_owned);
            words.insert(name.clone(), value);
        }
        (Value::Object(shown), Value::Object(got)) => {
            for (name, value) in shown {
                learn(value, got.get(name).unwrap_or(&Value::Null), words);
            }
        }
        (Value::Array(shown), Value::Array(got)) => {
            for (shown, got) in shown.iter().zip(got) {
                learn(shown, got, words);
            }
        }
        _ => {}
    }
}

fn filled(text: &str, words: &BTreeMap<String, String>) -> String {
    words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn blanked(shown: &Value) -> Value {
    match shown {
        Value::String(name) if name.starts_with('{') && name.ends_with('}') => Value::String("*".to_owned()),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), blanked(value))).collect(),
        Value::Array(items) => items.iter().map(blanked).collect(),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_surface_is_as_the_document_shows() {
    let hub = Plan::new().start().await;
    let document = std::fs::read_to_string(peers::repository("docs/contract.md")).expect("the document");
    let examples = examples(&document);
    assert!(examples.len() >= 8, "the document has its examples");
    let mut words = BTreeMap::from([
        ("{agent}".to_owned(), hub.secret("/tokens/agent").to_owned()),
        ("{supervisor}".to_owned(), hub.secret("/tokens/supervisor").to_owned()),
        ("{admin}".to_owned(), hub.secret("/tokens/admin").to_owned()),
        ("{handler}".to_owned(), hub.secret("/tokens/handlers/urban-management").to_owned()),
        ("{mailbox}".to_owned(), hub.secret("/email/mailbox/token").to_owned()),
    ]);
    let client = peers::http();
    for example in examples {
        let request = filled(&example.request, &words);
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let mut lines = head.lines();
        let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a request line");
        let mut sending = client.request(method.parse().expect("a method"), hub.url(path));
        let mail = head.contains("message/rfc822");
        let body = if mail { body.replace('\n', "\r\n") } else { body.to_owned() };
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header");
            if value == "{signature}" {
                let secret = hub.secret("/sms/demo/secret");
                for (name, value) in peers::sms_gateway::sign(secret, "doc", peers::now().timestamp(), body.as_bytes())
                {
                    sending = sending.header(name, value);
                }
            } else {
                sending = sending.header(name, value);
            }
        }
        if !mail && !body.is_empty() {
            sending = sending.header("content-type", "application/json");
        }
        let answer = sending.body(body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{head}\n{status} {text}");
        let got: Value = serde_json::from_str(&text).expect("JSON");
        let shown: Value = serde_json::from_str(&example.answer).expect("the document's JSON");
        let first_number = words.contains_key("{number}");
        let expected: Value = if first_number {
            let known = BTreeMap::from([("{number}".to_owned(), words["{number}"].clone())]);
            blanked(&serde_json::from_str(&filled(&example.answer, &known)).expect("JSON"))
        } else {
            blanked(&shown)
        };
        assert!(fits(&expected, &got), "{head}\nshown {expected}\ngot   {got}");
        learn(&shown, &got, &mut words);
    }
    hub.end().await;
}
