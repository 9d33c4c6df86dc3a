//! One outbound message as a mail (RFC 5322, RFC 2046).

use channel_contract::{DeliveryError, DeliveryKind, Outbound};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};

use crate::settings::Settings;

/// A mail ready to leave.
pub(crate) struct Composed {
    pub(crate) envelope: Envelope,
    pub(crate) bytes: Vec<u8>,
    /// Without brackets; the same for every attempt.
    pub(crate) message_id: String,
}

/// `References` keeps its first and its last ids when it grows beyond this (RFC 5322 limits lines, servers limit headers).
const MOST_REFERENCES: usize = 20;

macro_rules! text_header {
    ($name:ident, $field:literal) => {
        #[derive(Clone)]
        struct $name(String);

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($field)
            }

            fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

text_header!(AutoSubmitted, "Auto-Submitted");
text_header!(AutoResponseSuppress, "X-Auto-Response-Suppress");
text_header!(ContentLanguage, "Content-Language");

/// Makes the mail.
///
/// # Errors
/// [`DeliveryError::Permanent`] when the address is none, [`DeliveryError::Transient`] when our own settings are at fault.
pub(crate) fn compose(settings: &Settings, outbound: &Outbound) -> Result<Composed, DeliveryError> {
    let own: Address =
        settings.address.parse().map_err(|_| DeliveryError::transient("the setting `address` is not a mailbox"))?;
    let to: Address =
        outbound.to.trim().parse().map_err(|_| DeliveryError::Permanent("not an e-mail address".to_owned()))?;
    let name = settings.display_name(outbound.language.as_deref()).map(one_line);
    let thread = &outbound.thread;
    let message_id = thread
        .message_id
        .as_deref()
        .map_or_else(|| format!("{}@{}", id_part(&outbound.delivery_id), own.domain()), id_part);
    let mut builder = Message::builder()
        .from(Mailbox::new(name.clone(), own.clone()))
        .to(Mailbox::new(None, to.clone()))
        .date(outbound.now.into())
        .message_id(Some(format!("<{message_id}>")))
        .subject(one_line(outbound.subject.as_deref().unwrap_or_default()));
    if let Some(tag) = thread.reply_tag.as_deref().filter(|tag| !tag.is_empty()) {
        let tagged = Address::new(format!("{}+{tag}", own.user()), own.domain());
        let tagged = tagged.map_err(|_| DeliveryError::transient("the reply tag does not fit into an address"))?;
        builder = builder.reply_to(Mailbox::new(name, tagged));
    }
    if let Some(answered) = &thread.in_reply_to {
        builder = builder.in_reply_to(format!("<{}>", id_part(answered)));
    }
    let references = references(outbound);
    if !references.is_empty() {
        builder = builder.references(references.join(" "));
    }
    if outbound.automatic {
        let how = match outbound.kind {
            DeliveryKind::Acknowledgement | DeliveryKind::Question => "auto-replied",
            DeliveryKind::Reply | DeliveryKind::Notice | DeliveryKind::Code => "auto-generated",
        };
        builder =
            builder.header(AutoSubmitted(how.to_owned())).header(AutoResponseSuppress("OOF, AutoReply".to_owned()));
    }
    if let Some(language) = &outbound.language {
        builder = builder.header(ContentLanguage(one_line(language)));
    }
    let html = outbound.html.clone().unwrap_or_else(|| as_html(&outbound.text, outbound.language.as_deref()));
    let body = MultiPart::alternative()
        .singlepart(SinglePart::plain(outbound.text.clone()))
        .singlepart(SinglePart::html(html));
    let message = if outbound.attachments.is_empty() {
        builder.multipart(body)
    } else {
        let parts = outbound.attachments.iter().fold(MultiPart::mixed().multipart(body), |parts, file| {
            let kind = ContentType::parse(&file.media_type)
                .unwrap_or(ContentType::parse("application/octet-stream").unwrap_or(ContentType::TEXT_PLAIN));
            parts.singlepart(Attachment::new(one_line(&file.name)).body(file.bytes.to_vec(), kind))
        });
        builder.multipart(parts)
    };
    let message = message.map_err(|_| DeliveryError::transient("the mail could not be composed"))?;
    let envelope = Envelope::new(Some(own), vec![to])
        .map_err(|_| DeliveryError::transient("the envelope could not be composed"))?;
    Ok(Composed { envelope, bytes: message.formatted(), message_id })
}

/// The thread so far and the mail answered, each once, bounded.
fn references(outbound: &Outbound) -> Vec<String> {
    let thread = &outbound.thread;
    let mut ids: Vec<String> = Vec::new();
    for id in thread.references.iter().chain(&thread.in_reply_to) {
        let id = format!("<{}>", id_part(id));
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > MOST_REFERENCES {
        let surplus = ids.len() - MOST_REFERENCES;
        ids.drain(1..=surplus);
    }
    ids
}

/// An id with nothing in it that could end the header.
fn id_part(id: &str) -> String {
    id.chars()
        .filter(|character| !character.is_whitespace() && !character.is_control() && !matches!(character, '<' | '>'))
        .collect()
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// The text as a plain page, for mailers that show nothing else well.
fn as_html(text: &str, language: Option<&str>) -> String {
    let escaped =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let language = language.map(|language| format!(" lang=\"{}\"", escaped(language))).unwrap_or_default();
    let lines: Vec<String> = text.lines().map(escaped).collect();
    format!(
        "<!DOCTYPE html>\n<html{language}><head><meta charset=\"utf-8\"></head><body>\n<p>{}</p>\n</body></html>\n",
        lines.join("<br>\n")
    )
}
