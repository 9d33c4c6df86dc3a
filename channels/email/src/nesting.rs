//! Prepares the bytes of a mail for the parser: a copy of the same length, changed only where it must be.
//!
//! The parser walks messages within messages without recursion but copies and drops them with it, so that a mail of
//! ten thousand `message/rfc822` in each other would overflow the stack, which no handler can catch.

use std::borrow::Cow;

/// This many messages within a mail are parsed as such; those after them are plain files.
const MOST_MESSAGES: usize = 32;

/// What stands in place of the word `message` in a disarmed `Content-Type`.
const DISARMED: &[u8] = b"x-essag";

/// The media type that a part was declared with before it was disarmed.
pub(crate) fn declared_type(media_type: &str) -> String {
    media_type.strip_prefix("x-essag/").map_or_else(|| media_type.to_owned(), |subtype| format!("message/{subtype}"))
}

/// Turns messages that are encoded (RFC 2046, 5.2.1 forbids it) or too many into plain files.
pub(crate) fn disarm(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut messages = 0;
    let mut block: Vec<(usize, usize)> = Vec::new();
    let mut encoded = false;
    let mut field: Option<(usize, Field)> = None;
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n').chain([&b"\n"[..]]) {
        let next = at + line.len();
        let folded = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) && !line.trim_ascii().is_empty();
        if !folded {
            if let Some((start, kind)) = field.take() {
                let value = raw.get(start..at).unwrap_or_default();
                if matches!(kind, Field::Type)
                    && let Some(folds) = folded_values(value)
                {
                    let copy = out.get_or_insert_with(|| raw.to_vec());
                    for (name, length, end) in folds {
                        // The name goes behind the fold, `\n boundary="x"`, which the parser reads.
                        if let Some(parameter) = copy.get_mut(start + name..start + end) {
                            parameter.rotate_left(length);
                        }
                    }
                }
                match kind {
                    Field::Type if suspicious(value) => block.push((start, at)),
                    Field::Encoding if says_encoded(value) => encoded = true,
                    _ => {}
                }
            }
            if line.trim_ascii().is_empty() {
                for (start, end) in block.drain(..) {
                    messages += 1;
                    if encoded || messages > MOST_MESSAGES {
                        blank(out.get_or_insert_with(|| raw.to_vec()), start, end);
                    }
                }
                encoded = false;
            } else if let Some((kind, length)) = Field::of(line) {
                field = Some((at + length, kind));
            }
        }
        at = next.min(raw.len());
    }
    out.map_or(Cow::Borrowed(raw), Cow::Owned)
}

#[derive(Clone, Copy)]
enum Field {
    Type,
    Encoding,
}

impl Field {
    /// The field that a line begins, with the length of its name and colon.
    fn of(line: &[u8]) -> Option<(Self, usize)> {
        let colon = line.iter().take(80).position(|byte| *byte == b':')?;
        let name = line.get(..colon)?.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-type") {
            Some((Self::Type, colon + 1))
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            Some((Self::Encoding, colon + 1))
        } else {
            None
        }
    }
}

/// Whether a `Content-Type` may make the parser look for a message inside; rather once too often.
fn suspicious(value: &[u8]) -> bool {
    let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let letters: Vec<u8> = kind.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect();
    let holds = |word: &[u8]| letters.windows(word.len()).any(|window| window == word);
    holds(b"message") && !holds(b"status") && !holds(b"notification") || holds(b"digest") || kind.contains(&b'(')
}

/// Parameters folded after their equals sign, as S/MIME gateways do: where the name begins, its length with the sign,
/// where the value begins.
fn folded_values(value: &[u8]) -> Option<Vec<(usize, usize, usize)>> {
    let folds: Vec<_> = value
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair.first() == Some(&b'=') && matches!(pair.last(), Some(b'\r' | b'\n')))
        .map(|(sign, _)| {
            let before = value.get(..sign).unwrap_or_default();
            let length =
                before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count() + 1;
            let gap =
                value.get(sign + 1..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            (sign + 1 - length, length, sign + 1 + gap)
        })
        .collect();
    (!folds.is_empty()).then_some(folds)
}

fn says_encoded(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    let holds = |word: &[u8]| value.windows(word.len()).any(|window| window == word);
    holds(b"base64") || holds(b"quoted")
}

/// Overwrites the first word of the type, keeping every offset.
fn blank(bytes: &mut [u8], start: usize, end: usize) {
    let Some(value) = bytes.get_mut(start..end) else { return };
    let length = value.iter().position(|byte| *byte == b'/').unwrap_or(value.len());
    let Some(kind) = value.get_mut(..length) else { return };
    let mut letters = DISARMED.iter().copied().chain(std::iter::repeat(b' '));
    for byte in kind.iter_mut().filter(|byte| !matches!(byte, b'\r' | b'\n' | b' ' | b'\t')) {
        *byte = letters.next().unwrap_or(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_forward_is_left_alone() {
        let mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n";
        assert!(matches!(disarm(mail), Cow::Borrowed(_)));
    }

    #[test]
    fn a_parameter_folded_after_its_equals_sign() {
        let mail = b"Content-Type: multipart/signed; boundary=\r\n \"a b\"; protocol=\n \"c\"\r\n\r\n";
        let text = String::from_utf8(disarm(mail).into_owned()).expect("ascii");
        assert_eq!(text, "Content-Type: multipart/signed; \r\n boundary=\"a b\"; \n protocol=\"c\"\r\n\r\n");
    }

    #[test]
    fn encoded_and_too_many_messages_become_files() {
        let encoded = b"Content-Type: Message/RFC822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
        let text = String::from_utf8(disarm(encoded).into_owned()).expect("ascii");
        assert!(text.starts_with("Content-Type: x-essag/RFC822\r\n"), "{text}");
        let many = "Content-Type:\n message/rfc822\n\n".repeat(MOST_MESSAGES + 3);
        let text = String::from_utf8(disarm(many.as_bytes()).into_owned()).expect("ascii");
        assert_eq!(text.matches("x-essag/rfc822").count(), 3);
        assert_eq!(declared_type("x-essag/rfc822"), "message/rfc822");
    }
}
