//! Telephone numbers as addresses.

use phonenumber::Mode;
use phonenumber::country::Id;

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

#[cfg(test)]
mod tests {
    use phonenumber::country::Id;
    use proptest::prelude::*;

    use super::normalise;

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
}
