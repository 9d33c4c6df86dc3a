//! Made-up rules and texts, the same in every run.

use routing_rules::{Facts, Reading, RuleSet, SourceFile};

/// Filler: everyday appeals made up for the engine's tests.
const EVERYDAY: &str = include_str!("../../../tests/it/everyday.tsv");
/// Characters of made-up phrases, common ones.
const CHARACTERS: &str = "水电气路灯桥门窗楼房墙屋树草花车站船港田井沟渠管线网塔厂店市街巷村镇校院馆场库站台票证卡钱税费款账单合同工人老少男女医药病床诊针茶饭菜油盐肉蛋奶米面糖酒烟火烧煤热冷风雨雪冰雷电光声响动静高低长短宽窄深浅新旧好坏开关进出上下左右前后东西南北早晚昼夜春夏秋冬年月日时分秒";
const CHANNELS: [&str; 6] = ["sms", "email", "telegram", "websocket", "webform", "phone"];
const DISTRICTS: [&str; 8] = ["east", "west", "north", "south", "harbour", "hill", "lake", "old-town"];

/// A small generator (SplitMix64), so that runs can be compared.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ value >> 31) % limit as u64) as usize
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        let at = self.below(list.len());
        &list[at]
    }
}

/// One rule: all of the lists, none of the last, on one of these channels or districts.
pub struct Rule {
    pub lists: Vec<Vec<String>>,
    pub none: Vec<String>,
    pub channels: Vec<&'static str>,
    pub districts: Vec<&'static str>,
}

/// One text with what is known of it.
pub struct Text {
    pub text: String,
    pub channel: &'static str,
    pub district: &'static str,
}

impl Text {
    pub fn facts(&self) -> Facts<'_> {
        Facts { district: Some(self.district), ..Facts::of_text(&self.text, self.channel) }
    }
}

/// The rules of one run.
pub struct Task {
    pub rules: Vec<Rule>,
}

impl Task {
    pub fn new(count: usize) -> Self {
        let characters: Vec<char> = CHARACTERS.chars().collect();
        let mut chance = Chance(count as u64);
        let phrase = |chance: &mut Chance| {
            // Real packs have few words of two characters and many longer ones.
            let length = *chance.pick(&[2, 3, 3, 4, 4, 4, 5]);
            (0..length).map(|_| *chance.pick(&characters)).collect::<String>()
        };
        let rules = (0..count)
            .map(|_| {
                let phrases: Vec<String> = (0..3 + chance.below(4)).map(|_| phrase(&mut chance)).collect();
                let (lists, none) = match chance.below(3) {
                    0 => (vec![phrases], vec![]),
                    1 => {
                        let (one, two) = phrases.split_at(phrases.len() / 2);
                        (vec![one.to_vec(), two.to_vec()], vec![])
                    }
                    _ => {
                        let (one, two) = phrases.split_at(phrases.len() - 1);
                        (vec![one.to_vec()], two.to_vec())
                    }
                };
                let (mut channels, mut districts) = (vec![], vec![]);
                match chance.below(4) {
                    0 => channels = (0..3).map(|_| *chance.pick(&CHANNELS)).collect(),
                    1 => districts = (0..4).map(|_| *chance.pick(&DISTRICTS)).collect(),
                    _ => {}
                }
                Rule { lists, none, channels, districts }
            })
            .collect();
        Self { rules }
    }

