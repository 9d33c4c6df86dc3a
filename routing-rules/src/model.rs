//! What a pack describes: items, departments, districts, and the words for kinds, priorities and lawful routes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a citizen wants, its own axis beside the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppealKind {
    /// 咨询: asks how something is.
    Inquiry,
    /// 求助: wants something done.
    Help,
    /// 投诉: is wronged or dissatisfied.
    Complaint,
    /// 举报: tells of somebody's breach of law.
    Report,
    /// 建议: proposes something.
    Suggestion,
    /// 表扬: thanks.
    Praise,
    /// 无效: nothing can be done with it.
    Invalid,
}

impl AppealKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 7] =
        [Self::Inquiry, Self::Help, Self::Complaint, Self::Report, Self::Suggestion, Self::Praise, Self::Invalid];

    /// The word used in packs, the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inquiry => "inquiry",
            Self::Help => "help",
            Self::Complaint => "complaint",
            Self::Report => "report",
            Self::Suggestion => "suggestion",
            Self::Praise => "praise",
            Self::Invalid => "invalid",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl std::fmt::Display for AppealKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How pressing an appeal is; ordered, `Urgent` is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// The default.
    Normal,
    /// Many people or a risk.
    High,
    /// Danger now.
    Urgent,
}

impl Priority {
    /// Every priority, the least pressing first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The word used in packs, the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word)
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Who a citizen speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CitizenKind {
    /// 个人: for themselves.
    Individual,
    /// 企业: for an enterprise.
    Enterprise,
}

impl CitizenKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Individual, Self::Enterprise];

    /// The word used in packs and facts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Enterprise => "enterprise",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where the law sends a matter that a hotline may not take: a refusal (不予受理) always names one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LawfulRoute {
    /// 诉讼: before a court, or decided by one.
    Court,
    /// 仲裁: commercial or labour arbitration.
    Arbitration,
    /// 行政复议: against an administrative decision.
    AdministrativeReview,
    /// 信访: petition (letters and visits).
    Petition,
    /// 纪检监察: discipline and supervision of officials.
    Discipline,
    /// 政府信息公开: an application for information.
    InformationDisclosure,
    /// 公安: a crime, or a case the police already have.
    Police,
}

impl LawfulRoute {
    /// Every route.
    pub const ALL: [Self; 7] = [
        Self::Court,
        Self::Arbitration,
        Self::AdministrativeReview,
        Self::Petition,
        Self::Discipline,
        Self::InformationDisclosure,
        Self::Police,
    ];

    /// The word used in packs, the API and message catalogues.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Court => "court",
            Self::Arbitration => "arbitration",
            Self::AdministrativeReview => "administrative_review",
            Self::Petition => "petition",
            Self::Discipline => "discipline",
            Self::InformationDisclosure => "information_disclosure",
            Self::Police => "police",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.as_str() == word)
    }
}

/// Names by BCP 47 language; a compiled pack guarantees `zh-Hans` and `en`.
pub type Names = BTreeMap<String, String>;

/// One leaf of the published item list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Dot-separated, lower case: `roads.streetlight`.
    pub id: String,
    /// What people read.
    pub names: Names,
}

impl Item {
    /// The first segment of the id, which is the id of the item's [`Group`].
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }
}

/// A heading over items: the first segment of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The first segment of the ids of its items: `roads`.
    pub id: String,
    /// What people read.
    pub names: Names,
}

/// Where a department stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A bureau or company of the whole city.
    City,
    /// A district government or its bureau.
    District,
    /// A street office or town.
    Street,
    /// A section within any of them.
    Section,
}

impl Level {
    /// The word used in packs and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::District => "district",
            Self::Street => "street",
            Self::Section => "section",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::City, Self::District, Self::Street, Self::Section].into_iter().find(|level| level.as_str() == word)
    }
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// Lower case with hyphens: `water-bureau`.
    pub id: String,
    /// What people read.
    pub names: Names,
    /// The department above, if any; always one of the same pack, and there are no rings.
    pub parent: Option<String>,
    /// The district it works for; `None` for the whole city.
    pub district: Option<String>,
    /// Where it stands.
    pub level: Level,
}

/// A part of the city, with the names by which texts give it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct District {
    /// Lower case with hyphens.
    pub id: String,
    /// What people read; also found in texts.
    pub names: Names,
    /// The gazetteer: streets, estates and landmarks in any language. No place stands in two districts.
    pub places: Vec<String>,
}
