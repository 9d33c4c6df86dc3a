//! Sending one part (Bot API, `sendMessage`, `sendDocument`, `sendMediaGroup`).

use channel_contract::{Acceptance, Button, DeliveryError, Outbound, OutboundFile};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use teloxide::{
    payloads::{SendMessage, SendMessageSetters},
    types::{ChatId, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageId, ReplyParameters},
};

use crate::{
    api::{Api, Failure, Refusal},
    split::{CAPTION_UNITS, units},
};

/// Most bytes in a button's data.
const BUTTON_BYTES: usize = 64;

/// Most files in one album.
const ALBUM: usize = 10;

/// One call to the API.
#[derive(Debug, PartialEq)]
enum Call<'a> {
    Text { text: &'a str, buttons: &'a [Button] },
    Files { files: &'a [OutboundFile], caption: Option<&'a str>, buttons: &'a [Button] },
}

/// The fewest calls that carry the part. An album shows no buttons, so they need a message of their own.
fn calls(outbound: &Outbound) -> Vec<Call<'_>> {
    let (text, buttons, files) = (outbound.text.as_str(), outbound.buttons.as_slice(), outbound.attachments.as_slice());
    let as_caption = !files.is_empty() && units(text) <= CAPTION_UNITS && (buttons.is_empty() || files.len() == 1);
    let message = (!as_caption && !text.trim().is_empty()).then_some(Call::Text { text, buttons });
    let caption = (as_caption && !text.trim().is_empty()).then_some(text);
    let albums = files.chunks(ALBUM).enumerate().map(|(index, files)| Call::Files {
        files,
        caption: caption.filter(|_| index == 0),
        buttons: if as_caption && index == 0 { buttons } else { &[] },
    });
    message.into_iter().chain(albums).collect()
}

/// Sends the part to the chat that it names.
pub(crate) async fn send(api: &Api, outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
    let chat: i64 =
        outbound.to.parse().map_err(|_| DeliveryError::Permanent("the address is not a chat id".to_owned()))?;
    let calls = calls(outbound);
    if calls.is_empty() {
        return Err(DeliveryError::Permanent("there is nothing to send".to_owned()));
    }
    let mut first = None;
    for (index, call) in calls.iter().enumerate() {
        let reply = answered(chat, outbound).filter(|_| index == 0);
        let answer = match call {
            Call::Text { text, buttons } => api.call(&message(chat, text, buttons, reply)).await,
            Call::Files { files: [file], caption, buttons } => {
                api.call_form("sendDocument", document(form(chat, reply), file, *caption, buttons)).await
            }
            Call::Files { files, caption, .. } => {
                api.call_form("sendMediaGroup", album(form(chat, reply), files, *caption)).await
            }
        };
        match answer {
            Ok(sent) if index == 0 => first = message_id(&sent),
            Ok(_) => {}
            Err(failure) => {
                let error = delivery_error(failure);
                // The citizen already sees the first messages, and sending again would repeat them.
                return Err(if index == 0 {
                    error
                } else {
                    DeliveryError::Uncertain(format!("only a part was sent: {error}"))
                });
            }
        }
    }
    Ok(Acceptance { provider_id: first.map(|id| crate::message_name(chat, id)) })
}

/// The id of what was sent; of an album's first message.
fn message_id(sent: &Value) -> Option<i64> {
    sent.get("message_id").or_else(|| sent.pointer("/0/message_id")).and_then(Value::as_i64)
}

/// The citizen's message that this answers, if the hub names one of this chat. One that is gone does not hinder.
fn answered(chat: i64, outbound: &Outbound) -> Option<ReplyParameters> {
    let (of, id) = outbound.thread.in_reply_to.as_deref()?.split_once(':')?;
    let id = id.parse().ok().filter(|_| of.parse() == Ok(chat))?;
    Some(ReplyParameters::new(MessageId(id)).allow_sending_without_reply())
}

fn message(chat: i64, text: &str, buttons: &[Button], reply: Option<ReplyParameters>) -> SendMessage {
    // A preview would make Telegram's servers open the citizen's one-time link.
    let no_preview = LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    };
    let mut message = SendMessage::new(ChatId(chat), text).link_preview_options(no_preview);
    message.reply_markup = keyboard(buttons).map(Into::into);
    message.reply_parameters = reply;
    message
}

