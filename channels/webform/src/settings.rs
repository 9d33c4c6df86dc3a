//! The account's section of the configuration.

use channel_contract::Medium;
use serde::Deserialize;

/// One web form. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Longest description, in characters; line ends count as one.
    pub max_text_chars: usize,
    /// Longest place, in characters.
    pub max_place_chars: usize,
    /// Longest name, in characters.
    pub max_name_chars: usize,
    /// How many photos may come along.
    pub max_photos: usize,
    /// Largest photo, in bytes.
    pub max_photo_bytes: usize,
    /// Media types of photos, in lower case.
    pub photo_types: Vec<String>,
    /// Media by which a citizen may have the answer sent; it waits on the tracking page in any case.
    pub answer_channels: Vec<Medium>,
    /// Region (ISO 3166-1 alpha-2) whose telephone numbers need no country code.
    pub region: String,
    /// A form with a web address in it that is sent faster than this after it was shown looks like spam, in seconds;
    /// 0 switches the hint off.
    pub spam_min_seconds: i64,
    /// A description with more web addresses than this looks like spam.
    pub spam_max_links: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_text_chars: 2000,
            max_place_chars: 200,
            max_name_chars: 60,
            max_photos: 3,
            max_photo_bytes: 10 * 1024 * 1024,
            photo_types: ["image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/heif"]
                .map(str::to_owned)
                .to_vec(),
            answer_channels: vec![Medium::Sms, Medium::Email, Medium::Phone],
            region: "CN".to_owned(),
            spam_min_seconds: 2,
            spam_max_links: 3,
        }
    }
}

impl Settings {
    /// Every problem, each as `key: what is wrong`.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.max_text_chars == 0 {
            problems.push("max_text_chars: has to be at least 1".to_owned());
        }
        for medium in &self.answer_channels {
            if !matches!(medium, Medium::Sms | Medium::Email | Medium::Phone) {
                problems.push(format!("answer_channels: nobody can type in an address of {medium}"));
            }
        }
        if self.region.parse::<phonenumber::country::Id>().is_err() {
            problems.push(format!("region: {:?} is not a region of ISO 3166-1", self.region));
        }
        problems
    }
}
