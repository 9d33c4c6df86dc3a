//! Why an appeal did not go to a department: which rules would have led there, what they lacked, and how many points.

use std::fmt;

use serde::Serialize;

use crate::calendar::WEEKDAYS;
use crate::condition::{Condition, Fact, Group, Known, Truth};
use crate::course::{Course, Scratch, with_rules};
use crate::decision::{Effect, Field, Phase};
use crate::facts::Facts;
use crate::finds::{Reading, SUBJECT, TEXT};
use crate::rule::Rule;
use crate::ruleset::RuleSet;
use crate::voice::LearnedContrast;

/// Rules that are shown, those that lack least first.
const MOST_RULES: usize = 8;
/// Items that are shown, those that lack fewest points first.
const MOST_ITEMS: usize = 5;
/// Phrases of a list that are shown.
const MOST_PHRASES: usize = 6;

/// Why an appeal did not go to a department, or why it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhyNot {
    /// The department that was asked for.
    pub department: String,
    /// Whether the appeal goes there.
    pub goes_there: bool,
    /// The item that the citizen chose, when that decided.
    pub chosen: Option<String>,
    /// Items that would lead there in this district, those that lack fewest points first.
    pub items: Vec<ItemShort>,
    /// Rules that would have led there and did not fire, those that lack least first.
    pub silent: Vec<SilentRule>,
    /// Rules that fired and named another department themselves.
    pub overruled_by: Vec<String>,
    /// What learned phrases say of the items that would lead there; `None` when the pack has none, or the text has nothing.
    pub learned: Option<LearnedContrast>,
}

/// How far an item is from deciding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemShort {
    /// Its id.
    pub item: String,
    /// Its score.
    pub score: f64,
    /// What it lacks to reach the threshold and to lead the best other item by the margin; 0 when it decides.
    pub missing: f64,
}

/// A rule that did not fire.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SilentRule {
    /// Its id.
    pub rule: String,
    /// The pack file.
    pub file: String,
    /// The line it begins at.
    pub line: usize,
    /// The item that it speaks for, if it is one that recognises.
    pub item: Option<String>,
    /// What it would have added.
    pub weight: f64,
    /// What did not hold.
    pub missing: Vec<Missing>,
}

/// A condition that did not hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Missing {
    /// None of these phrases is there.
    Phrases {
        /// The phrases, at most six.
        any: Vec<String>,
        /// How many more there are.
        more: usize,
        /// Where they are looked for, when not in both subject and text.
        field: Option<Field>,
    },
    /// Phrases of these lists do not stand near each other.
    Near {
        /// The lists, at most six phrases of each.
        lists: Vec<Vec<String>>,
    },
    /// A regular expression does not match.
    Expression {
        /// As the pack has it.
        expression: String,
    },
    /// A fact is another one.
    Fact {
        /// Its name in packs.
        fact: &'static str,
        /// What it should be, in the words of packs.
        wanted: Vec<String>,
        /// What it is; `None` when it is not known.
        found: Option<String>,
    },
    /// Something is there that must not be.
    Unwanted {
        /// The phrases or facts.
        there: Vec<String>,
    },
    /// A fact is not known, and what is unknown fires no rule.
    Unknown,
    /// None of these holds.
    OneOf {
        /// The alternatives.
        parts: Vec<Missing>,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrases { any, more, field } => {
                let place = match field {
                    Some(Field::Subject) => "the subject",
                    Some(_) => "the text",
                    None => "subject or text",
                };
                let more = if *more > 0 { format!(" or {more} more") } else { String::new() };
                let any = any.join("», «");
                write!(formatter, "«{any}»{more} in {place}")
            }
            Self::Near { lists } => {
                let lists: Vec<String> = lists.iter().map(|list| format!("«{}»", list.join("», «"))).collect();
                write!(formatter, "close together: {}", lists.join(" and "))
            }
            Self::Expression { expression } => write!(formatter, "the expression /{expression}/"),
            Self::Fact { fact, wanted, found } => {
                let wanted = wanted.join(" or ");
                let found = found.as_deref().map_or_else(|| "not known".to_owned(), |found| format!("\"{found}\""));
                write!(formatter, "{fact} {wanted} (it is {found})")
            }
            Self::Unwanted { there } => write!(formatter, "without {}", there.join(", ")),
            Self::Unknown => formatter.write_str("a fact that is not known"),
            Self::OneOf { parts } => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(formatter, "either {}", parts.join("; or "))
            }
        }
    }
}

