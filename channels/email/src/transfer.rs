//! Content transfer encodings (RFC 2045, 6) that are not quite kept: decoded as far as they go, or repaired so that the
//! parser decodes them.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

/// Decodes base64 without padding and with foreign characters within (RFC 2045, 6.8: to be ignored).
pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    let alphabet: Vec<u8> = bytes.iter().copied().filter(|byte| of_base64(*byte)).collect();
    base64_decode(&alphabet).unwrap_or_default()
}

/// Decodes quoted-printable; an equals sign that begins no code stands for itself.
pub(crate) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let repaired = repaired_quoted_printable(bytes);
    let bytes = repaired.as_deref().unwrap_or(bytes);
    quoted_printable_decode(bytes).unwrap_or_else(|| bytes.to_vec())
}

fn of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Quoted-printable with every equals sign that begins no code and ends no line made one itself; `None` when there is none.
pub(crate) fn repaired_quoted_printable(body: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = body.get(at..).unwrap_or_default().iter().position(|byte| *byte == b'=') {
        let sign = at + found;
        let after = body.get(sign + 1..).unwrap_or_default();
        let code = matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        let blank = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let soft = matches!(after.get(blank), None | Some(b'\n'));
        if code || soft {
            if let Some(out) = &mut out {
                out.extend_from_slice(body.get(at..=sign).unwrap_or_default());
            }
        } else {
            let out = out.get_or_insert_with(|| body.get(..at).unwrap_or_default().to_vec());
            out.extend_from_slice(body.get(at..sign).unwrap_or_default());
            out.extend_from_slice(b"=3D");
        }
        at = sign + 1;
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(body.get(at..).unwrap_or_default());
    }
    out
}

/// A body as quoted-printable in which `--boundary` does not stand; `None` when it does not anyway. `quoted` is whether the
/// body is quoted-printable already.
pub(crate) fn without(body: &[u8], boundary: &[u8], quoted: bool) -> Option<Vec<u8>> {
    let here = |rest: &[u8]| rest.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(boundary));
    if boundary.is_empty() || !body.windows(boundary.len() + 2).any(here) {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() + body.len() / 16);
    let mut rest = body;
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'-' if here(rest) => out.extend_from_slice(b"=2D"),
            b'=' if !quoted => out.extend_from_slice(b"=3D"),
            b' ' if !quoted && matches!(after, [b'\n', ..] | [b'\r', b'\n', ..]) => out.extend_from_slice(b"=20"),
            b'\t' if !quoted && matches!(after, [b'\n', ..] | [b'\r', b'\n', ..]) => out.extend_from_slice(b"=09"),
            byte => out.push(*byte),
        }
        rest = after;
    }
    Some(out)
}

