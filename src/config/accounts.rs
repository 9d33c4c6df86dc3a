//! `[channels.MEDIUM.ACCOUNT]`: the accounts. What a medium's keys mean is its own crate's matter; see [`Account::settings`].

use std::collections::{BTreeMap, BTreeSet};

use channel_contract::Medium;
use serde::de::DeserializeOwned;

use super::city::{identifier, language_tag};
use super::layer::Node;
use super::problem::{Origin, Problem};
use super::section::{Section, harmless};

/// One configured channel account.
#[derive(Clone)]
pub struct Account {
    /// Its id, unique in the installation: `a-z`, `0-9`, `-`, `_`.
    pub id: String,
    /// Its medium.
    pub medium: Medium,
    /// The language of answers on this account when the citizen's is unknown; `None` for the city's default.
    pub language: Option<String>,
    nodes: BTreeMap<String, Node>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys only: values may be secrets.
        formatter
            .debug_struct("Account")
            .field("id", &self.id)
            .field("medium", &self.medium)
            .field("keys", &self.nodes.keys())
            .finish()
    }
}

impl Account {
    /// The dotted path of a key of this account; of the account itself for an empty key.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        let dot = if key.is_empty() { "" } else { "." };
        format!("channels.{}.{}{dot}{key}", self.medium, self.id)
    }

    /// A key's text, if it is one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        match self.nodes.get(key)? {
            Node::Value(toml::Value::String(text), _) | Node::Value(_, Origin::Env { raw: text, .. }) => {
                Some(text.clone())
            }
            _ => None,
        }
    }

    /// A problem of this account, at the origin of `key` if it is there.
    #[must_use]
    pub fn problem(&self, key: &str, fault: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let origin = self.nodes.get(key).or_else(|| self.nodes.values().next()).map_or(Origin::Missing, Node::origin);
        Problem::new(origin, self.path(key), fault, remedy)
    }

    /// The account's keys as the settings of its medium.
    ///
    /// # Errors
    /// Every wrong key; see [`Self::read`].
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        match self.read() {
            (Some(settings), problems) if problems.is_empty() => Ok(settings),
            (_, problems) => Err(problems),
        }
    }

    /// The account's keys as the settings of its medium, without those that are wrong, and every problem of these; `None`
    /// when a key that must be there is wrong or missing.
    ///
    /// A type tells only its first error, so keys are left out one after the other: the one without which the error
    /// changes is the wrong one.
    pub fn read<T: DeserializeOwned>(&self) -> (Option<T>, Vec<Problem>) {
        let mut table: toml::Table = self.nodes.iter().map(|(key, node)| (key.clone(), node.plain())).collect();
        let mut problems = Vec::new();
        let mut removed = BTreeSet::new();
        loop {
            let error = match table.clone().try_into::<T>() {
                Ok(settings) => return (Some(settings), problems),
                Err(error) => error.message().to_owned(),
            };
            // Leaving out a right key changes nothing, unless another part of the settings hangs on it: then the error
            // speaks of its absence, which a wrong key's may do as well when the key is required.
            let without = |key: &str| {
                let mut table = table.clone();
                table.remove(key);
                error_of::<T>(table)
            };
            let named = |key: &str, error: &str| error.contains(&format!("`{key}`"));
            let changes = |key: &&String| without(key).as_ref() != Some(&error);
            let cures = |key: &&String| without(key).is_none_or(|other| other != error && !named(key, &other));
            let Some(culprit) = table.keys().find(cures).or_else(|| table.keys().find(changes)).cloned() else {
                // Nothing that is there is wrong, so something is missing; unless it is missing because it was wrong.
                if !removed.iter().any(|key: &String| named(key, &error)) {
                    problems.push(self.problem(
                        "",
                        harmless("", &error),
                        format!("See [{}] in the channel's README", self.path("")),
                    ));
                }
                return (None, problems);
            };
            // A text such as a secret of digits is TOML by chance when it comes from the environment.
            if let Some(Node::Value(value, Origin::Env { raw, .. })) = self.nodes.get(&culprit)
                && !value.is_str()
                && table.get(&culprit).is_some_and(|value| !value.is_str())
            {
                table.insert(culprit, toml::Value::String(raw.clone()));
                continue;
            }
            table.remove(&culprit);
            problems.push(match error.strip_prefix(&format!("unknown field `{culprit}`, expected ")) {
                Some(known) => {
                    let known = known.trim_start_matches("one of ").replace('`', "");
                    self.problem(&culprit, "is unknown", format!("Known here: {known}"))
                }
                None => self.problem(&culprit, harmless(&culprit, &error), "Correct or remove it"),
            });
            removed.insert(culprit);
        }
    }
}

fn error_of<T: DeserializeOwned>(table: toml::Table) -> Option<String> {
    table.try_into::<T>().err().map(|error| error.message().to_owned())
}

/// Every account, also those whose id is wrong or another's, so that their own problems are told as well.
pub(super) fn read(mut section: Section<'_>) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for (name, medium) in ["sms", "email", "telegram", "websocket", "webform"]
        .into_iter()
        .filter_map(|name| Some((name, Medium::parse(name)?)))
    {
        let mut of_medium = section.child(name);
        for (id, mut nodes) in of_medium.children() {
            let origin = nodes.values().next().map_or(Origin::Missing, Node::origin);
            let language = match nodes.remove("language") {
                Some(Node::Value(toml::Value::String(language), origin)) if !language.is_empty() => {
                    if !language_tag(&language) {
                        of_medium.wrong(
                            origin,
                            &format!("{id}.language"),
                            format!("{language:?} is no language"),
                            "Write a language such as zh-Hans",
                        );
                    }
                    Some(language)
                }
                Some(Node::Value(toml::Value::String(_), _)) | None => None,
                Some(node) => {
                    of_medium.wrong(
                        node.origin(),
                        &format!("{id}.language"),
                        "is not a text",
                        "Write a language such as zh-Hans",
                    );
                    None
                }
            };
            if let Err(fault) = identifier(&id) {
                of_medium.wrong(origin, &id, fault, "Name accounts with a-z, 0-9, - and _");
            } else if let Some(other) = accounts.iter().find(|other| other.id == id) {
                let fault = format!("is also an account of {}", other.medium);
                of_medium.wrong(origin, &id, fault, "Account ids are unique in an installation: rename one");
            }
            accounts.push(Account { id, medium, language, nodes });
        }
    }
    section.finish();
    accounts
}
