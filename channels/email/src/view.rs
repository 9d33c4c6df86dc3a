//! A mail as a page that staff look at in a frame of its own.

use std::collections::HashMap;

use mail_parser::{MessageParser, MimeHeaders, PartType};

use crate::{html, mail, structure};

/// Pictures inside the mail that are shown: at most so many bytes together.
const MOST_PICTURE_BYTES: usize = 10 * 1024 * 1024;

/// The HTML of a mail, made safe, with its own pictures in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The body's HTML: no script, no style, no form; pictures as `data:` and, if asked for, from elsewhere.
    pub html: String,
    /// How many pictures from elsewhere the mail has. Whoever holds them learns of each look.
    pub remote_images: usize,
}

/// Reads the HTML of a raw mail. `None` when it has none, or one that is too large or too deep to be shown.
#[must_use]
pub fn view(raw: &[u8], remote_images: bool) -> Option<View> {
    let prepared = structure::prepare(raw);
    let message = MessageParser::default().parse(prepared.as_ref())?;
    let body = mail::html_body(&message)?;
    let mut left = MOST_PICTURE_BYTES;
    let mut pictures = HashMap::new();
    for part in &message.parts {
        let (Some(id), PartType::Binary(bytes) | PartType::InlineBinary(bytes)) = (part.content_id(), &part.body)
        else {
            continue;
        };
        let media_type = match infer(bytes) {
            Some(media_type) if bytes.len() <= left => media_type,
            _ => continue,
        };
        left -= bytes.len();
        pictures.insert(id.trim_matches(['<', '>']).to_lowercase(), html::data_url(media_type, bytes));
    }
    let (html, remote_images) = html::sanitise_for_view(&body, pictures, remote_images)?;
    Some(View { html, remote_images })
}

/// The media type of a picture that browsers show, by its first bytes.
fn infer(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=edge\r\n\r\n\
        --edge\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
        <p onclick=\"x()\">Hi<script>x()</script><img src=\"cid:lamp\"><img src=\"https://tracker.example/p.gif\"><img src=\"data:text/html,x\">\
        <a href=\"https://example.org/\">more</a><a href=\"javascript:x()\">bad</a></p>\r\n\
        --edge\r\nContent-Type: image/png\r\nContent-ID: <lamp>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--edge--\r\n";

    #[test]
    fn pictures_of_the_mail_are_shown_and_those_from_elsewhere_only_when_asked_for() {
        let closed = view(MAIL.as_bytes(), false).expect("html");
        assert_eq!(closed.remote_images, 1);
        assert!(closed.html.contains("data:image/png;base64,iVBORw0KGgo="), "{}", closed.html);
        for danger in ["tracker", "script", "onclick", "text/html", "javascript"] {
            assert!(!closed.html.contains(danger), "{danger}: {}", closed.html);
        }
        assert!(closed.html.contains("target=\"_blank\""));
        let open = view(MAIL.as_bytes(), true).expect("html");
        assert!(open.html.contains("https://tracker.example/p.gif") && !open.html.contains("script"));
        assert_eq!(view(b"From: a@example.org\r\n\r\nplain", false), None);
    }
}
