//! What the engine answers, and how it came to it.

use serde::{Deserialize, Serialize};

use crate::facts::Inputs;
use crate::learned::LearnedTrace;
use crate::model::{AppealKind, LawfulRoute, Priority};

/// What becomes of an appeal. The same facts with the same rule set and engine version give an equal decision.
///
/// Invariants: with [`DecidedBy::Rule`] and [`DecidedBy::Learned`] both `item` and `department` are there and `reason` is not; with
/// [`DecidedBy::Abstain`] neither is, `reason` is there, and a person decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The service item.
    pub item: Option<String>,
    /// The lead department.
    pub department: Option<String>,
    /// Departments that assist, sorted, without the lead.
    pub assisting: Vec<String>,
    /// What the citizen wants; the pack's default where no rule says.
    pub kind: AppealKind,
    /// How pressing it is; the pack's default where no rule says.
    pub priority: Priority,
    /// Elapsed hours from dispatch: what a rule says, else the pack's table by kind and priority.
    pub deadline_hours: u32,
    /// Tags that rules set, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The hotline may not take this matter, and the law names this route. Then the engine abstains: a person confirms
    /// the refusal before the citizen is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse: Option<LawfulRoute>,
    /// The reply template that a rule proposes to whoever answers; an id of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_template: Option<String>,
    /// Where it would have gone, when a rule holds or refuses what was otherwise clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// Where, if the facts or the gazetteer say it clearly.
    pub district: Option<String>,
    /// Whether the citizen asks to stay unnamed.
    pub confidential: bool,
    /// Numbers to name to the citizen at once (`110`, `119`, `120`), sorted; empty when there is no emergency.
    pub emergency: Vec<String>,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// Why the engine abstains.
    pub reason: Option<AbstainReason>,
    /// 0 to 1, the chance that the best candidate is right, comparable between decisions: 1 for a chosen item; for rules
    /// [`crate::RuleInfo::confidence`] of the one that added most to the item; for learned phrases their calibrated
    /// score; 0 when nothing names an item. An item that is short of the threshold or of the margin counts for less, in
    /// proportion.
    pub confidence: f64,
    /// Candidates, best first, at most five; ties in order of id. There also when the engine abstains.
    pub ranked: Vec<Ranked>,
    /// How it came about.
    pub trace: Trace,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A rule written by people, or the citizen's own choice on the form.
    Rule,
    /// Phrases learned from a city's own history.
    Learned,
    /// Nobody yet: it goes to triage.
    Abstain,
}

impl DecidedBy {
    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Learned => "learned",
            Self::Abstain => "abstain",
        }
    }
}

/// Why the engine leaves an appeal to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbstainReason {
    /// No rule named an item, or none strongly enough.
    NoRule,
    /// Two items, or two departments, are too close to each other.
    ThinMargin,
    /// The engine failed on this appeal; used by the caller, which knows of the failure.
    RuleError,
    /// The catalogue has no department for this item and district.
    NoDepartment,
    /// A rule asks for a person.
    Hold,
    /// A rule names the lawful route of a refusal, which a person confirms.
    Refuse,
    /// The caller lets a person decide without seeing what was decided here, to measure how often it is right.
    Unseen,
}

impl AbstainReason {
    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::ThinMargin => "thin_margin",
            Self::RuleError => "rule_error",
            Self::NoDepartment => "no_department",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
            Self::Unseen => "unseen",
        }
    }
}

/// Where an appeal would have gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The item.
    pub item: String,
    /// The lead department.
    pub department: String,
}

/// A candidate item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its id.
    pub item: String,
    /// The sum of the weights of the rules that fired for it.
    pub score: f64,
}

/// How a decision came about; small enough to be kept with each ticket. Only what fired is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The version of this crate.
    pub engine_version: String,
    /// [`crate::RuleSet::version`].
    pub rule_set: String,
    /// What was known when it was judged, but for the texts.
    #[serde(default)]
    pub inputs: Inputs,
    /// The item that the citizen chose, when that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The rules that fired, in order of phase, then of id.
    pub hits: Vec<RuleHit>,
    /// What learned phrases said, where the pack has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedTrace>,
    /// The best score less the runner-up's; equal to the best score when there is no runner-up.
    pub margin: f64,
    /// The margin below which the engine abstains.
    pub needed_margin: f64,
    /// The score below which the engine abstains.
    pub threshold: f64,
    /// Place names found, in order of field and position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub districts: Vec<PlaceHit>,
    /// Single-valued actions on which equally strong rules disagreed, so that none of them counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
}

/// One rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleHit {
    /// The rule's id.
    pub rule: String,
    /// The pack file it stands in.
    pub file: String,
    /// The weight it counted with: the rule's own, times the pack's subject factor and phrase bonus where they apply.
    pub weight: f64,
    /// Its phase.
    pub phase: Phase,
    /// What it said.
    pub effects: Vec<Effect>,
    /// The phrases that made it fire, in order of field and position, at most eight; a shorter one after a longer one that begins with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<PhraseHit>,
}

/// When a rule is asked. Facts that a phase sets are read only by later phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Emergencies, confidentiality, what must not be judged by a machine.
    Guard,
    /// Which item, which kind.
    Recognise,
    /// Which department, where the catalogue is not enough.
    Route,
    /// Priority and whatever else hangs on the item.
    Decorate,
}

impl Phase {
    /// The phases in their order.
    pub const ALL: [Self; 4] = [Self::Guard, Self::Recognise, Self::Route, Self::Decorate];

    /// The word used in packs and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Recognise => "recognise",
            Self::Route => "route",
            Self::Decorate => "decorate",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// One action of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Speaks for an item, with the rule's weight.
    Item(String),
    /// Sets the kind.
    Kind(AppealKind),
    /// Sets the lead department instead of the catalogue.
    Department(String),
    /// Adds assisting departments.
    Assisting(Vec<String>),
    /// Sets the priority.
    Priority(Priority),
    /// Names emergency numbers and alarms the live agents.
    Emergency(Vec<String>),
    /// Keeps the citizen unnamed.
    Confidential,
    /// Leaves the appeal to a person.
    Hold,
    /// Sets the deadline, in elapsed hours from dispatch.
    Deadline(u32),
    /// Adds tags.
    Tags(Vec<String>),
    /// The hotline may not take it; the law names this route.
    Refuse(LawfulRoute),
    /// Proposes a reply template.
    Reply(String),
}

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The subject.
    Subject,
    /// The text.
    Text,
    /// The place on the form; only searched by the gazetteer.
    Place,
    /// The street field of the form; only searched by the gazetteer.
    Street,
}

/// A phrase in the citizen's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhraseHit {
    /// The phrase as the pack has it.
    pub phrase: String,
    /// Where it was found.
    pub field: Field,
    /// First character (Unicode scalar values from 0) in the original text of that field.
    pub start: usize,
    /// Past the last character.
    pub end: usize,
}

/// A place name in the citizen's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceHit {
    /// The district it stands in.
    pub district: String,
    /// The name as the gazetteer has it.
    pub place: String,
    /// Where it was found.
    pub field: Field,
    /// First character in the original text of that field.
    pub start: usize,
    /// Past the last character.
    pub end: usize,
}

/// Equally strong rules that disagreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What they disagreed on: `kind`, `priority`, `department`, `deadline`, `refuse`, `reply`.
    pub value: String,
    /// The rules, sorted.
    pub rules: Vec<String>,
}
