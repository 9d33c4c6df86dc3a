//! Ticket numbers and query codes: what a citizen is told.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A ticket's number: the city's date as `YYMMDD`, a counter of six digits or more, and one check digit
/// (ISO 7064, MOD 11,10), which finds every single wrong digit and nearly every swapped pair. Digits only, so that it can be said over a phone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketNumber(String);

impl TicketNumber {
    /// The number of the `counter`th ticket of a city's day (`YYMMDD`).
    #[must_use]
    pub fn new(day: &str, counter: i64) -> Self {
        let mut digits = format!("{day}{counter:06}");
        digits.push(check_digit(&digits));
        Self(digits)
    }

    /// Reads what a person typed: spaces, hyphens and full-width digits are forgiven, a wrong check digit is not.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut digits = String::with_capacity(13);
        for letter in typed.trim().chars() {
            match letter {
                '0'..='9' => digits.push(letter),
                '０'..='９' => digits.push(char::from_digit(u32::from(letter) - u32::from('０'), 10)?),
                ' ' | '-' | '\u{3000}' | '\u{a0}' => {}
                _ => return None,
            }
        }
        if digits.len() < 13 || digits.len() > 18 {
            return None;
        }
        let last = digits.pop()?;
        (check_digit(&digits) == last).then(|| {
            digits.push(last);
            Self(digits)
        })
    }

    /// Takes a stored number as it is.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// Whether it begins with a day since 2025, as every number does that was given out.
    #[must_use]
    pub fn has_date(&self) -> bool {
        let part = |from: usize| self.0.get(from..from + 2).and_then(|part| part.parse::<u32>().ok());
        part(0).is_some_and(|year| year >= 25)
            && part(2).is_some_and(|month| (1..=12).contains(&month))
            && part(4).is_some_and(|day| (1..=31).contains(&day))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits, taken out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The digits in groups, as one says them: `261122 000017 3`.
    #[must_use]
    pub fn spoken(&self) -> String {
        let mut spoken = String::with_capacity(self.0.len() + 2);
        for (index, digit) in self.0.chars().enumerate() {
            if index == 6 || index + 1 == self.0.len() {
                spoken.push(' ');
            }
            spoken.push(digit);
        }
        spoken
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// ISO 7064, MOD 11,10 (hybrid system).
fn check_digit(digits: &str) -> char {
    let product = digits.bytes().fold(10_u32, |product, digit| {
        let sum = (product + u32::from(digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    char::from_digit((11 - product) % 10, 10).unwrap_or('0')
}

/// A query code of eight characters that cannot be mistaken for one another, from eight random bytes.
#[must_use]
pub fn query_code(random: [u8; 8]) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_7064_example() {
        assert_eq!(check_digit("0794"), '5'); // the standard's own example for MOD 11,10
    }

    #[test]
    fn every_single_wrong_digit_is_found() {
        let number = TicketNumber::new("261122", 17);
        for (place, digit) in number.as_str().bytes().enumerate() {
            for wrong in b'0'..=b'9' {
                let mut typed = number.as_str().as_bytes().to_vec();
                typed[place] = wrong;
                let typed = String::from_utf8(typed).expect("digits");
                assert_eq!(TicketNumber::parse(&typed).is_some(), wrong == digit, "{typed}");
            }
        }
    }

    #[test]
    fn people_type_freely() {
        let number = TicketNumber::new("261122", 17);
        assert_eq!(TicketNumber::parse(&number.spoken()), Some(number.clone()));
        assert_eq!(TicketNumber::parse(" ２６１１２２-000017").map(|_| ()), None);
        assert_eq!(TicketNumber::parse("12345"), None);
    }

    #[test]
    fn codes_have_no_look_alikes() {
        let code = query_code([0, 1, 255, 31, 32, 33, 64, 128]);
        assert_eq!(code.len(), 8);
        assert!(!code.contains(['0', 'O', '1', 'I']));
    }
}