impl RuleSet {
    /// Why an appeal did not go to a department. `None` when there is no such department.
    #[must_use]
    pub fn why_not(&self, facts: &Facts<'_>, department: &str) -> Option<WhyNot> {
        let department = self.department(department)?.id.as_str();
        let reading = Reading::new(facts);
        Some(Scratch::lend(|scratch| {
            let course = self.run(facts, &reading, scratch, Phase::Decorate);
            self.contrast(facts, &reading, scratch, &course, department)
        }))
    }

    fn contrast(
        &self,
        facts: &Facts<'_>,
        reading: &Reading<'_>,
        scratch: &Scratch,
        course: &Course<'_>,
        department: &str,
    ) -> WhyNot {
        let leads = |item: &str| self.pack.department_for(item, course.district) == Some(department);
        let by_catalogue = course.item.ok().and_then(|item| self.pack.department_for(item, course.district));
        let goes = match course.department {
            Some(said) => said.ok(),
            None => by_catalogue,
        };
        let places: Vec<u32> = course.places.iter().map(|(hit, _)| hit.pattern).collect();
        let known = Known {
            reading,
            finds: &scratch.finds,
            expressions: &self.expressions,
            facts,
            places: &places,
            district: course.district,
            kind: Some(course.kind),
            item: course.item.ok(),
            department: course.item.ok().and(goes),
            priority: Some(course.priority),
            tags: &[],
            emergency: false,
            confidential: false,
        };
        let fired: Vec<u32> = scratch.fired.iter().map(|fired| fired.rule).collect();
        let mut silent: Vec<(usize, SilentRule)> = (0_u32..)
            .zip(&self.rules)
            .filter(|(at, _)| !fired.contains(at))
            .filter_map(|(_, rule)| {
                let item = rule.info.effects.iter().find_map(|effect| match effect {
                    Effect::Item(item) if leads(item) => Some(item.clone()),
                    _ => None,
                });
                if item.is_none() && !rule.info.effects.iter().any(|effect| said(effect) == Some(department)) {
                    return None;
                }
                let (missing, held) = self.lacks(rule, &known);
                let silent = SilentRule {
                    rule: rule.info.id.clone(),
                    file: rule.info.file.clone(),
                    line: rule.info.line,
                    item,
                    weight: rule.info.weight,
                    missing,
                };
                // Whatever partly holds is nearer than what has nothing of it.
                Some((silent.missing.len() * 2 - usize::from(held), silent))
            })
            .collect();
        let score = |item: &str| course.scores.ranked.iter().find(|(own, _)| *own == item).map_or(0.0, |(_, own)| *own);
        silent.sort_by(|(lack, one), (other_lack, other)| {
            let scored = |rule: &SilentRule| rule.item.as_deref().map_or(0.0, score);
            lack.cmp(other_lack)
                .then(scored(other).total_cmp(&scored(one)))
                .then(other.weight.total_cmp(&one.weight))
                .then(one.rule.cmp(&other.rule))
        });
        silent.truncate(MOST_RULES);
        let silent: Vec<SilentRule> = silent.into_iter().map(|(_, rule)| rule).collect();
        let overruled_by = with_rules(&self.rules, &scratch.fired)
            .filter(|(rule, _)| rule.info.effects.iter().filter_map(said).any(|said| said != department))
            .map(|(rule, _)| rule.info.id.clone())
            .collect();
        WhyNot {
            department: department.to_owned(),
            goes_there: course.item.is_ok() && goes == Some(department),
            chosen: course.chosen.map(ToOwned::to_owned),
            items: self.shortfalls(course, &silent, &leads),
            silent,
            overruled_by,
            learned: self.learned().and_then(|learned| LearnedContrast::of(learned, reading, &leads, MOST_ITEMS)),
        }
    }

    fn shortfalls(&self, course: &Course<'_>, silent: &[SilentRule], leads: &dyn Fn(&str) -> bool) -> Vec<ItemShort> {
        let settings = &self.pack.settings;
        let ranked = &course.scores.ranked;
        let mut items: Vec<&str> = ranked.iter().map(|(item, _)| *item).filter(|item| leads(item)).collect();
        for item in silent.iter().filter_map(|rule| rule.item.as_deref()) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        let mut short: Vec<ItemShort> = items
            .into_iter()
            .map(|item| {
                let score = ranked.iter().find(|(own, _)| *own == item).map_or(0.0, |(_, own)| *own);
                let best_other = ranked.iter().filter(|(own, _)| *own != item).map(|(_, own)| *own).next();
                let lead = best_other.map_or(0.0, |other| other + settings.margin - score);
                let missing = lead.max(settings.threshold - score).max(0.0);
                let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
                ItemShort { item: item.to_owned(), score: rounded(score), missing: rounded(missing) }
            })
            .collect();
        short.sort_by(|one, two| one.missing.total_cmp(&two.missing).then(one.item.cmp(&two.item)));
        short.truncate(MOST_ITEMS);
        short
    }

