//! How many segments a text takes on the air (3GPP TS 23.038 and 23.040).

/// The alphabet in which a text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table; the unit is the septet.
    Gsm7,
    /// UCS-2, in practice UTF-16; the unit is 16 bits.
    Ucs2,
}

impl Encoding {
    /// The alphabet that takes `text`: GSM 7-bit if every character is in it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|char| gsm7_septets(char).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// How many units fit into a message that stands alone.
    const fn alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// How many units fit into each part of a concatenated message, beside its 6-byte header.
    const fn joined(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn units(self, char: char) -> usize {
        match self {
            Self::Gsm7 => gsm7_septets(char).unwrap_or(1),
            Self::Ucs2 => char.len_utf16(),
        }
    }
}

/// What a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// Its alphabet.
    pub encoding: Encoding,
    /// Its length in the alphabet's units.
    pub units: usize,
    /// How many segments it fills, at least one.
    pub count: usize,
}

/// Counts the segments of a text.
#[must_use]
pub fn segments(text: &str) -> Segments {
    let encoding = Encoding::of(text);
    let units = text.chars().map(|char| encoding.units(char)).sum();
    Segments { encoding, units, count: split(text).len() }
}

/// The text of each segment, in order. Neither a surrogate pair nor an escaped GSM character is ever cut in two.
#[must_use]
pub fn split(text: &str) -> Vec<&str> {
    let encoding = Encoding::of(text);
    if text.chars().map(|char| encoding.units(char)).sum::<usize>() <= encoding.alone() {
        return vec![text];
    }
    let (mut pieces, mut start, mut filled) = (Vec::new(), 0, 0);
    for (at, char) in text.char_indices() {
        let units = encoding.units(char);
        if filled + units > encoding.joined() {
            pieces.extend(text.get(start..at));
            (start, filled) = (at, 0);
        }
        filled += units;
    }
    pieces.extend(text.get(start..));
    pieces
}

/// How many septets a character takes in the GSM 7-bit alphabet, `None` if it is not in it.
fn gsm7_septets(char: char) -> Option<usize> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";
    if char.is_ascii_alphanumeric() || BASIC.contains(char) {
        Some(1)
    } else if EXTENSION.contains(char) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Encoding, Segments, segments, split};

    #[test]
    fn counts() {
        let check = |text: &str, encoding, units, count| {
            let shown: String = text.chars().take(12).collect();
            assert_eq!(segments(text), Segments { encoding, units, count }, "{shown}");
        };
        check("", Encoding::Gsm7, 0, 1);
        check("hello", Encoding::Gsm7, 5, 1);
        check(&"a".repeat(160), Encoding::Gsm7, 160, 1);
        check(&"a".repeat(161), Encoding::Gsm7, 161, 2);
        check(&"a".repeat(306), Encoding::Gsm7, 306, 2);
        check(&"a".repeat(307), Encoding::Gsm7, 307, 3);
        check(&"€".repeat(80), Encoding::Gsm7, 160, 1);
        // 153 is odd: the escape of the 77th euro sign moves to the next segment with it.
        check(&"€".repeat(153), Encoding::Gsm7, 306, 3);
        check("路灯坏了", Encoding::Ucs2, 4, 1);
        check(&"路".repeat(70), Encoding::Ucs2, 70, 1);
        check(&"路".repeat(71), Encoding::Ucs2, 71, 2);
        check(&"路".repeat(134), Encoding::Ucs2, 134, 2);
        check(&"路".repeat(135), Encoding::Ucs2, 135, 3);
        check(&"📱".repeat(35), Encoding::Ucs2, 70, 1);
        // 67 is odd: 33 pairs a segment.
        check(&"📱".repeat(67), Encoding::Ucs2, 134, 3);
        check("`", Encoding::Ucs2, 1, 1);
    }

    proptest! {
        #[test]
        fn segments_make_up_the_text_and_none_is_too_full(text in "[a-z€\\[路灯📱𠮷]{0,400}") {
            let pieces = split(&text);
            prop_assert_eq!(pieces.concat(), text.clone());
            prop_assert_eq!(pieces.len(), segments(&text).count);
            let encoding = Encoding::of(&text);
            let room = if pieces.len() == 1 { encoding.alone() } else { encoding.joined() };
            for piece in &pieces {
                // Each piece stands as its own UTF-16: were a pair cut, decoding it alone would fail.
                let units: Vec<u16> = piece.encode_utf16().collect();
                let alone = String::from_utf16(&units);
                prop_assert_eq!(alone.as_deref().ok(), Some(*piece));
                prop_assert!(piece.chars().map(|char| encoding.units(char)).sum::<usize>() <= room);
            }
        }
    }
}
