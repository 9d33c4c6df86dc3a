//! Reading one `Update` (Bot API, "Getting updates").
//!
//! The reading asks for nothing but the update id and, where something is said, the chat it was said in: an update of a
//! new kind, or one with a field that has changed its shape, still becomes something. teloxide's types refuse
//! such updates; the tests compare both readings wherever teloxide manages one.

use channel_contract::{
    Attachment, AttachmentContent, Content, Control, ControlKind, Inbound, Location, Message, digest,
};
use chrono::DateTime;
use serde_json::Value;

/// Reads the JSON of one update.
///
/// # Errors
/// What is missing, without any of the content.
pub(crate) fn read(body: &[u8]) -> Result<Inbound, &'static str> {
    let update: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let id = update.get("update_id").and_then(Value::as_i64).ok_or("the body holds no update_id")?;
    let mut canonical = Vec::with_capacity(body.len());
    write_canonical(&update, &mut canonical);
    Ok(Inbound { key: id.to_string(), digest: digest([canonical.as_slice()]), content: content(&update)? })
}

/// Writes compact JSON with sorted keys, whatever order a build of `serde_json` keeps.
fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (key, value) in entries {
                out.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
                out.push(b':');
                write_canonical(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(values) => {
            out.push(b'[');
            for value in values {
                write_canonical(value, out);
                out.push(b',');
            }
            out.push(b']');
        }
        leaf => out.extend_from_slice(leaf.to_string().as_bytes()),
    }
}

fn content(update: &Value) -> Result<Content, &'static str> {
    if let Some(message) = update.get("message") {
        said(message, false)
    } else if let Some(message) = update.get("edited_message") {
        said(message, true)
    } else if let Some(query) = update.get("callback_query") {
        Ok(pressed(query))
    } else if let Some(change) = update.get("my_chat_member") {
        Ok(membership(change))
    } else {
        Ok(control(String::new(), ControlKind::Ignored, None))
    }
}

fn control(from: String, kind: ControlKind, language_hint: Option<String>) -> Content {
    Content::Control(Control { from, kind, language_hint })
}

fn string<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn integer(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// Joins the strings under `pointers` that are there.
fn joined(value: &Value, pointers: &[&str], separator: &str) -> Option<String> {
    let parts: Vec<_> = pointers.iter().filter_map(|pointer| string(value, pointer)).collect();
    (!parts.is_empty()).then(|| parts.join(separator))
}

fn is_private(holder: &Value) -> bool {
    string(holder, "/chat/type") == Some("private")
}

/// A name for a message that a delivery's `provider_id` also has, so that the hub can tell what a reply answers.
fn reference(message: &Value) -> Option<String> {
    Some(crate::message_name(integer(message, "/chat/id")?, integer(message, "/message_id")?))
}

fn said(message: &Value, edited: bool) -> Result<Content, &'static str> {
    let from = integer(message, "/chat/id").ok_or("the message names no chat")?.to_string();
    let language_hint = string(message, "/from/language_code").map(str::to_owned);
    if !is_private(message) {
        return Ok(control(from, ControlKind::Ignored, language_hint));
    }
    if let Some(kind) = string(message, "/text").filter(|_| !edited).and_then(command) {
        return Ok(control(from, kind, language_hint));
    }
    let attachments = attachments(message);
    let location = location(message);
    let text = text(message);
    // A live location edits its message every few seconds; only the first one is an appeal.
    let says_nothing = channel_contract::is_blank(&text) && attachments.is_empty() && (location.is_none() || edited);
    if says_nothing {
        return Ok(control(from, ControlKind::Ignored, language_hint));
    }
    let answered = message.get("reply_to_message");
    let references = answered.and_then(reference).into_iter().chain(reference(message).filter(|_| edited)).collect();
    let quoted = string(message, "/quote/text")
        .or_else(|| answered.and_then(|answered| string(answered, "/text").or_else(|| string(answered, "/caption"))))
        .map(str::to_owned);
    let written = if edited { integer(message, "/edit_date") } else { None }.or_else(|| integer(message, "/date"));
    Ok(Content::Message(Box::new(Message {
        from,
        name: joined(message, &["/from/first_name", "/from/last_name"], " "),
        text,
        quoted,
        message_id: reference(message),
        references,
        attachments,
        group: string(message, "/media_group_id").filter(|_| !edited).map(str::to_owned),
        location,
        language_hint,
        sent_at: written.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        ..Message::default()
    })))
}