    /// What a rule lacks, and whether anything of it holds.
    fn lacks(&self, rule: &Rule, known: &Known<'_>) -> (Vec<Missing>, bool) {
        // What a phase sets is not known before it.
        let known = match rule.info.phase {
            Phase::Guard => Known { kind: known.facts.kind, item: None, department: None, priority: None, ..*known },
            Phase::Recognise => Known { kind: known.facts.kind, item: None, department: None, ..*known },
            Phase::Route | Phase::Decorate => *known,
        };
        let mut missing = Vec::new();
        self.collect(&rule.condition, &known, &mut missing);
        let mut finds = Vec::new();
        if let Condition::All(parts) = &rule.condition {
            parts
                .iter()
                .filter(|part| part.holds(&known) == Truth::Yes)
                .for_each(|part| part.because(&known, &mut finds));
        }
        (missing, !finds.is_empty())
    }

    fn written_of(&self, group: &Group) -> (Vec<String>, usize) {
        let written: Vec<&str> = group.any.iter().filter_map(|pattern| self.written(*pattern)).collect();
        let more = written.len().saturating_sub(MOST_PHRASES);
        (written.into_iter().take(MOST_PHRASES).map(ToOwned::to_owned).collect(), more)
    }

    /// Adds what of a condition does not hold; nothing when it does.
    fn collect(&self, condition: &Condition, known: &Known<'_>, missing: &mut Vec<Missing>) {
        if condition.holds(known) == Truth::Yes {
            return;
        }
        match condition {
            Condition::Phrases(group) => {
                let (any, more) = self.written_of(group);
                let field = match group.mask {
                    mask if mask == 1 << SUBJECT => Some(Field::Subject),
                    mask if mask == 1 << TEXT => Some(Field::Text),
                    _ => None,
                };
                missing.push(Missing::Phrases { any, more, field });
            }
            Condition::Expression { index, .. } => {
                let written = self.expressions.get(*index as usize).map(|expression| expression.written.clone());
                missing.push(Missing::Expression { expression: written.unwrap_or_default() });
            }
            Condition::Near { groups, .. } => {
                let lists = groups.iter().map(|group| self.written_of(group).0).collect();
                missing.push(Missing::Near { lists });
            }
            Condition::All(parts) => parts.iter().for_each(|part| self.collect(part, known, missing)),
            Condition::Any(parts) => {
                let mut alternatives = Vec::new();
                parts.iter().for_each(|part| self.collect(part, known, &mut alternatives));
                match alternatives.len() {
                    0 => {}
                    1 => missing.append(&mut alternatives),
                    _ => missing.push(Missing::OneOf { parts: alternatives }),
                }
            }
            Condition::Not(inner) => missing.push(self.unwanted(inner, known)),
            Condition::Fact(fact) => missing.push(self.fact(fact, known)),
            Condition::Known(_) => missing.push(Missing::Unknown),
        }
    }

    fn unwanted(&self, inner: &Condition, known: &Known<'_>) -> Missing {
        if inner.holds(known) != Truth::Yes {
            return Missing::Unknown;
        }
        let mut finds = Vec::new();
        inner.because(known, &mut finds);
        let mut there: Vec<String> =
            finds.iter().filter_map(|hit| self.written(hit.pattern)).map(|written| format!("«{written}»")).collect();
        there.sort();
        there.dedup();
        there.truncate(MOST_PHRASES);
        if there.is_empty() {
            self.facts_within(inner, known, &mut there);
        }
        Missing::Unwanted { there }
    }

    /// The facts that make a condition hold.
    fn facts_within(&self, condition: &Condition, known: &Known<'_>, there: &mut Vec<String>) {
        match condition {
            Condition::Fact(fact) if condition.holds(known) == Truth::Yes => {
                if let Missing::Fact { fact, wanted, .. } = self.fact(fact, known) {
                    there.push(format!("{fact} {}", wanted.join(" or ")));
                }
            }
            Condition::Any(parts) | Condition::All(parts) => {
                parts.iter().for_each(|part| self.facts_within(part, known, there));
            }
            _ => {}
        }
    }

