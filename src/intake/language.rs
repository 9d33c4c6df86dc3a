//! Which language a text is in: by script where that decides, otherwise by whatlang with the city's allowlist.
//!
//! Unsure is `None`: the ticket's language stays unknown and messages take the channel's default.

use std::sync::LazyLock;

use whatlang::{Detector, Info, Lang};

/// Tells languages apart for one city.
#[derive(Debug)]
pub struct Languages {
    allowed: Vec<String>,
    /// Knows the city's languages only.
    detector: Detector,
    /// Knows those and the great languages beside them, of which it must tell them apart.
    wide: Detector,
    /// Knows the city's languages and those that a text of plain letters is most easily taken for.
    plain: Detector,
    default_chinese: &'static str,
}

/// Characters that only one way of writing Chinese uses, from the tables of OpenCC (see `build.rs`).
struct Variants {
    simplified: Ideographs,
    traditional: Ideographs,
}

/// A set of characters of the block CJK Unified Ideographs, a bit each.
struct Ideographs(Box<[u64]>);

impl Ideographs {
    const FIRST: usize = 0x4e00;
    const LAST: usize = 0x9fff;

    fn of(letters: &str) -> Self {
        let mut bits = vec![0; (Self::LAST - Self::FIRST) / 64 + 1];
        for place in letters.chars().filter_map(Self::place) {
            if let Some(word) = bits.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        Self(bits.into())
    }

    fn place(letter: char) -> Option<usize> {
        let code = letter as usize;
        (Self::FIRST..=Self::LAST).contains(&code).then(|| code - Self::FIRST)
    }

    fn contains(&self, letter: char) -> bool {
        Self::place(letter)
            .is_some_and(|place| self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1))
    }
}

include!(concat!(env!("OUT_DIR"), "/variants.rs"));

static VARIANTS: LazyLock<Variants> =
    LazyLock::new(|| Variants { simplified: Ideographs::of(SIMPLIFIED), traditional: Ideographs::of(TRADITIONAL) });

/// Letters that mark a language within a script that several share: the first row of which a text has at least one in
/// so many letters decides, so that a foreign name in it does not. The letters are those of each alphabet that its
/// neighbours in the list before and in Russian or Arabic lack.
const MARKS: &[(&str, usize, &str)] =
    &[("kk", 20, "әғқңұһ"), ("uk", 40, "їєґ"), ("ug", 20, "ېۈۋەڭۆۇ"), ("ur", 40, "ٹڈڑےںہھ"), ("fa", 40, "پچژگکی")];

/// Written Cantonese has words, and characters for them, that other written Chinese lacks.
const CANTONESE: &str = "嘅咗唔哋啲喺冇嚟嘢噉咁嗰佢睇攞搵揾啱嗌嘥瞓喎啩乜㗎畀嘞咩";

/// Languages that a message may well be in although the city does not serve them: the most spoken of each script.
/// Those with few speakers would cost more time than all others and are taken for one of these, which is as unserved.
const GREAT: &[Lang] = &[
    Lang::Eng,
    Lang::Spa,
    Lang::Por,
    Lang::Fra,
    Lang::Deu,
    Lang::Ita,
    Lang::Nld,
    Lang::Pol,
    Lang::Ron,
    Lang::Swe,
    Lang::Tur,
    Lang::Vie,
    Lang::Ind,
    Lang::Tgl,
    Lang::Rus,
    Lang::Ukr,
    Lang::Bul,
    Lang::Srp,
    Lang::Ara,
    Lang::Pes,
    Lang::Urd,
    Lang::Heb,
    Lang::Yid,
    Lang::Hin,
    Lang::Mar,
    Lang::Nep,
];

/// Languages that are often written without any letter beyond ASCII and resemble each other or a language that a city is likely
/// to serve. What is surely of none of these needs no look at the rest, which costs most of the time.
const PLAIN: &[Lang] = &[Lang::Eng, Lang::Nld, Lang::Deu, Lang::Ita, Lang::Por];

impl Languages {
    /// For these BCP 47 tags; Chinese text without a telling character counts as `default` if that is Chinese, else as simplified.
    #[must_use]
    pub fn new(allowed: &[String], default: &str) -> Self {
        let known: Vec<Lang> = allowed.iter().filter_map(|tag| lang_of(tag)).collect();
        Self {
            allowed: allowed.to_vec(),
            wide: Detector::with_allowlist(known.iter().chain(GREAT).copied().collect()),
            plain: Detector::with_allowlist(known.iter().chain(PLAIN).copied().collect()),
            detector: if known.is_empty() { Detector::new() } else { Detector::with_allowlist(known) },
            default_chinese: if default == "zh-Hant" { "zh-Hant" } else { "zh-Hans" },
        }
    }

