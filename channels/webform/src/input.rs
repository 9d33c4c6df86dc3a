//! What was sent: bytes to fields, before anybody judged them.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream;

/// A form as it was typed in. Fields that were not sent are empty; text has plain line ends and no space at its ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormInput {
    /// What happened.
    pub text: String,
    /// Where.
    pub place: String,
    /// The street, for pages that ask for it by itself.
    pub street: String,
    /// Whom the citizen speaks for: `individual`, `enterprise`, or empty.
    pub citizen_kind: String,
    /// Who.
    pub name: String,
    /// Whether the identity shall be hidden.
    pub confidential: bool,
    /// Word of the medium for the answer; empty or `webform` for none.
    pub answer_channel: String,
    /// Where the answer shall go.
    pub answer_address: String,
    /// Chosen service item, if the page offers some.
    pub item: String,
    /// Photos, without empty file fields.
    pub photos: Vec<Photo>,
    /// The trap: people do not see this field, programs fill it in.
    pub website: String,
    /// The submit token that the hub gave: [`FormInput::token_issued_at`] tells its layout.
    pub form_token: String,
    /// Every other field in order: what belongs to the hub's own forms (number, code, confirmation).
    pub others: Vec<(String, String)>,
}

/// A file of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// File name without any folder.
    pub name: String,
    /// Media type as declared, lower case, without parameters.
    pub media_type: String,
    /// The file.
    pub bytes: Bytes,
}

/// Why a body is not a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Neither `multipart/form-data` (RFC 7578) nor `application/x-www-form-urlencoded` (WHATWG URL).
    #[error("the body is neither multipart/form-data nor application/x-www-form-urlencoded")]
    ContentType,
    /// It breaks off or breaks the format.
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    /// A field is not UTF-8.
    #[error("a field is not UTF-8")]
    NotUtf8,
}

impl FormInput {
    /// A field of [`FormInput::others`]; empty if it was not sent.
    #[must_use]
    pub fn other(&self, name: &str) -> &str {
        self.others.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// When the hub issued the submit token, in seconds since 1970: a token is `{seconds}.{random}.{check}`, and only
    /// the hub can tell whether it is genuine.
    #[must_use]
    pub fn token_issued_at(&self) -> Option<i64> {
        self.form_token.split('.').next()?.parse().ok()
    }

    /// How many web addresses the description holds.
    pub(crate) fn links(&self) -> usize {
        let text = self.text.to_lowercase();
        text.matches("http://").count() + text.matches("https://").count()
    }

    fn take(&mut self, name: &str, value: String) {
        let value = value.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned();
        let field = match name {
            "text" => &mut self.text,
            "place" => &mut self.place,
            "street" => &mut self.street,
            "citizen_kind" => &mut self.citizen_kind,
            "name" => &mut self.name,
            "answer_channel" => &mut self.answer_channel,
            "answer_address" => &mut self.answer_address,
            "item" => &mut self.item,
            "website" => &mut self.website,
            "form_token" => &mut self.form_token,
            "confidential" => {
                // A checkbox sends any value, or nothing at all.
                self.confidential = !matches!(value.as_str(), "" | "0" | "false" | "off" | "no");
                return;
            }
            _ => {
                self.others.push((name.to_owned(), value));
                return;
            }
        };
        *field = value;
    }
}

/// Reads a posted form: `multipart/form-data` or `application/x-www-form-urlencoded`, in UTF-8.
///
/// # Errors
/// [`ParseError`] when the body is no such form.
pub fn parse(content_type: &str, body: &Bytes) -> Result<FormInput, ParseError> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return urlencoded(body);
    }
    let boundary = multer::parse_boundary(content_type).map_err(|_| ParseError::ContentType)?;
    let body = body.clone();
    let source = stream::once(async move { Ok::<_, Infallible>(body) });
    // The whole body is here, so nothing is ever waited for.
    multipart(multer::Multipart::new(source, boundary))
        .now_or_never()
        .unwrap_or(Err(ParseError::Malformed("it breaks off")))
}

/// Writes what [`parse`] reads, as `multipart/form-data` (RFC 7578): these fields, then photos. Returns media type and body.
#[must_use]
pub fn compose(fields: &[(&str, &str)], photos: &[Photo]) -> (String, Bytes) {
    let contents =
        || fields.iter().map(|(_, text)| text.as_bytes()).chain(photos.iter().map(|photo| photo.bytes.as_ref()));
    let found =
        |boundary: &str| contents().any(|bytes| bytes.windows(boundary.len()).any(|at| at == boundary.as_bytes()));
    // A boundary must not occur in what it separates (RFC 2046, section 5.1.1).
    let boundary =
        (0_u32..).map(|number| format!("----form{number:08}")).find(|boundary| !found(boundary)).unwrap_or_default();
    let mut body = Vec::with_capacity(contents().map(|bytes| bytes.len() + 256).sum());
    let mut part = |head: &str, bytes: &[u8]| {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    };
    for (name, text) in fields {
        part(&format!("name=\"{name}\""), text.as_bytes());
    }
    for photo in photos {
        let plain = |text: &str| text.replace(|char: char| char == '"' || char == '\\' || char.is_control(), "_");
        let (name, media_type) = (plain(&photo.name), plain(&photo.media_type));
        part(&format!("name=\"photos\"; filename=\"{name}\"\r\nContent-Type: {media_type}"), &photo.bytes);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

fn urlencoded(body: &Bytes) -> Result<FormInput, ParseError> {
    let mut input = FormInput::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        // The parser replaces what is not UTF-8; refusing it instead keeps texts true.
        if value.contains('\u{fffd}') && !contains_replacement(body) {
            return Err(ParseError::NotUtf8);
        }
        input.take(&name, value.into_owned());
    }
    Ok(input)
}

/// Whether the sender itself wrote U+FFFD.
fn contains_replacement(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).to_ascii_uppercase().contains("%EF%BF%BD")
        || body.windows(3).any(|window| window == [0xEF, 0xBF, 0xBD])
}