    fn fact(&self, fact: &Fact, known: &Known<'_>) -> Missing {
        let facts = known.facts;
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        let clock = |minute: &u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let time = facts.local_time.map(|time| time.to_string());
        let yes = |wanted: bool| vec![if wanted { "yes" } else { "no" }.to_owned()];
        let (fact, wanted, found) = match fact {
            Fact::Language(list) => ("language", list.clone(), own(facts.language)),
            Fact::Channel(list) => ("channel", list.clone(), own(facts.channel)),
            Fact::Account(list) => ("account", list.clone(), own(facts.account)),
            Fact::District(list) => ("district", list.clone(), own(known.district)),
            Fact::Street(list) => {
                let written = list.iter().filter_map(|pattern| self.written(*pattern));
                ("street", written.take(MOST_PHRASES).map(ToOwned::to_owned).collect(), own(facts.street))
            }
            Fact::Kind(list) => {
                ("kind", list.iter().map(ToString::to_string).collect(), known.kind.map(|kind| kind.to_string()))
            }
            Fact::CitizenKind(list) => (
                "citizen_kind",
                list.iter().map(|kind| kind.as_str().to_owned()).collect(),
                facts.citizen_kind.map(|kind| kind.as_str().to_owned()),
            ),
            Fact::Attachments(wanted) => {
                ("attachments", yes(*wanted), facts.attachments.map(|count| count.to_string()))
            }
            Fact::OpenTickets(least) => (
                "open_tickets",
                vec![format!("at least {least}")],
                facts.sender.map(|sender| sender.open_tickets.to_string()),
            ),
            Fact::Repeats { within_days, at_least } => (
                "repeats",
                vec![format!("at least {at_least} within {within_days} days")],
                facts.sender.map(|sender| sender.earlier_days.len().to_string()),
            ),
            Fact::Time(spans) => {
                ("time", spans.iter().map(|(from, until)| format!("{}-{}", clock(from), clock(until))).collect(), time)
            }
            Fact::Weekday(days) => ("weekday", days_of(days), time),
            Fact::Dates { from, until } => {
                let end = |date: &Option<chrono::NaiveDate>| date.map_or_else(String::new, |date| date.to_string());
                ("date", vec![format!("{} to {}", end(from), end(until))], time)
            }
            Fact::Item(list) => ("item", list.clone(), own(known.item)),
            Fact::Department(list) => ("department", list.clone(), own(known.department)),
            Fact::Priority(list) => (
                "priority",
                list.iter().map(ToString::to_string).collect(),
                known.priority.map(|priority| priority.to_string()),
            ),
            Fact::Tags(list) => ("tags", list.clone(), Some(known.tags.join(", "))),
            Fact::Emergency(wanted) => ("emergency", yes(*wanted), Some(yes(known.emergency).concat())),
            Fact::Confidential(wanted) => ("confidential", yes(*wanted), Some(yes(known.confidential).concat())),
        };
        Missing::Fact { fact, wanted, found }
    }
}

/// The department that an effect names.
fn said(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Department(id) => Some(id),
        _ => None,
    }
}

