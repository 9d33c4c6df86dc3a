//! The engine from outside: a small pack for its grammar, the demo pack for its use.

mod demo;
mod engine;
mod grammar;
mod hostile;
mod problems;
mod soundness;

use std::path::Path;

use routing_rules::{RuleSet, SourceFile};

/// The files of a folder below this crate, recursively.
fn files(folder: &str) -> Vec<SourceFile> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let relative = path.strip_prefix(root).expect("below").to_str().expect("utf-8").to_owned();
                files.push(SourceFile { path: relative, text: std::fs::read_to_string(&path).expect("text") });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found
}

/// A small pack with these rules.
fn pack(rules: &str) -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    vec![
        file("pack.toml", PACK),
        file("items/all.toml", ITEMS),
        file("departments.toml", DEPARTMENTS),
        file("districts.toml", DISTRICTS),
        file("catalogue.toml", CATALOGUE),
        file("rules/all.toml", rules),
    ]
}

fn compiled(rules: &str) -> RuleSet {
    RuleSet::compile(&pack(rules)).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    })
}

const PACK: &str = r#"
id = "small"
names = { zh-Hans = "小城", en = "Small" }
default_language = "zh-Hans"
threshold = 1
margin = 1
subject_factor = 2
phrase_bonus = 0
default_kind = "help"
default_priority = "normal"

[deadlines]
inquiry = { low = 48, normal = 48, high = 24, urgent = 2 }
help = { low = 240, normal = 120, high = 24, urgent = 2 }
complaint = { low = 240, normal = 120, high = 24, urgent = 2 }
report = { low = 240, normal = 120, high = 24, urgent = 2 }
suggestion = { low = 240, normal = 240, high = 120, urgent = 24 }
praise = { low = 240, normal = 240, high = 120, urgent = 24 }
invalid = { low = 240, normal = 240, high = 120, urgent = 24 }
"#;

const ITEMS: &str = r#"
[[group]]
id = "roads"
names = { zh-Hans = "道路", en = "Roads" }

[[group]]
id = "utilities"
names = { zh-Hans = "公用事业", en = "Utilities" }

[[item]]
id = "roads.streetlight"
names = { zh-Hans = "路灯", en = "Street lights" }

[[item]]
id = "roads.pothole"
names = { zh-Hans = "坑洼", en = "Potholes" }

[[item]]
id = "utilities.water"
names = { zh-Hans = "供水", en = "Water" }
"#;

const DEPARTMENTS: &str = r#"
[[department]]
id = "works"
level = "city"
names = { zh-Hans = "市政", en = "Works" }

[[department]]
id = "east-works"
level = "district"
parent = "works"
district = "east"
names = { zh-Hans = "东区市政", en = "East works" }

[[department]]
id = "water"
level = "city"
names = { zh-Hans = "水务", en = "Water" }
"#;

const DISTRICTS: &str = r#"
[[district]]
id = "east"
names = { zh-Hans = "东区", en = "East District" }
places = ["梧桐路", "Plane Tree Road"]

[[district]]
id = "west"
names = { zh-Hans = "西区", en = "West District" }
places = ["银杏路", "梧桐路小学"]
"#;

const CATALOGUE: &str = r#"
[[route]]
item = "roads"
department = "works"
districts = { east = "east-works" }

[[route]]
item = "roads.pothole"
department = "works"
assisting = ["water"]

[[route]]
item = "utilities"
department = "water"
"#;