    /// Every phrase once.
    pub fn phrases(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.rules.iter().flat_map(|rule| rule.lists.iter().flatten().chain(&rule.none)).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Ten thousand texts, each with the phrases of some rules in it, so that two to ten rules match.
    pub fn texts(&self, rules: &RuleSet) -> Vec<Text> {
        let filler: Vec<&str> =
            EVERYDAY.lines().filter_map(|line| line.split_once('\t')).map(|(_, text)| text).filter(|text| !text.is_ascii()).collect();
        let mut chance = Chance(7);
        let mut texts = Vec::new();
        while texts.len() < 10_000 {
            let length = 60 + chance.below(341);
            let mut parts: Vec<String> = Vec::new();
            for _ in 0..3 + chance.below(4) {
                let rule = chance.pick(&self.rules);
                parts.extend(rule.lists.iter().map(|list| chance.pick(list).clone()));
            }
            while parts.iter().map(|part| part.chars().count() + 1).sum::<usize>() < length {
                let at = chance.below(parts.len() + 1);
                parts.insert(at, (*chance.pick(&filler)).to_owned());
            }
            let text: String = parts.join("，").chars().take(length).collect();
            let text = Text { text, channel: *chance.pick::<&str>(&CHANNELS), district: *chance.pick::<&str>(&DISTRICTS) };
            let facts = text.facts();
            if (2..=10).contains(&rules.firing(&facts, &Reading::new(&facts)).len()) {
                texts.push(text);
            }
        }
        texts
    }

    /// The rules as a pack.
    pub fn pack(&self) -> Vec<SourceFile> {
        let file = |path: String, text: String| SourceFile { path, text };
        let mut files = vec![
            file("pack.toml".to_owned(), PACK.to_owned()),
            file("items/all.toml".to_owned(), ITEMS.clone()),
            file("departments.toml".to_owned(), DEPARTMENTS.to_owned()),
            file("catalogue.toml".to_owned(), "[[route]]\nitem = \"roads\"\ndepartment = \"works\"\n".to_owned()),
            file("districts.toml".to_owned(), DISTRICTS.map(|id| format!("[[district]]\nid = \"{id}\"\nnames = {{ zh-Hans = \"Bezirk {id}\", en = \"District {id}\" }}\nplaces = [\"Square of {id}\"]\n")).concat()),
        ];
        let list = |phrases: &[String]| phrases.iter().map(|phrase| format!("\"{phrase}\"")).collect::<Vec<_>>().join(", ");
        let words = |words: &[&str]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        for (chunk, rules) in self.rules.chunks(500).enumerate() {
            let mut text = String::new();
            for (at, rule) in rules.iter().enumerate() {
                let id = chunk * 500 + at;
                text.push_str(&format!("[[rule]]\nid = \"rule-{id}\"\nreason = \"Made up.\"\nthen.item = \"roads.item-{}\"\ntests = [{{ text = \"x\", fires = false }}]\n", id % 50));
                match rule.lists.as_slice() {
                    [any] => text.push_str(&format!("when.any = [{}]\n", list(any))),
                    lists => {
                        let all: Vec<String> = lists.iter().map(|any| format!("{{ any = [{}] }}", list(any))).collect();
                        text.push_str(&format!("when.all = [{}]\n", all.join(", ")));
                    }
                }
                if !rule.none.is_empty() {
                    text.push_str(&format!("when.none = [{}]\n", list(&rule.none)));
                }
                if !rule.channels.is_empty() {
                    text.push_str(&format!("when.channel = [{}]\n", words(&rule.channels)));
                }
                if !rule.districts.is_empty() {
                    text.push_str(&format!("when.district = [{}]\n", words(&rule.districts)));
                }
            }
            files.push(file(format!("rules/{chunk}.toml"), text));
        }
        files
    }
}

const PACK: &str = r#"
id = "speed"
names = { zh-Hans = "速度", en = "Speed" }
default_language = "zh-Hans"
threshold = 1
margin = 1
subject_factor = 1
phrase_bonus = 0
default_kind = "help"
default_priority = "normal"
[deadlines]
inquiry = { low = 1, normal = 1, high = 1, urgent = 1 }
help = { low = 1, normal = 1, high = 1, urgent = 1 }
complaint = { low = 1, normal = 1, high = 1, urgent = 1 }
report = { low = 1, normal = 1, high = 1, urgent = 1 }
suggestion = { low = 1, normal = 1, high = 1, urgent = 1 }
praise = { low = 1, normal = 1, high = 1, urgent = 1 }
invalid = { low = 1, normal = 1, high = 1, urgent = 1 }
"#;

const DEPARTMENTS: &str = "[[department]]\nid = \"works\"\nlevel = \"city\"\nnames = { zh-Hans = \"市政\", en = \"Works\" }\n";

static ITEMS: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    let items: String = (0..50)
        .map(|at| format!("[[item]]\nid = \"roads.item-{at}\"\nnames = {{ zh-Hans = \"事项\", en = \"Item\" }}\n"))
        .collect();
    format!("[[group]]\nid = \"roads\"\nnames = {{ zh-Hans = \"道路\", en = \"Roads\" }}\n{items}")
});
