//! Hiding personal data in texts from those who need not know.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Chinese numerals from zero to nine, plain, as they are said over the phone, and as banks write them.
const NUMERALS: [char; 21] = [
    '零', '〇', '一', '二', '三', '四', '五', '六', '七', '八', '九', '幺', '壹', '贰', '叁', '肆', '伍', '陆', '柒',
    '捌', '玖',
];

/// Masks identity card numbers (GB 11643: 17 digits and a check character), phone numbers (7 digits and more) and e-mail
/// addresses in a text, whichever digits they are written with (full-width, Arabic-Indic, Chinese numerals) and whatever
/// stands between them (spaces, hyphens, dots, line ends, invisible characters).
///
/// Dates stay, and so do ticket numbers of 13 digits: six of them must be a date since this program is there, and the check
/// digit right, which one other number of some hundreds is by chance.
#[must_use]
pub fn mask(text: &str) -> String {
    static PERSONAL: LazyLock<Regex> = LazyLock::new(|| {
        let numeral = format!("[{}]", NUMERALS.iter().collect::<String>());
        let pattern = format!(
            r"(?ix)
            [a-z0-9._%+-]+ [@＠] [a-z0-9.-]+ \. [a-z]{{2,}}
            | \p{{Nd}}{{17}} [\p{{Nd}}xｘ]
            | [+＋]? \p{{Nd}} (?: [\s\p{{Pd}}\p{{Cf}}._·•()（）．]{{0,3}} \p{{Nd}} ){{6,}}
            | {numeral} (?: [\s\p{{Pd}}\p{{Cf}}]? {numeral} ){{6,}}"
        );
        Regex::new(&pattern).unwrap_or_else(|error| panic!("{error}"))
    });
    PERSONAL.replace_all(text, |found: &Captures<'_>| masked(&found[0])).into_owned()
}

/// One find, masked or left.
fn masked(whole: &str) -> String {
    static DATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:19|20)[0-9]{2}[-.](?:0?[1-9]|1[0-2])[-.](?:[12][0-9]|3[01]|0?[1-9])(?:[^0-9]|$)")
            .unwrap_or_else(|error| panic!("{error}"))
    });
    if whole.contains(['@', '＠']) {
        return "***@***".to_owned();
    }
    if let Some(date) = DATE.find(whole) {
        return format!("{}{}", date.as_str(), mask(whole.get(date.end()..).unwrap_or_default()));
    }
    if super::TicketNumber::parse(whole).is_some_and(|number| number.as_str().len() == 13 && number.has_date()) {
        return whole.to_owned();
    }
    let signs = whole.chars().filter(|letter| letter.is_alphanumeric()).count();
    let mut seen = 0;
    whole
        .chars()
        .map(|letter| {
            if !letter.is_alphanumeric() {
                return letter;
            }
            seen += 1;
            if seen <= 3.min(signs / 3) || seen + 2 > signs { letter } else { '*' }
        })
        .collect()
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
            ("电话１３７００１３７００２", "电话１３７******０２"),
            ("138.0013.8001 或 138–0013–8001", "138.****.**01 或 138–****–**01"),
            ("138_0013_8001", "138_****_**01"),
            ("138\u{a0}0013\n8001", "138\u{a0}****\n**01"),
            ("138\u{200b}00138001", "138\u{200b}******01"),
            ("一三八零零一三八零零一", "一三八******零一"),
            ("٠١٢٣٤٥٦٧٨٩", "٠١٢*****٨٩"),
            ("8613541304802", "861********02"),
            ("身份证142711310326439", "身份证142**********39"),
            ("zhang＠example.org", "***@***"),
            ("2026-11-23 19:30 停水", "2026-11-23 19:30 停水"),
            ("2026.11.23，二〇二六年", "2026.11.23，二〇二六年"),
            ("2026-11-23 13800138000", "2026-11-23 138******00"),
            ("2026-11-2345", "202*-**-**45"),
        ] {
            assert_eq!(mask(text), masked);
        }
        let number = TicketNumber::new("261122", 17);
        for written in [number.as_str(), &number.spoken()] {
            assert_eq!(mask(written), written);
        }
        let undated = TicketNumber::new("861354", 130_480);
        assert!(mask(undated.as_str()).contains('*'), "a telephone number may have a right check digit");
    }
}