    /// The language of a text as a BCP 47 tag of the allowlist, or `None` when unsure.
    #[must_use]
    pub fn detect(&self, text: &str) -> Option<String> {
        let text = letters_only(text);
        let counts = Counts::of(&text);
        let total = counts.total();
        if total == 0 {
            return None;
        }
        let tag = if counts.kana * 10 >= total && counts.kana > 0 {
            "ja"
        } else if counts.hangul * 2 > total {
            "ko"
        } else if counts.tibetan * 2 > total {
            "bo"
        } else if counts.mongolian * 2 > total {
            "mn-Mong"
        } else if counts.han * 3 >= total {
            // A Chinese sentence with a few Latin words is Chinese: a Han character carries as much as a word.
            self.chinese(&text)
        } else {
            return self.by_letters(&text);
        };
        self.allowed.iter().find(|allowed| *allowed == tag).cloned()
    }

    fn chinese(&self, text: &str) -> &'static str {
        if text.chars().any(|letter| CANTONESE.contains(letter)) && self.allowed.iter().any(|tag| tag == "yue") {
            return "yue";
        }
        let variants = &*VARIANTS;
        let simplified = text.chars().filter(|letter| variants.simplified.contains(*letter)).count();
        let traditional = text.chars().filter(|letter| variants.traditional.contains(*letter)).count();
        match simplified.cmp(&traditional) {
            std::cmp::Ordering::Greater => "zh-Hans",
            std::cmp::Ordering::Less => "zh-Hant",
            std::cmp::Ordering::Equal => self.default_chinese,
        }
    }

    fn by_letters(&self, text: &str) -> Option<String> {
        if !text.is_ascii()
            && let Some(tag) = marked(text)
        {
            return self.allowed.iter().find(|allowed| *allowed == tag).cloned();
        }
        if text.chars().filter(|letter| letter.is_alphabetic()).count() < 6 {
            return None;
        }
        let served = |lang| self.allowed.iter().find(|tag| lang_of(tag) == Some(lang)).cloned();
        if text.is_ascii()
            && let Some(tag) = self.plain.detect(text).filter(Info::is_reliable).and_then(|info| served(info.lang()))
        {
            return Some(tag);
        }
        // Judged without the allowlist first: a language the city does not serve must not be taken for one that it does.
        let free = self.wide.detect(text)?;
        if let Some(tag) = served(free.lang()) {
            return Some(tag);
        }
        if free.is_reliable() { None } else { served(self.detector.detect(text)?.lang()) }
    }
}

/// The language whose own letters a text uses.
fn marked(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let letters = lower.chars().filter(|letter| letter.is_alphabetic()).count();
    let count = |marks: &str| lower.chars().filter(|letter| marks.contains(*letter)).count();
    // Kazakh and Mongolian share ө and ү; only Kazakh has these others.
    let shared = count("өү");
    if shared > 0 && shared * 40 >= letters {
        return Some(if count("әғқңұһі") > 0 { "kk" } else { "mn" });
    }
    let found = MARKS.iter().find(|(_, one_in, marks)| {
        let count = count(marks);
        count > 0 && count * one_in >= letters
    });
    if let Some((tag, ..)) = found {
        return Some(tag);
    }
    // Kazakh and Ukrainian share і; only Kazakh has ы.
    let shared = count("і");
    (shared > 0 && shared * 40 >= letters).then(|| if lower.contains('ы') { "kk" } else { "uk" })
}

#[derive(Default)]
struct Counts {
    han: usize,
    kana: usize,
    hangul: usize,
    tibetan: usize,
    mongolian: usize,
    other: usize,
}

impl Counts {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for letter in text.chars() {
            match u32::from(letter) {
                0x4e00..=0x9fff | 0x3400..=0x4dbf | 0x2_0000..=0x3_ffff | 0xf900..=0xfaff => counts.han += 1,
                0x3040..=0x30ff | 0x31f0..=0x31ff => counts.kana += 1,
                0xac00..=0xd7af | 0x1100..=0x11ff | 0x3130..=0x318f => counts.hangul += 1,
                0x0f00..=0x0fff => counts.tibetan += 1,
                0x1800..=0x18af => counts.mongolian += 1,
                _ if letter.is_alphabetic() => counts.other += 1,
                _ => {}
            }
        }
        counts
    }

    const fn total(&self) -> usize {
        self.han + self.kana + self.hangul + self.tibetan + self.mongolian + self.other
    }
}

