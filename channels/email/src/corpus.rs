//! Every file of the mail corpus through this crate, against what its suites expect.
//!
//! The corpus lies outside the repository. `fixtures/corpus-disagreements.txt` names each mail on which we differ from
//! its suite, and why; `fixtures/corpus-visible.txt` holds a hash of the visible reply of each reply fixture, read and
//! judged by a person. A new difference fails, and so does one that is gone but still listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use channel_contract::{AttachmentContent, RawRequest, Receipt, digest};
use chrono::DateTime;
use serde_json::Value;

use crate::mail::{self, Mail};
use crate::settings::Settings;
use crate::{bounce, charset, html, receive, reply};

const LIMIT: u64 = u64::MAX;

#[derive(Default)]
struct Suite {
    files: usize,
    checks: usize,
    agreed: usize,
}

#[derive(Default)]
struct Outcome {
    suites: BTreeMap<String, Suite>,
    /// `suite/path what`.
    differences: BTreeSet<String>,
    visible: BTreeMap<String, String>,
}

impl Outcome {
    fn check(&mut self, path: &str, what: &str, agrees: bool) {
        let suite = self.suites.entry(path.split('/').next().unwrap_or_default().to_owned()).or_default();
        suite.checks += 1;
        suite.agreed += usize::from(agrees);
        if !agrees {
            self.differences.insert(format!("{path} {what}"));
        }
    }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace() && !matches!(character, '\0' | '\u{feff}')).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

