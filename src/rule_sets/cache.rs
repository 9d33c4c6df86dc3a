//! What loading makes of learned phrases, kept in the data folder so that a rule set of the database is ready at once.
//!
//! Only a saving of time: each file is named by the hash of the texts it was made of and holds that hash, so that one that is
//! missing, for other texts or broken is made again. The rows of the database stay the truth.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use routing_rules::{Learned, Problem, RuleSet, SourceFile};

use crate::config::rules::keep;

/// Files that are kept: what decides, what decided before, and what is tried meanwhile.
const MOST_FILES: usize = 4;

/// The folder of these files.
#[derive(Debug, Clone)]
pub struct Caches {
    folder: PathBuf,
}

impl Caches {
    /// Those of a data folder. Nothing is made before it is needed.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join("learned-cache") }
    }

    /// Compiles a pack, with what was kept for its learned phrases or keeping it for the next time.
    ///
    /// # Errors
    /// As [`RuleSet::compile`]; a folder that cannot be written to only costs time.
    pub fn compile(&self, files: &[SourceFile]) -> Result<RuleSet, Vec<Problem>> {
        let file = Learned::digest_of(files).map(|digest| self.folder.join(digest));
        let known = file.as_ref().and_then(|file| std::fs::read(file).ok());
        let rules = RuleSet::compile_with(files, known.as_deref())?;
        if let (Some(file), Some(learned)) = (file, rules.learned())
            && !learned.from_cache()
            && crate::private::make_folder(&self.folder).is_ok()
        {
            keep(&file, &learned.to_cache());
            self.tidy();
        }
        Ok(rules)
    }

    /// Removes the files that were made longest ago.
    fn tidy(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let made = |entry: &std::fs::DirEntry| {
            entry.metadata().and_then(|own| own.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let mut files: Vec<(SystemTime, PathBuf)> =
            entries.flatten().map(|entry| (made(&entry), entry.path())).collect();
        files.sort();
        for (_, file) in files.iter().rev().skip(MOST_FILES) {
            // Another process may have been faster.
            drop(std::fs::remove_file(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use routing_rules::learn::{Example, Label, Options, learn};

    use super::*;

    fn learned(topics: [&str; 2]) -> Vec<SourceFile> {
        let examples: Vec<Example> = (0..24)
            .map(|at| Example {
                text: topics.get(at % 2).map(|topic| format!("{topic} {at}")),
                label: Some(Label::Text(["a", "b"][at % 2].to_owned())),
                ..Example::default()
            })
            .collect();
        learn(&examples, &Options::default(), &|_| ()).expect("learns").files
    }

    #[test]
    fn learned_phrases_are_compiled_once_and_again_when_the_file_is_broken() {
        let data = tempfile::tempdir().expect("folder");
        let caches = Caches::of(data.path());
        let from_cache = |files: &[SourceFile]| {
            let rules = caches.compile(files).expect("a pack");
            rules.learned().is_some_and(Learned::from_cache)
        };
        let files = learned(["the lamp is dark", "the bin is full"]);
        assert!(!from_cache(&files));
        assert!(from_cache(&files));
        let kept = caches.folder.join(Learned::digest_of(&files).expect("learned"));
        let mut bytes = std::fs::read(&kept).expect("kept");
        *bytes.last_mut().expect("bytes") ^= 1;
        std::fs::write(&kept, bytes).expect("broken");
        assert!(!from_cache(&files), "what is broken is not believed");
        assert!(from_cache(&files), "and made again");
        for at in 0..MOST_FILES {
            let topic = format!("water {}", "x".repeat(at + 2));
            assert!(!from_cache(&learned([&topic, "the bin is full"])));
        }
        let count = std::fs::read_dir(&caches.folder).expect("folder").count();
        assert_eq!(count, MOST_FILES, "old ones go");
        // Rules without learned phrases keep nothing.
        caches.compile(&crate::config::rules::files(None).expect("the demo city")).expect("a pack");
        assert_eq!(std::fs::read_dir(&caches.folder).expect("folder").count(), count);
    }
}