/// One button a row. One whose data is too long is left out: the text names the choices too.
fn keyboard(buttons: &[Button]) -> Option<InlineKeyboardMarkup> {
    let fits = |button: &&Button| {
        let fits = !button.data.is_empty() && button.data.len() <= BUTTON_BYTES;
        if !fits {
            tracing::warn!(bytes = button.data.len(), "a button's data does not fit and the button is left out");
        }
        fits
    };
    let rows: Vec<_> = buttons
        .iter()
        .filter(fits)
        .map(|button| [InlineKeyboardButton::callback(button.label.as_str(), button.data.as_str())])
        .collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

fn part(file: &OutboundFile) -> Part {
    let part =
        |bytes: bytes::Bytes| Part::stream_with_length(bytes.clone(), bytes.len() as u64).file_name(file.name.clone());
    part(file.bytes.clone()).mime_str(&file.media_type).unwrap_or_else(|_| part(file.bytes.clone()))
}

/// A form that names files in plain UTF-8, as browsers do and the Bot API reads it.
fn form(chat: i64, reply: Option<ReplyParameters>) -> Form {
    let form = Form::new().percent_encode_noop().text("chat_id", chat.to_string());
    match reply {
        Some(reply) => form.text("reply_parameters", json!(reply).to_string()),
        None => form,
    }
}

fn document(mut form: Form, file: &OutboundFile, caption: Option<&str>, buttons: &[Button]) -> Form {
    if let Some(caption) = caption {
        form = form.text("caption", caption.to_owned());
    }
    if let Some(keyboard) = keyboard(buttons) {
        form = form.text("reply_markup", json!(keyboard).to_string());
    }
    form.part("document", part(file))
}

fn album(form: Form, files: &[OutboundFile], caption: Option<&str>) -> Form {
    let name = |index: usize| format!("file{index}");
    // Telegram shows a caption below its own file: the last one's stands beneath the whole album.
    let media: Vec<_> = (0..files.len())
        .map(|index| {
            let media = format!("attach://{}", name(index));
            match caption.filter(|_| index + 1 == files.len()) {
                Some(caption) => json!({ "type": "document", "media": media, "caption": caption }),
                None => json!({ "type": "document", "media": media }),
            }
        })
        .collect();
    let form = form.text("media", Value::from(media).to_string());
    files.iter().enumerate().fold(form, |form, (index, file)| form.part(name(index), part(file)))
}

/// What a failure means for this delivery.
pub(crate) fn delivery_error(failure: Failure) -> DeliveryError {
    match failure {
        Failure::Unreachable => DeliveryError::transient("cannot connect to the Bot API"),
        Failure::Unanswered(reason) => DeliveryError::Uncertain(reason.to_owned()),
        Failure::Refused(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> DeliveryError {
    // A refused token is the account's trouble, not the address's: the delivery waits until it is set anew.
    if refusal.token_refused() {
        return DeliveryError::transient("the Bot API refuses the token: set it anew");
    }
    match refusal.code {
        429 | 500.. => DeliveryError::Transient { reason: refusal.description, retry_after: refusal.retry_after },
        // 403: blocked, deactivated, never started. Other 4xx: no such chat, or a message that Telegram does not take.
        400 | 403..=407 | 410..=428 => DeliveryError::Permanent(refusal.description),
        _ => DeliveryError::transient(refusal.description),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use channel_contract::{DeliveryKind, Thread};
    use chrono::DateTime;

    use super::*;

    fn outbound(text: &str, buttons: usize, files: usize) -> Outbound {
        Outbound {
            delivery_id: "d1".to_owned(),
            attempt_id: "a1".to_owned(),
            kind: DeliveryKind::Reply,
            to: "7".to_owned(),
            subject: None,
            text: text.to_owned(),
            html: None,
            language: None,
            automatic: false,
            thread: Thread::default(),
            buttons: vec![Button { label: "1".to_owned(), data: "pick:1".to_owned() }; buttons],
            attachments: vec![
                OutboundFile {
                    name: "a".to_owned(),
                    media_type: "image/png".to_owned(),
                    bytes: Bytes::new()
                };
                files
            ],
            report_url: None,
            now: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_fewest_calls_carry_a_part() {
        let shape = |text: &str, buttons, files| {
            calls(&outbound(text, buttons, files))
                .iter()
                .map(|call| match call {
                    Call::Text { buttons, .. } => format!("text+{}", buttons.len()),
                    Call::Files { files, caption, buttons } => {
                        format!("files{}{}+{}", files.len(), caption.map_or("", |_| "c"), buttons.len())
                    }
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
        let long = "长".repeat(1025);
        let cases = [
            ("a", 0, 0, "text+0"),
            ("a", 2, 0, "text+2"),
            ("", 0, 0, ""),
            ("a", 0, 1, "files1c+0"),
            ("a", 2, 1, "files1c+2"),
            ("a", 0, 3, "files3c+0"),
            ("a", 2, 3, "text+2 files3+0"),
            ("", 0, 2, "files2+0"),
            (long.as_str(), 0, 1, "text+0 files1+0"),
            ("a", 0, 11, "files10c+0 files1+0"),
        ];
        for (text, buttons, files, expected) in cases {
            assert_eq!(
                shape(text, buttons, files),
                expected,
                "{} characters, {buttons} buttons, {files} files",
                text.chars().count()
            );
        }
    }

    #[test]
    fn buttons_whose_data_does_not_fit_are_left_out() {
        let button = |bytes: usize| Button { label: "1".to_owned(), data: "x".repeat(bytes) };
        assert_eq!(
            keyboard(&[button(64), button(65), button(0)]).map(|keyboard| keyboard.inline_keyboard.len()),
            Some(1)
        );
        assert_eq!(keyboard(&[button(65)]), None);
    }
}