/// The command that a text consists of. A command with words behind it is a message: nothing a citizen says may be lost.
fn command(text: &str) -> Option<ControlKind> {
    let mut words = text.split_whitespace();
    let word = words.next()?;
    let (argument, more) = (words.next(), words.next());
    if more.is_some() {
        return None;
    }
    match word.split('@').next()? {
        // A deep link (t.me/BOT?start=...) sends up to 64 of these characters along.
        "/start"
            if argument.is_none_or(|link| {
                link.len() <= 64 && link.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            }) =>
        {
            Some(ControlKind::Start)
        }
        "/help" if argument.is_none() => Some(ControlKind::Start),
        "/stop" if argument.is_none() => Some(ControlKind::Stop),
        _ => None,
    }
}

fn text(message: &Value) -> String {
    string(message, "/text")
        .or_else(|| string(message, "/caption"))
        .map(str::to_owned)
        .or_else(|| joined(message, &["/venue/title", "/venue/address"], ", "))
        .or_else(|| {
            let name = joined(message, &["/contact/first_name", "/contact/last_name"], " ");
            let parts: Vec<_> =
                name.into_iter().chain(string(message, "/contact/phone_number").map(str::to_owned)).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
        .or_else(|| string(message, "/sticker/emoji").map(str::to_owned))
        .or_else(|| string(message, "/dice/emoji").map(str::to_owned))
        .or_else(|| listed(message, "/poll/question", "/poll/options"))
        .or_else(|| listed(message, "/checklist/title", "/checklist/tasks"))
        .unwrap_or_default()
}

/// A heading with one line for each entry.
fn listed(message: &Value, heading: &str, entries: &str) -> Option<String> {
    let heading = string(message, heading)?;
    let entries = message.pointer(entries).and_then(Value::as_array).into_iter().flatten();
    Some(
        std::iter::once(heading)
            .chain(entries.filter_map(|entry| string(entry, "/text")))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

fn location(message: &Value) -> Option<Location> {
    let point = message.get("location").or_else(|| message.pointer("/venue/location"))?;
    let degrees = |name, most: f64| point.get(name).and_then(Value::as_f64).filter(|degrees| degrees.abs() <= most);
    Some(Location { latitude: degrees("latitude", 90.0)?, longitude: degrees("longitude", 180.0)? })
}

fn attachments(message: &Value) -> Vec<Attachment> {
    // An animation comes twice: as itself and, for old clients, as a document.
    let document = if message.get("animation").is_some() { None } else { message.get("document") };
    let photo = message.get("photo").and_then(Value::as_array).and_then(|sizes| {
        sizes.iter().max_by_key(|size| integer(size, "/width").unwrap_or(0) * integer(size, "/height").unwrap_or(0))
    });
    [
        (photo, "photo.jpg", "image/jpeg"),
        (document, "document", "application/octet-stream"),
        (message.get("animation"), "animation.mp4", "video/mp4"),
        (message.get("audio"), "audio.mp3", "audio/mpeg"),
        (message.get("voice"), "voice.ogg", "audio/ogg"),
        (message.get("video"), "video.mp4", "video/mp4"),
        (message.get("video_note"), "video.mp4", "video/mp4"),
    ]
    .into_iter()
    .filter_map(|(file, name, media_type)| attachment(file?, name, media_type))
    .collect()
}

fn attachment(file: &Value, name: &str, media_type: &str) -> Option<Attachment> {
    Some(Attachment {
        name: string(file, "/file_name").unwrap_or(name).to_owned(),
        media_type: string(file, "/mime_type").filter(|kind| kind.contains('/')).unwrap_or(media_type).to_owned(),
        content: AttachmentContent::Remote {
            source: string(file, "/file_id")?.to_owned(),
            size: file.get("file_size").and_then(Value::as_u64),
        },
    })
}

fn pressed(query: &Value) -> Content {
    let chat =
        query.get("message").filter(|message| is_private(message)).and_then(|message| integer(message, "/chat/id"));
    let from = chat.map(|chat| chat.to_string()).unwrap_or_default();
    let kind = match string(query, "/data") {
        Some(data) if chat.is_some() => ControlKind::Button { data: data.to_owned() },
        _ => ControlKind::Ignored,
    };
    control(from, kind, string(query, "/from/language_code").map(str::to_owned))
}

fn membership(change: &Value) -> Content {
    let from = integer(change, "/chat/id").map(|chat| chat.to_string()).unwrap_or_default();
    let kind = match string(change, "/new_chat_member/status") {
        Some("kicked") if is_private(change) => ControlKind::Blocked,
        Some("member") if is_private(change) => ControlKind::Resume,
        _ => ControlKind::Ignored,
    };
    control(from, kind, string(change, "/from/language_code").map(str::to_owned))
}