fn hash(text: &str) -> String {
    digest([squeezed(text).as_bytes()]).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn inline(mail: &Mail) -> Vec<&[u8]> {
    mail.attachments
        .iter()
        .filter_map(|file| match &file.content {
            AttachmentContent::Inline(bytes) => Some(bytes.as_ref()),
            AttachmentContent::Remote { .. } => None,
        })
        .collect()
}

/// The suite's own dump: writer, subject, text, files.
fn stalwart(outcome: &mut Outcome, name: &str, raw: &[u8], expected: &Value) {
    let Some(mail) = mail::parse(raw, LIMIT) else {
        outcome.check(name, "parsed", false);
        return;
    };
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    let parts = list(&expected["parts"]);
    let headers = parts.first().map(|part| list(&part["headers"])).unwrap_or_default();
    let header =
        |wanted: &str| headers.iter().rev().find(|header| header["name"] == wanted).map(|header| &header["value"]);
    if let Some(from) = header("from")
        .and_then(|from| from["Address"]["List"][0]["address"].as_str())
        .filter(|address| address.contains('@'))
    {
        outcome.check(name, "writer", mail.writer() == Some(from));
    }
    if let Some(subject) = header("subject").and_then(|subject| subject["Text"].as_str()) {
        outcome.check(name, "subject", squeezed(mail.subject.as_deref().unwrap_or_default()) == squeezed(subject));
    }
    let body = |at: &Value| {
        at.as_u64()
            .and_then(|at| parts.get(usize::try_from(at).unwrap_or(usize::MAX)))
            .map(|part| part["body"].clone())
            .unwrap_or_default()
    };
    let texts: Vec<Value> = list(&expected["text_body"]).iter().map(body).collect();
    if texts.iter().all(|text| text.get("Html").is_none()) {
        let wanted: String = texts.iter().filter_map(|text| text["Text"].as_str()).collect();
        outcome.check(name, "text", squeezed(&mail.text) == squeezed(&wanted));
    }
    let attached: Vec<Value> =
        list(&expected["attachments"]).iter().map(body).filter(|body| body.get("Multipart").is_none()).collect();
    outcome.check(name, "number of files", attached.len() == mail.attachments.len());
    let ours = inline(&mail);
    let same = attached.iter().all(|file| {
        let bytes = file
            .get("Binary")
            .or_else(|| file.get("InlineBinary"))
            .map(|bytes| list(bytes).iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect::<Vec<u8>>());
        let text = file.get("Text").or_else(|| file.get("Html")).and_then(Value::as_str);
        match (bytes, text) {
            (Some(bytes), _) => ours.contains(&bytes.as_slice()),
            (None, Some(text)) => {
                ours.iter().any(|file| {
                    [None, Some("iso-8859-1"), Some("utf-7"), Some("iso-2022-jp"), Some("shift_jis"), Some("big5")]
                        .iter()
                        .any(|label| squeezed(&charset::decode(file, *label)) == squeezed(text))
                }) || text.contains('\u{fffd}')
            }
            (None, None) => true,
        }
    });
    outcome.check(name, "bytes of files", same);
}

/// Texts and files of a mail and of the mails within it.
fn gather(mail: &Mail, depth: usize, found: &mut Vec<Vec<u8>>, text: &mut String) {
    text.push_str(&squeezed(&mail.text));
    text.push_str(&mail.html.as_deref().map(html::to_text).map(|text| squeezed(&text)).unwrap_or_default());
    for bytes in inline(mail) {
        found.push(bytes.to_vec());
        if depth > 0
            && let Some(inner) = mail::parse(bytes, LIMIT)
        {
            gather(&inner, depth - 1, found, text);
        }
    }
}

/// The decoded leaves that lie beside the mail: each must be in the text or be one of the files.
fn mime4j(outcome: &mut Outcome, name: &str, path: &Path, raw: &[u8]) {
    let Some(mail) = mail::parse(raw, LIMIT) else {
        outcome.check(name, "parsed", false);
        return;
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let mut beside = Vec::new();
    files(path.parent().expect("a folder"), &mut beside);
    let (mut ours, mut everything) = (Vec::new(), String::new());
    gather(&mail, 6, &mut ours, &mut everything);
    for leaf in beside {
        let file = leaf.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let Some(number) = file.strip_prefix(stem).and_then(|rest| rest.strip_prefix("_decoded_")) else { continue };
        let bytes = fs::read(&leaf).expect("a leaf of the corpus");
        let normal = |bytes: &[u8]| {
            bytes.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<u8>>().trim_ascii().to_vec()
        };
        let as_file = ours.iter().any(|file| {
            normal(file) == normal(&bytes)
                || squeezed(&String::from_utf8_lossy(file)).contains(&squeezed(&String::from_utf8_lossy(&bytes)))
        });
        let as_text = [None, Some("iso-8859-1"), Some("iso-8859-15")].iter().any(|label| {
            let text = charset::decode(&bytes, *label);
            let text = squeezed(&text);
            let rendered = squeezed(&html::to_text(&charset::decode(&bytes, *label)));
            everything.contains(&text) || everything.contains(&rendered)
        });
        outcome.check(
            name,
            &format!("part {}", number.split('.').next().unwrap_or_default()),
            as_file || file.ends_with(".txt") && as_text,
        );
    }
    let dump = fs::read_to_string(path.with_file_name(format!("{stem}_decoded.xml"))).unwrap_or_default();
    let header = dump.split("</header>").next().unwrap_or_default();
    if let Some(from) = header.lines().find_map(|line| line.strip_prefix("From:"))
        && let Some(address) = mail.writer()
    {
        outcome.check(name, "writer", from.contains(address));
    }
}

/// The suite's structure of a mailbox file: each message from its offsets, its leaves among our files.
fn mimekit(outcome: &mut Outcome, name: &str, raw: &[u8], structure: &Value) {
    fn leaves(body: &Value, found: &mut Vec<String>) {
        match body["children"].as_array() {
            Some(children) => children.iter().for_each(|child| leaves(child, found)),
            None => found.extend(body["mimeType"].as_str().map(str::to_owned)),
        }
    }
    for (at, message) in structure.as_array().into_iter().flatten().enumerate() {
        let offset =
            |key: &str| message[key].as_u64().and_then(|offset| usize::try_from(offset).ok()).unwrap_or_default();
        let Some(slice) = raw.get(offset("beginOffset")..offset("endOffset").max(offset("beginOffset"))) else {
            continue;
        };
        let Some(mail) = mail::parse(slice, LIMIT) else {
            outcome.check(name, &format!("message {at}"), false);
            continue;
        };
        let mut expected = Vec::new();
        leaves(&message["body"], &mut expected);
        expected.iter_mut().for_each(|kind| kind.make_ascii_lowercase());
        expected.retain(|kind| !kind.starts_with("text/") && !kind.starts_with("multipart/"));
        let mut ours: Vec<&str> = mail.attachments.iter().map(|file| file.media_type.as_str()).collect();
        let all = expected
            .iter()
            .all(|kind| ours.iter().position(|ours| ours == kind).map(|place| ours.swap_remove(place)).is_some());
        outcome.check(name, &format!("message {at}"), all);
    }
}

/// No dumps there: what the folder's name promises.
fn ruby(outcome: &mut Outcome, name: &str, raw: &[u8]) {
    let Some(mail) = mail::parse(raw, LIMIT) else {
        outcome.check(name, "parsed", false);
        return;
    };
    if name.contains("/attachment_emails/") {
        outcome.check(name, "a file", !mail.attachments.is_empty());
    }
    if name.contains("/multipart_report_emails/") {
        outcome.check(name, "a report", bounce::read(&mail, None).is_some());
    }
    if name.contains("/multi_charset/") {
        let names: String = mail.attachments.iter().map(|file| file.name.as_str()).collect();
        let whole = format!("{}{}{names}", mail.text, mail.subject.as_deref().unwrap_or_default());
        outcome.check(
            name,
            "no broken characters",
            !(whole.contains('\u{fffd}') || mail.text.trim().is_empty() && mail.attachments.is_empty()),
        );
    }
}

fn one(outcome: &mut Outcome, root: &Path, path: &Path) {
    let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace(' ', "_");
    let raw = fs::read(path).expect("a file of the corpus");
    outcome.suites.entry(name.split('/').next().unwrap_or_default().to_owned()).or_default().files += 1;
    let request = RawRequest {
        method: "PIPE".to_owned(),
        url: String::new(),
        headers: Vec::new(),
        peer: None,
        body: Bytes::from(raw.clone()),
        received_at: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
    };
    // `receive` catches what the parser throws; a mail of the corpus must not make it throw at all.
    let receipt = receive::receive(&Settings::default(), &request);
    let panicked = matches!(&receipt, Receipt::Quarantine { detail, .. } if detail.contains("parser failed"));
    outcome.check(&name, "no panic", !panicked);
    let text = String::from_utf8_lossy(&raw);
    let split = catch_unwind(AssertUnwindSafe(|| reply::split(&text)));
    outcome.check(
        &name,
        "split",
        split.as_ref().is_ok_and(|split| split.visible.trim().is_empty() == text.trim().is_empty()),
    );
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension.starts_with("html") {
        let safe = html::sanitise(&text).unwrap_or_default().to_lowercase();
        outcome.check(
            &name,
            "safe",
            !safe.contains("<script") && !safe.contains("src=\"http") && !safe.contains("javascript:"),
        );
    }
    if name.starts_with("stalwart") && extension == "eml" {
        let unix: Vec<u8> = raw.iter().copied().filter(|byte| *byte != b'\r').collect();
        let dos = unix.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
        for (kind, raw) in [("json", unix), ("crlf.json", dos)] {
            if let Some(expected) =
                fs::read(path.with_extension(kind)).ok().and_then(|json| serde_json::from_slice(&json).ok())
            {
                stalwart(outcome, &name, &raw, &expected);
            }
        }
    } else if name.starts_with("mime4j") && extension == "msg" {
        mime4j(outcome, &name, path, &raw);
    } else if name.starts_with("mimekit") && name.ends_with(".mbox.txt") {
        let offsets =
            path.with_file_name(name.rsplit('/').next().unwrap_or_default().replace(".mbox.txt", ".unix-offsets.json"));
        if let Some(structure) = fs::read(offsets).ok().and_then(|json| serde_json::from_slice(&json).ok()) {
            mimekit(outcome, &name, &raw, &structure);
        }
    } else if name.starts_with("mimekit")
        && (name.contains("delivery-status") || name.contains("disposition-notification") || name.contains("bounce"))
    {
        outcome.check(
            &name,
            "a report",
            mail::parse(&raw, LIMIT).is_some_and(|mail| bounce::read(&mail, None).is_some()),
        );
    } else if name.starts_with("ruby") && extension == "eml" {
        ruby(outcome, &name, &raw);
    }
    let whole = if name.contains("standard_replies/") && extension == "eml" {
        mail::parse(&raw, LIMIT).map(|mail| mail.text)
    } else if name.contains("html_replies/") {
        Some(html::to_text(&text))
    } else if name.contains("reply_parser/test/emails/") {
        Some(text.into_owned())
    } else {
        None
    };
    if let Some(whole) = whole {
        let visible = reply::split(&whole).visible;
        if std::env::var_os("CORPUS_SHOW").is_some() {
            eprintln!("=== {name}\n{visible}\n");
        }
        outcome.visible.insert(name, hash(&visible));
    }
}

/// `name rest` lines, `#` for comments.
fn listed(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once(" | "))
        .map(|(name, rest)| (name.trim().to_owned(), rest.trim().to_owned()))
        .collect()
}

#[test]
fn every_mail_of_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mail");
    if !root.is_dir() {
        eprintln!("skipped: no corpus");
        return;
    }
    let mut found = Vec::new();
    files(&root, &mut found);
    found.retain(|path| path.extension().is_none_or(|extension| extension != "json"));
    let mut outcome = Outcome::default();
    for path in &found {
        one(&mut outcome, &root, path);
    }
    let visible = listed(include_str!("../fixtures/corpus-visible.txt"));
    for (name, hash) in outcome.visible.clone() {
        outcome.check(&name, "visible reply", visible.get(&name) == Some(&hash));
        if std::env::var_os("CORPUS_SHOW").is_some() {
            eprintln!("VISIBLE {name} | {hash}");
        }
    }
    eprintln!("{:<28}{:>7}{:>8}{:>8}{:>8}", "suite", "files", "checks", "agree", "differ");
    for (name, suite) in &outcome.suites {
        eprintln!(
            "{name:<28}{:>7}{:>8}{:>8}{:>8}",
            suite.files,
            suite.checks,
            suite.agreed,
            suite.checks - suite.agreed
        );
    }
    let known = listed(include_str!("../fixtures/corpus-disagreements.txt"));
    let new: Vec<_> = outcome.differences.iter().filter(|name| !known.contains_key(*name)).collect();
    let gone: Vec<_> = known.keys().filter(|name| !outcome.differences.contains(*name)).collect();
    assert!(new.is_empty() && gone.is_empty(), "new differences: {new:#?}\nlisted but gone: {gone:#?}");
}