async fn multipart(mut parts: multer::Multipart<'_>) -> Result<FormInput, ParseError> {
    const BROKEN: ParseError = ParseError::Malformed("a part cannot be read");
    let mut input = FormInput::default();
    while let Some(part) = parts.next_field().await.map_err(|_| BROKEN)? {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(base_name);
        let media_type = part.content_type().map(|declared| declared.essence_str().to_ascii_lowercase());
        let bytes = part.bytes().await.map_err(|_| BROKEN)?;
        match file_name {
            // A file field left empty comes as a nameless empty file.
            Some(_) if bytes.is_empty() => {}
            Some(file_name) => input.photos.push(Photo {
                name: file_name,
                media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
                bytes,
            }),
            None => input.take(&name, String::from_utf8(bytes.into()).map_err(|_| ParseError::NotUtf8)?),
        }
    }
    Ok(input)
}

/// The last part of a path, whichever slash the sender's system uses.
fn base_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MULTIPART: &str = "multipart/form-data; boundary=----b";

    fn body(parts: &[(&str, &[u8])]) -> Bytes {
        let mut body = Vec::new();
        for (head, value) in parts {
            body.extend_from_slice(b"------b\r\nContent-Disposition: form-data; ");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"------b--\r\n");
        body.into()
    }

    #[test]
    fn multipart_with_photos() {
        let input = parse(
            MULTIPART,
            &body(&[
                ("name=\"text\"", " 第一行\r\n第二行 ".as_bytes()),
                ("name=\"confidential\"", b"on"),
                ("name=\"number\"", b"17"),
                ("name=\"photos\"; filename=\"C:\\fakepath\\路灯.jpg\"\r\nContent-Type: image/JPEG; q=1", b"\xff\xd8"),
                ("name=\"photos\"; filename=\"\"\r\nContent-Type: application/octet-stream", b""),
            ]),
        )
        .expect("a form");
        assert_eq!(input.text, "第一行\n第二行");
        assert!(input.confidential);
        assert_eq!(input.other("number"), "17");
        assert_eq!(input.other("code"), "");
        let photo = Photo {
            name: "路灯.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            bytes: Bytes::from_static(b"\xff\xd8"),
        };
        assert_eq!(input.photos, [photo]);
    }

    #[test]
    fn urlencoded_and_what_is_no_form() {
        let parse = |content_type: &str, body: &'static [u8]| parse(content_type, &Bytes::from_static(body));
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let input =
            parse(form, b"text=%E8%B7%AF%E7%81%AF+%0D%0A1&form_token=1700000000.x.y&confidential=").expect("a form");
        assert_eq!(input.text, "路灯 \n1");
        assert_eq!(input.token_issued_at(), Some(1_700_000_000));
        assert!(!input.confidential);
        for (content_type, body, expected) in [
            (form, &b"text=%D6%D0"[..], ParseError::NotUtf8),
            ("application/json", b"{}", ParseError::ContentType),
            ("", b"", ParseError::ContentType),
            ("multipart/form-data", b"", ParseError::ContentType),
            (
                MULTIPART,
                b"------b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\ncut",
                ParseError::Malformed("a part cannot be read"),
            ),
            (
                MULTIPART,
                b"------b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\xd6\xd0\r\n------b--",
                ParseError::NotUtf8,
            ),
        ] {
            assert_eq!(parse(content_type, body), Err(expected), "{content_type}");
        }
        assert_eq!(parse(form, b"text=%EF%BF%BD").map(|input| input.text), Ok("\u{fffd}".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_survives_either_encoding(text in "\\PC{0,80}") {
            let expected = text.trim().to_owned();
            let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("text", &text).finish();
            let by_url = parse("application/x-www-form-urlencoded", &encoded.into()).expect("a form");
            prop_assert_eq!(&by_url.text, &expected);
            let by_parts = parse(MULTIPART, &body(&[("name=\"text\"", text.as_bytes())])).expect("a form");
            prop_assert_eq!(&by_parts.text, &expected);
        }

        #[test]
        fn what_is_composed_is_what_was_there(text in "\\PC{0,80}", bytes in proptest::collection::vec(any::<u8>(), 1..200), name in "[^\\p{C}/\\\\\"]{1,20}") {
            // A content that holds the first boundary that would be tried.
            for bytes in [bytes, b"\r\n------form00000000\r\n".to_vec()] {
                let photo = Photo { name: name.trim().to_owned(), media_type: "image/jpeg".to_owned(), bytes: bytes.into() };
                let (media_type, body) = compose(&[("text", &text), ("pass", "1")], std::slice::from_ref(&photo));
                let read = parse(&media_type, &body).expect("a form");
                prop_assert_eq!((read.text.as_str(), read.other("pass")), (text.trim(), "1"));
                prop_assert_eq!(read.photos, [photo]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300), content_type in "\\PC{0,60}") {
            let body = Bytes::from(body);
            let _ = parse(MULTIPART, &body);
            let _ = parse(&content_type, &body);
        }
    }
}
