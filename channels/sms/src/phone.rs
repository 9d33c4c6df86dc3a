//! Telephone numbers as addresses.

use phonenumber::Mode;
use phonenumber::country::Id;

/// The country in whose way a number without a country code is read.
pub use phonenumber::country::Id as Region;

/// Brings a valid number to E.164 (`+8613800138000`), reading numbers without a country code as of `region`.
/// Short codes, sender names and anything that is no valid number stay as they are, trimmed.
#[must_use]
pub fn normalise(number: &str, region: Id) -> String {
    let number = number.trim();
    // Names, short codes and foreign schemes (`whatsapp:+1...`) are addresses in their own right.
    let dialled = number.chars().all(|char| char.is_ascii_digit() || "+-.() ".contains(char));
    if !dialled || number.chars().filter(char::is_ascii_digit).count() < 7 {
        return number.to_owned();
    }
    // Without a plus or an international prefix only the region's own numbers are recognised: a foreign reading
    // would make a citizen of some far country out of many a service number.
    phonenumber::parse(Some(region), number)
        .ok()
        .filter(phonenumber::is_valid)
        .map_or_else(|| number.to_owned(), |parsed| parsed.format().mode(Mode::E164).to_string())
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

    use super::{normalise, spellings};

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
        assert_eq!(normalise("(415) 555-2671", Id::US), "+14155552671");
    }

    proptest! {
        #[test]
        fn anything_goes_and_twice_is_once(number in "[-+0-9a-z(). ]{0,24}") {
            let once = normalise(&number, Id::CN);
            prop_assert_eq!(normalise(&once, Id::CN), once);
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