/// Drops addresses, which say nothing about the language of a text.
fn letters_only(text: &str) -> String {
    text.split_whitespace()
        .filter(|word| !word.contains("://") && !word.contains('@') && !word.starts_with("www."))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether texts in this language can be told from others, so that a city may list it.
#[must_use]
pub fn tells(tag: &str) -> bool {
    const BY_SCRIPT: [&str; 5] = ["yue", "zh-Hant", "bo", "mn-Mong", "mn"];
    lang_of(tag).is_some() || BY_SCRIPT.contains(&tag) || MARKS.iter().any(|(marked, ..)| *marked == tag)
}

fn lang_of(tag: &str) -> Option<Lang> {
    Some(match tag.split('-').next().unwrap_or(tag) {
        "ar" => Lang::Ara,
        "de" => Lang::Deu,
        "en" => Lang::Eng,
        "es" => Lang::Spa,
        "fa" => Lang::Pes,
        "fr" => Lang::Fra,
        "hi" => Lang::Hin,
        "id" => Lang::Ind,
        "it" => Lang::Ita,
        "ja" => Lang::Jpn,
        "ko" => Lang::Kor,
        "my" => Lang::Mya,
        "nl" => Lang::Nld,
        "pl" => Lang::Pol,
        "pt" => Lang::Por,
        "ru" => Lang::Rus,
        "th" => Lang::Tha,
        "tr" => Lang::Tur,
        "uk" => Lang::Ukr,
        "ur" => Lang::Urd,
        "vi" => Lang::Vie,
        "zh" => Lang::Cmn,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let tags = ["zh-Hans", "zh-Hant", "en", "ru", "ja", "ko"].map(str::to_owned);
        let languages = Languages::new(&tags, "zh-Hans");
        for (text, expected) in [
            ("小区东门的路灯坏了三天了", Some("zh-Hans")),
            ("小區東門的路燈壞了三天了", Some("zh-Hant")),
            ("你好", Some("zh-Hans")),
            ("The streetlight at the east gate has been out for three days.", Some("en")),
            ("路灯坏了 see https://example.org/very/long/address/in/latin", Some("zh-Hans")),
            ("Уже три дня не горит фонарь у восточных ворот", Some("ru")),
            ("街灯が三日間ついていません", Some("ja")),
            ("가로등이 고장났습니다", Some("ko")),
            ("Le lampadaire de la porte est est en panne depuis trois jours", None),
            ("12345", None),
            ("ok", None),
            ("", None),
        ] {
            assert_eq!(languages.detect(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_told_can_be_listed() {
        let defaults = crate::config::Layers::defaults();
        let config = crate::config::Config::read(defaults, true).expect("defaults");
        let listed = config.city.languages.iter().map(String::as_str);
        for tag in listed.chain(["zh-Hans", "mn-Mong", "uk", "pt-BR"]) {
            assert!(tells(tag), "{tag}");
        }
        assert!(!tells("xx-notalang") && !tells("za"));
    }

    #[test]
    fn letters_of_their_own() {
        let tags = ["zh-Hans", "zh-Hant", "yue", "kk", "mn", "ru", "ug", "ar", "en"].map(str::to_owned);
        let languages = Languages::new(&tags, "zh-Hans");
        for (text, expected) in [
            ("條街嘅路燈壞咗，冇人理", Some("yue")),
            ("企业的路灯坏了", Some("zh-Hans")),
            ("Көше шамы үш күн бойы жанбайды, қашан жөнделеді?", Some("kk")),
            ("Гудамжны гэрэл гурав хоног асахгүй байна", Some("mn")),
            ("Вуличний ліхтар не горить уже три дні", None),
            ("На улице Қазақ третий день не горит фонарь, и никто не приезжает его чинить", Some("ru")),
            ("چراغ خیابان سه روز است خاموش است", None),
        ] {
            assert_eq!(languages.detect(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ambiguous_chinese_follows_the_city() {
        let tags = ["zh-Hans", "zh-Hant"].map(str::to_owned);
        assert_eq!(Languages::new(&tags, "zh-Hant").detect("你好").as_deref(), Some("zh-Hant"));
    }
}
