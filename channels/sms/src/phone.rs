//! Telephone numbers as addresses.

use phonenumber::Mode;
use phonenumber::country::Id;

/// The country in whose way a number without a country code is read.
pub use phonenumber::country::Id as Region;

/// Brings a valid number to E.164 (`+8613800138000`), also from full-width digits or behind `tel:` (RFC 3966), reading numbers without a country code as of `region`.
/// Short codes, sender names and anything that is no valid number stay as they are, trimmed.
#[must_use]
pub fn normalise(number: &str, region: Id) -> String {
    let number = number.trim();
    if is_chinese_mobile(number) {
        return number.to_owned();
    }
    let plain: String = number.chars().map(narrow).collect();
    let number = plain.strip_prefix("tel:").unwrap_or(&plain).trim();
    // Names, short codes and foreign schemes (`whatsapp:+1...`) are addresses in their own right.
    let dialled = number.chars().all(|char| char.is_ascii_digit() || "+-.() ".contains(char));
    if !dialled || number.chars().filter(char::is_ascii_digit).count() < 7 {
        return number.to_owned();
    }
    read(number, region).unwrap_or_else(|| number.to_owned())
}

/// The narrow form of a full-width sign, which Chinese keyboards write.
pub(crate) fn narrow(char: char) -> char {
    match u32::from(char) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(char),
        0x3000 => ' ',
        _ => char,
    }
}

/// A valid number in E.164. Without a plus or an international prefix only the region's own numbers are recognised: a foreign
/// reading would make a citizen of some far country out of many a service number.
fn read(number: &str, region: Id) -> Option<String> {
    let valid = |region| phonenumber::parse(region, number).ok().filter(phonenumber::is_valid);
    let parsed = if number.starts_with('+') {
        // Read for a region, a foreign number would lose what looks like the trunk prefix there; its own may hold a needless one.
        valid(None).or_else(|| valid(Some(region)).filter(|own| own.country().id() == Some(region)))
    } else {
        valid(Some(region))
    };
    Some(parsed?.format().mode(Mode::E164).to_string())
}

/// Whether this is a mobile number of the Chinese mainland in E.164: nearly every sender of a hotline. What the library makes
/// of such a number is the number itself, valid or not, but it asks many regular expressions for that.
fn is_chinese_mobile(number: &str) -> bool {
    number.strip_prefix("+861").is_some_and(|rest| {
        rest.len() == 10
            && rest.starts_with(|second| ('3'..='9').contains(&second))
            && rest.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The ways in which a number may have been written down: as typed, in E.164, with the country code but without the plus, and
/// the national number with and without its trunk prefix. Just the trimmed text where it is no valid number.
#[must_use]
pub fn spellings(number: &str, region: Id) -> Vec<String> {
    let number = number.trim();
    let mut all = vec![number.to_owned()];
    let e164 = normalise(number, region);
    if let Ok(parsed) = phonenumber::parse(Some(region), &e164)
        && phonenumber::is_valid(&parsed)
    {
        let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
        all.push(digits(number.to_owned()));
        all.push(digits(e164.clone()));
        all.push(digits(parsed.format().mode(Mode::National).to_string()));
        all.push(parsed.national().to_string());
        all.push(e164);
    }
    all.sort_unstable();
    all.dedup();
    all.retain(|text| !text.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use phonenumber::country::Id;
    use proptest::prelude::*;

    use super::{is_chinese_mobile, normalise, read, spellings};

    #[test]
    fn numbers() {
        for (number, expected) in [
            ("+8613800138000", "+8613800138000"),
            (" +86 138 0013 8000 ", "+8613800138000"),
            ("13800138000", "+8613800138000"),
            ("8613800138000", "+8613800138000"),
            ("008613800138000", "+8613800138000"),
            ("138-0013-8000", "+8613800138000"),
            ("+14155552671", "+14155552671"),
            ("＋８６１３８００１３８０００", "+8613800138000"),
            ("tel:+8613800138000", "+8613800138000"),
            ("14155552671", "14155552671"),
            ("02161234567", "+862161234567"),
            ("12345", "12345"),
            ("10086", "10086"),
            ("106900001234567890", "106900001234567890"),
            ("YINGDA", "YINGDA"),
            ("whatsapp:+14155552671", "whatsapp:+14155552671"),
            ("", ""),
        ] {
            assert_eq!(normalise(number, Id::CN), expected, "{number:?}");
        }
        for (number, region, expected) in [
            ("(415) 555-2671", Id::US, "+14155552671"),
            ("+86 153 3000 0000", Id::US, "+8615330000000"),
            ("+86 (0) 21 6123 4567", Id::CN, "+862161234567"),
            ("+44 (0) 20 7946 0018", Id::GB, "+442079460018"),
        ] {
            assert_eq!(normalise(number, region), expected, "{number:?} {region:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_goes_and_twice_is_once(number in "[-+0-9a-z(). ]{0,24}") {
            let once = normalise(&number, Id::CN);
            prop_assert_eq!(normalise(&once, Id::CN), once);
        }

        #[test]
        fn the_library_leaves_a_mobile_number_in_e164_as_it_is(number in r"\+861[3-9][0-9]{9}", region in 0..3_usize) {
            prop_assert!(is_chinese_mobile(&number));
            let region = [Id::CN, Id::US, Id::HK][region];
            let read = read(&number, region);
            prop_assert!(read.as_ref().is_none_or(|read| *read == number), "{read:?} {region:?}");
        }
    }

    #[test]
    fn a_number_is_found_however_it_was_written() {
        for typed in ["13800138000", "+86 138-0013-8000", "8613800138000", "008613800138000"] {
            let all = spellings(typed, Id::CN);
            for written in ["+8613800138000", "13800138000", "8613800138000"] {
                assert!(all.iter().any(|known| known == written), "{typed}: {all:?}");
            }
        }
        assert_eq!(spellings(" a@example.org ", Id::CN), ["a@example.org"]);
        assert_eq!(spellings("12345", Id::CN), ["12345"]);
    }
}
