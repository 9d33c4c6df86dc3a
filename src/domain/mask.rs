//! Hiding personal data in texts from those who need not know.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Masks identity card numbers (GB 11643: 17 digits and a check character), phone numbers (7 digits and more, also
/// with spaces, hyphens and country code) and e-mail addresses in a text; ticket numbers of 13 digits and more stay.
#[must_use]
pub fn mask(text: &str) -> String {
    static PERSONAL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}|\d{17}[\dx]|\+?\d(?:[ \-()]{0,2}\d){6,}")
            .unwrap_or_else(|error| panic!("{error}"))
    });
    PERSONAL
        .replace_all(text, |found: &Captures<'_>| {
            let whole = &found[0];
            if whole.contains('@') {
                return "***@***".to_owned();
            }
            let digits = whole.chars().filter(char::is_ascii_digit).count();
            let plain = digits == whole.chars().count();
            if plain && (13..=17).contains(&digits) && super::TicketNumber::parse(whole).is_some() {
                return whole.to_owned();
            }
            let signs = whole.chars().filter(char::is_ascii_alphanumeric).count();
            let mut seen = 0;
            whole
                .chars()
                .map(|letter| {
                    if !letter.is_ascii_alphanumeric() {
                        return letter;
                    }
                    seen += 1;
                    if seen <= 3.min(digits / 3) || seen + 2 > signs { letter } else { '*' }
                })
                .collect()
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TicketNumber;

    #[test]
    fn table() {
        for (text, masked) in [
            ("请打13800138000找我", "请打138******00找我"),
            ("身份证 11010519491231002X。", "身份证 110*************2X。"),
            ("call +86 138-0013-8000", "call +86 1**-****-**00"),
            ("mail zhang@example.org now", "mail ***@*** now"),
            ("3号楼2单元，12345热线", "3号楼2单元，12345热线"),
        ] {
            assert_eq!(mask(text), masked);
        }
        let number = TicketNumber::new("261122", 17);
        assert_eq!(mask(number.as_str()), number.as_str());
    }
}