/// Base64 as the parser takes it: without what a mailing list has put behind it, without foreign characters, and padded.
/// `None` when it is so already, or when most of it is no base64 at all.
pub(crate) fn repaired_base64(body: &[u8]) -> Option<Vec<u8>> {
    let pure = |line: &[u8]| line.iter().all(|byte| of_base64(*byte));
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    let data: Vec<u8> = if lines.iter().all(|line| pure(line)) {
        lines.concat()
    } else {
        let mut data = Vec::with_capacity(body.len());
        let mut footer = None;
        for (place, line) in lines.iter().enumerate() {
            let padded = data.last() == Some(&b'=');
            // Damage has a full line of data somewhere behind it, a footer has none.
            let goes_on =
                || lines.get(place + 1..).unwrap_or_default().iter().any(|line| line.len() >= 56 && pure(line));
            let words = line.iter().any(u8::is_ascii_whitespace);
            // No word is so long, so that white space or a foreign character within is damage.
            let data_within = line.split(u8::is_ascii_whitespace).any(|word| word.len() >= 20 && pure(word));
            let foreign = line.iter().filter(|byte| !of_base64(**byte)).count();
            if padded && !line.is_empty() && !goes_on()
                || foreign > 0 && !data_within && (words || foreign * 4 > line.len()) && !goes_on()
            {
                footer = Some(place);
                break;
            }
            data.extend(line.iter().copied().filter(|byte| of_base64(*byte)));
        }
        // What follows whole quanta behind an empty line or a rule was put there by somebody else.
        let set_apart = data.len() >= 8
            && data.len().is_multiple_of(4)
            && footer.is_some_and(|place| {
                let blank =
                    place.checked_sub(1).and_then(|before| lines.get(before)).is_some_and(|line| line.is_empty());
                blank || lines.get(place).is_some_and(|line| line.starts_with(b"__") || line.starts_with(b"--"))
            });
        let printed = body.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        if !set_apart && (data.len() < 4 || data.len() * 2 < printed) {
            return None;
        }
        data
    };
    let letters = data.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let quantum_open = !data.contains(&b'=') && !letters.is_multiple_of(4);
    if !quantum_open && lines.iter().all(|line| pure(line)) {
        return None;
    }
    let mut out = Vec::with_capacity(data.len() + data.len() / 30);
    let mut data = data;
    if quantum_open {
        // One letter alone holds no byte.
        data.truncate(if letters % 4 == 1 { letters - 1 } else { letters });
        while !data.len().is_multiple_of(4) {
            data.push(b'=');
        }
    }
    for line in data.chunks(76) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_signs_that_stand_for_themselves() {
        for (given, repaired) in [
            ("=E8=B7=AF == x", Some("=E8=B7=AF =3D=3D x")),
            ("a = b =\r\nc =", Some("a =3D b =\r\nc =")),
            ("b = c", Some("b =3D c")),
            ("=e8=b7=af= \t\nx", None),
            ("", None),
        ] {
            let made = repaired_quoted_printable(given.as_bytes());
            assert_eq!(made.as_deref(), repaired.map(str::as_bytes), "{given}");
        }
        assert_eq!(quoted_printable(b"a = b=3D=\r\nc"), b"a = b=c");
    }

    #[test]
    fn base64_with_footers_damage_and_no_padding() {
        let long = "QUFB".repeat(15);
        for (given, repaired) in [
            ("6Lev54Gv\n\n____________\nList mailing list\nlist@lists.example\n", Some("6Lev54Gv\r\n".to_owned())),
            ("6Lev54GvYQ==\r\n--\r\nYou are subscribed\r\n", Some("6Lev54GvYQ==\r\n".to_owned())),
            ("6Lev54GvYQ", Some("6Lev54GvYQ==\r\n".to_owned())),
            ("6Lev54Gv\n", None),
            ("6Lev\r\n54Gv\r\n", None),
            ("The lamp is broken, please mend it.", None),
        ] {
            let made = repaired_base64(given.as_bytes()).map(|made| String::from_utf8(made).expect("ascii"));
            assert_eq!(made, repaired, "{given}");
        }
        let damaged = format!("{long}!\n{long}\n");
        assert_eq!(base64(&repaired_base64(damaged.as_bytes()).expect("repaired")), "A".repeat(90).as_bytes());
        let marked = format!("{} !\n{} !\n\n_____\nlist footer text\n", "QUFB".repeat(10), "QUFB".repeat(10));
        assert_eq!(base64(&repaired_base64(marked.as_bytes()).expect("repaired")), "A".repeat(60).as_bytes());
        assert_eq!(base64(b"6Lev54GvYQ"), "路灯a".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_repaired_needs_no_repair(body in "[A-Za-z0-9+/=_ \\n.-]{0,300}") {
            if let Some(once) = repaired_base64(body.as_bytes()) {
                prop_assert_eq!(repaired_base64(&once), None);
            }
            if let Some(once) = repaired_quoted_printable(body.as_bytes()) {
                prop_assert_eq!(repaired_quoted_printable(&once), None);
            }
        }
    }
}