/// The words of weekdays.
fn days_of(days: &[chrono::Weekday]) -> Vec<String> {
    WEEKDAYS.iter().filter(|(_, day)| days.contains(day)).map(|(word, _)| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    fn rules() -> RuleSet {
        rules_with(Vec::new())
    }

    fn rules_with(more: Vec<SourceFile>) -> RuleSet {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let hours = "{ low = 1, normal = 1, high = 1, urgent = 1 }";
        let kinds = ["inquiry", "help", "complaint", "report", "suggestion", "praise", "invalid"];
        let deadlines: String = kinds.iter().map(|kind| format!("{kind} = {hours}\n")).collect();
        let rule = |id: &str, item: &str, when: &str| {
            format!(
                "[[rule]]\nid = \"{id}\"\nreason = \"t\"\nweight = 2\nwhen = {{ {when} }}\nthen = {{ item = \"{item}\" }}\n\n"
            )
        };
        let files = [
            file(
                "pack.toml",
                &format!(
                    "id = \"t\"\nnames = {{ zh-Hans = \"测\", en = \"t\" }}\ndefault_language = \"en\"\nthreshold = 2\nmargin = 0.5\n\
                     subject_factor = 1\nphrase_bonus = 0\ndefault_kind = \"help\"\ndefault_priority = \"normal\"\n[deadlines]\n{deadlines}"
                ),
            ),
            file(
                "departments.toml",
                "[[department]]\nid = \"lights\"\nnames = { zh-Hans = \"灯\", en = \"Lights\" }\nlevel = \"city\"\n\
                 [[department]]\nid = \"waste\"\nnames = { zh-Hans = \"废\", en = \"Waste\" }\nlevel = \"city\"\n",
            ),
            file("districts.toml", "district = []\n"),
            file(
                "items/all.toml",
                "[[group]]\nid = \"city\"\nnames = { zh-Hans = \"市\", en = \"City\" }\n\
                 [[item]]\nid = \"city.lamp\"\nnames = { zh-Hans = \"灯\", en = \"Lamp\" }\n\
                 [[item]]\nid = \"city.bin\"\nnames = { zh-Hans = \"桶\", en = \"Bin\" }\n",
            ),
            file(
                "catalogue.toml",
                "[[route]]\nitem = \"city.lamp\"\ndepartment = \"lights\"\n[[route]]\nitem = \"city.bin\"\ndepartment = \"waste\"\n",
            ),
            file(
                "rules/all.toml",
                &(rule("lamp", "city.lamp", "any = [\"lamp\"]")
                    + &rule("bin", "city.bin", "any = [\"bin\"], none = [\"cabinet\"], channel = [\"sms\"]")
                    + &rule("smell", "city.bin", "all = [\"smell\", \"waste\"]")
                    + &rule("rats", "city.bin", "any = [\"rats\"], language = [\"zh\"]")),
            ),
        ];
        let tests = |file: &SourceFile| SourceFile {
            path: file.path.clone(),
            text: file.text.replace(" }\n\n", " }\ntests = [{ text = \"x\", fires = false }]\n\n"),
        };
        RuleSet::compile(&files.iter().map(tests).chain(more).collect::<Vec<_>>())
            .unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    #[test]
    fn it_tells_which_rules_lacked_what_and_how_many_points() {
        let rules = rules();
        let mut facts = Facts::of_text("the lamp over the bin in the cabinet smells", "email");
        facts.language = Some("en");
        let why = rules.why_not(&facts, "waste").expect("a department");
        assert!(!why.goes_there);
        assert_eq!(why.items, [ItemShort { item: "city.bin".to_owned(), score: 0.0, missing: 2.5 }]);
        let told: Vec<(&str, Vec<String>)> = why
            .silent
            .iter()
            .map(|rule| (rule.rule.as_str(), rule.missing.iter().map(ToString::to_string).collect()))
            .collect();
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                ("bin", lines(&["channel sms (it is \"email\")", "without «cabinet»"])),
                ("rats", lines(&["language zh (it is \"en\")", "«rats» in subject or text"])),
                ("smell", lines(&["«smell» in subject or text", "«waste» in subject or text"])),
            ]
        );
        let why = rules.why_not(&facts, "lights").expect("a department");
        assert!(why.goes_there && why.items[0].missing == 0.0, "{why:?}");
        assert_eq!(rules.why_not(&facts, "nobody"), None);
        assert!(serde_json::to_string(&why).is_ok());
    }

    #[test]
    fn it_tells_which_learned_phrases_speak_for_the_department_and_how_far_short() {
        use crate::learn::{Example, Label, Options, learn};
        let examples: Vec<Example> = (0..60)
            .map(|at| {
                let (label, text) = [("city.lamp", "the street is dark"), ("city.bin", "the rubbish stinks")][at % 2];
                Example {
                    text: Some(format!("{text} {at}")),
                    label: Some(Label::Text(label.to_owned())),
                    ..Example::default()
                }
            })
            .collect();
        let rules = rules_with(learn(&examples, &Options::default(), &|_| ()).expect("learns").files);
        let facts = Facts::of_text("the street is dark and dark, and the rubbish", "sms");
        let learned = rules.why_not(&facts, "waste").expect("a department").learned.expect("phrases");
        assert_eq!(learned.best, "city.lamp");
        let [bin] = learned.items.as_slice() else { panic!("one item: {learned:?}") };
        assert!(bin.item == "city.bin" && bin.behind > 0.0, "{bin:?}");
        assert!((learned.score - bin.score - bin.behind).abs() < 1e-3, "{learned:?}");
        assert!(!bin.phrases.is_empty() && bin.phrases.iter().all(|phrase| phrase.share > 0.0), "{bin:?}");
        assert!(bin.phrases.iter().any(|phrase| "rubbish".starts_with(phrase.phrase.trim_matches('*'))), "{bin:?}");
        let own = rules.why_not(&facts, "lights").expect("a department").learned.expect("phrases");
        assert_eq!(own.items.iter().map(|item| item.behind).collect::<Vec<_>>(), [0.0]);
        assert_eq!(self::rules().why_not(&facts, "waste").expect("a department").learned, None);
    }
}
