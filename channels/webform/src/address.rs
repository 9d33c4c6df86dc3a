//! Addresses that people type in.

use phonenumber::Mode;
use phonenumber::country::Id;
use unicode_normalization::UnicodeNormalization as _;

/// Longest mail address (RFC 5321, 4.5.3.1.3, without the angle brackets), in bytes.
const MAX_MAILBOX_BYTES: usize = 254;

/// Brings a telephone number to E.164, reading one without a country code as of `region` (ISO 3166-1).
/// Spaces, hyphens, brackets and full-width digits are forgiven. `None` if it cannot be one.
#[must_use]
pub fn telephone(typed: &str, region: &str) -> Option<String> {
    let plain: String = typed
        .nfkc()
        .filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '.' | '\u{2010}'..='\u{2015}'))
        .collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let region: Id = region.parse().ok()?;
    if let Some(known) = phonenumber::parse(Some(region), &plain).ok().filter(phonenumber::is_valid) {
        return Some(known.format().mode(Mode::E164).to_string());
    }
    // Number plans grow faster than tables: a complete international number is believed (ITU-T E.164: at most 15 digits).
    (plain.starts_with('+') && (8..=15).contains(&digits.len()) && !digits.starts_with('0')).then_some(plain)
}

/// Checks a mail address as far as one can without asking its server: one `@`, a local part without spaces, a domain
/// of at least two labels. Domains may be in any script; the domain comes back in lower case. `None` if it cannot be one.
#[must_use]
pub fn mailbox(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let (local, domain) = typed.rsplit_once('@')?;
    let domain = domain.to_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let good_local = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|letter| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter));
    let good_domain = domain.split('.').count() >= 2 && domain.split('.').all(label);
    (good_local && good_domain && typed.len() <= MAX_MAILBOX_BYTES).then(|| format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephones() {
        for (typed, expected) in [
            ("13800138000", Some("+8613800138000")),
            (" 138 0013 8000 ", Some("+8613800138000")),
            ("１３８００１３８０００", Some("+8613800138000")),
            ("+86 138-0013-8000", Some("+8613800138000")),
            ("0086 13800138000", Some("+8613800138000")),
            ("(021) 6123 4567", Some("+862161234567")),
            ("+1 415 555 2671", Some("+14155552671")),
            ("+8619999999999", Some("+8619999999999")),
            ("+15550100200", Some("+15550100200")),
            ("12345", None),
            ("110", None),
            ("+0123456789", None),
            ("1380013800a", None),
            ("li@example.com", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(telephone(typed, "CN").as_deref(), expected, "{typed}");
        }
        assert_eq!(telephone("415-555-2671", "US").as_deref(), Some("+14155552671"));
    }

    #[test]
    fn mailboxes() {
        for (typed, expected) in [
            (" li@Example.COM ", Some("li@example.com")),
            ("Li.Lei+12345@mail.example.cn", Some("Li.Lei+12345@mail.example.cn")),
            ("李雷@例子.中国", Some("李雷@例子.中国")),
            ("li@localhost", None),
            ("li@@example.com", None),
            ("li lei@example.com", None),
            ("li@example..com", None),
            ("li@-example.com", None),
            (".li@example.com", None),
            ("li@example.com\r\nBcc: a@b.example", None),
            ("<li@example.com>", None),
            ("li", None),
            ("", None),
        ] {
            assert_eq!(mailbox(typed).as_deref(), expected, "{typed}");
        }
    }
}
