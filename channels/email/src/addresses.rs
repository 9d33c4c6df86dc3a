//! Who wrote a mail and whom it was sent to, also where the field is not as RFC 5322 wants it.

use std::sync::LazyLock;

use mail_parser::{Address, Message};
use regex::Regex;

use crate::mail::one_line;
use crate::words;

/// Display name and address of the writer: of `From`, otherwise of `Sender`.
pub(crate) fn sender(message: &Message<'_>, fields: &[(String, String)]) -> Option<(Option<String>, String)> {
    [("from", message.from()), ("sender", message.sender())].into_iter().find_map(|(field, list)| {
        let raw = fields.iter().find(|(key, _)| key == field).map_or("", |(_, value)| value.as_str());
        let parsed = list.into_iter().flat_map(Address::iter).find_map(|mailbox| {
            let address = clean(mailbox.address.as_deref()?)?;
            let name = mailbox
                .name
                .as_deref()
                .map(|name| if words::doubted(name, raw) { loose(raw).0 } else { name.to_owned() });
            Some((name, address))
        });
        let (name, address) = parsed.or_else(|| {
            let (name, address) = loose(raw);
            Some((Some(name), address?))
        })?;
        Some((name.map(|name| one_line(&name)).filter(|name| !name.is_empty()), address))
    })
}

/// Everybody in `To` and `Cc`, then where servers say that they delivered it.
pub(crate) fn recipients(message: &Message<'_>, fields: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let listed = message
        .all_to()
        .chain(message.all_cc())
        .flat_map(Address::iter)
        .filter_map(|mailbox| mailbox.address.as_deref());
    let delivered = fields
        .iter()
        .filter(|(key, _)| matches!(key.as_str(), "delivered-to" | "x-original-to" | "x-envelope-to" | "envelope-to"))
        .map(|(_, value)| value.as_str());
    for address in listed.chain(delivered).filter_map(clean).take(200) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// An address as it may be answered: no controls, no spaces but in a quoted local part, and of a length that SMTP allows
/// (RFC 5321, 4.5.3.1). A route (RFC 5322, 4.4) and the scheme of a link are left off.
fn clean(address: &str) -> Option<String> {
    let address = address.trim().trim_matches(['<', '>']).trim();
    let address = match address.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto") => rest,
        Some((route, rest)) if route.starts_with('@') => rest,
        _ => address,
    };
    let (local, host) = address.rsplit_once('@')?;
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let spoilt = |text: &str| text.contains(|character: char| character.is_control() || character.is_whitespace());
    let fine = !local.is_empty()
        && !host.is_empty()
        && address.len() <= 320
        && !spoilt(host)
        && !address.contains(char::is_control)
        && (quoted || !spoilt(local));
    fine.then(|| address.to_owned())
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:"[^"<>@]+"|[^\s<>()\[\],;:"@\\]+) *@ *[^\s<>()\[\],;:"@\\]+"#)
        .expect("a pattern of this module is not a regular expression")
});

/// Name and address out of a field that the parser cannot read: brackets and quotes are open, or encoded with the name.
fn loose(raw: &str) -> (String, Option<String>) {
    let decoded: String = words::decode(raw)
        .chars()
        .map(|character| match character {
            '＜' => '<',
            '＞' => '>',
            '＠' => '@',
            other => other,
        })
        .collect();
    // The address stands last: before it may be a name that looks like one.
    let Some(found) = ADDRESS.find_iter(&decoded).last() else {
        return (name(decoded.split('<').next().unwrap_or_default()), None);
    };
    let before = name(decoded.get(..found.start()).unwrap_or_default());
    let after = decoded.get(found.end()..).unwrap_or_default();
    let written = if before.is_empty() { name(after) } else { before };
    let quoted = found.as_str().starts_with('"');
    let address = if quoted { found.as_str().to_owned() } else { found.as_str().replace(' ', "") };
    (written, clean(&address))
}

fn name(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_suffix("mailto:").unwrap_or(text);
    text.trim_matches(['"', '\'', ' ', '\t', '<', '>', '(', ')', ',', ';']).to_owned()
}

#[cfg(test)]
mod tests {
    use crate::mail;

    #[test]
    fn writers_as_they_are_written() {
        for (field, name, address) in [
            ("Zhang San a@b.example", Some("Zhang San"), "a@b.example"),
            ("\"Zhang <a@b.example>", Some("Zhang"), "a@b.example"),
            ("Zhang a@b.example>", Some("Zhang"), "a@b.example"),
            ("=?utf-8?B?5byg5LiJIDxhQGIuZXhhbXBsZT4=?=", Some("张三"), "a@b.example"),
            ("< a @ b.example >", None, "a@b.example"),
            ("\"john doe\"@b.example", None, "\"john doe\"@b.example"),
            ("Zhang <mailto:a@b.example>", Some("Zhang"), "a@b.example"),
            ("Zhang <@c.example,@d.example:a@b.example>", Some("Zhang"), "a@b.example"),
            ("a@b.example (=?gb2312?B?1cXI/Q==?=)", Some("张三"), "a@b.example"),
            ("=?gb2312?B?1cXI/Q==?= <a@b.example>", Some("张三"), "a@b.example"),
            ("张三＜a＠b.example＞", Some("张三"), "a@b.example"),
            ("\"Zhang, San\" <a@b.example>", Some("Zhang, San"), "a@b.example"),
        ] {
            let mail = mail::parse(format!("From: {field}\r\nSubject: x\r\n\r\nx").as_bytes(), 0).expect("a mail");
            assert_eq!(mail.from, Some((name.map(str::to_owned), address.to_owned())), "{field}");
        }
        for nobody in ["", "Zhang San", "@b.example", "a@", "undisclosed-recipients:;"] {
            let mail = mail::parse(format!("From: {nobody}\r\nSubject: x\r\n\r\nx").as_bytes(), 0).expect("a mail");
            assert_eq!(mail.from, None, "{nobody}");
        }
    }
}
