//! Query strings whose values are bytes, not text: Kannel percent-encodes whatever octets the phone sent.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The parameters of a query in order, decoded to bytes (`+` is a space); names that are no UTF-8 are left out.
pub(crate) fn parameters(query: &str) -> Vec<(String, Vec<u8>)> {
    let decode = |text: &str| -> Vec<u8> {
        let spaced = text.replace('+', " ");
        Cow::from(percent_decode(spaced.as_bytes())).into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((String::from_utf8(decode(name)).ok()?, decode(value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn values_are_bytes() {
        let check = |query: &str, expected: &[(&str, &[u8])]| {
            let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
            assert_eq!(parameters(query), expected, "{query}");
        };
        check("", &[]);
        check("a=1&b=", &[("a", b"1"), ("b", b"")]);
        check("text=%8D%EF+%2B", &[("text", b"\x8d\xef +")]);
        check("a&&=x&%ff=1", &[("a", b""), ("", b"x")]);
        check("a=%4&a=%zz=%", &[("a", b"%4"), ("a", b"%zz=%")]);
    }
}
