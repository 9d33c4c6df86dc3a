//! Any bytes as any file of a pack: refused with file and reason, or compiled and then able to judge and to run its tests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_rules::{Facts, RuleSet, SourceFile};

/// A small pack, one file of which the input replaces.
const FILES: [(&str, &str); 10] = [
    ("pack.toml", include_str!("../../packs/demo-city/pack.toml")),
    (
        "departments.toml",
        "[[department]]\nid = \"works\"\nlevel = \"city\"\nnames = { zh-Hans = \"市政\", en = \"Works\" }\n",
    ),
    (
        "districts.toml",
        "[[district]]\nid = \"east\"\nnames = { zh-Hans = \"东区\", en = \"East\" }\nplaces = [\"梧桐路\"]\n",
    ),
    ("catalogue.toml", "[[route]]\nitem = \"roads\"\ndepartment = \"works\"\n"),
    ("items/roads.toml", include_str!("../../packs/demo-city/items/roads.toml")),
    ("lists.toml", "[[list]]\nid = \"lamps\"\nphrases = [\"路灯\"]\n"),
    ("macros.toml", "[[macro]]\nid = \"dark\"\nwhen.any = [\"不亮\"]\n"),
    ("measured.toml", ""),
    ("rules/a.toml", ""),
    ("rules/b.toml", ""),
];

fuzz_target!(|input: (u8, &str)| {
    let (which, text) = input;
    let which = usize::from(which) % FILES.len();
    let files: Vec<SourceFile> = FILES
        .iter()
        .enumerate()
        .map(|(at, (path, own))| SourceFile {
            path: (*path).to_owned(),
            text: if at == which { text.to_owned() } else { (*own).to_owned() },
        })
        .collect();
    match RuleSet::compile(&files) {
        Ok(rules) => {
            let _ = rules.decide(&Facts::of_text("路灯不亮 streetlight out", "sms"));
            let _ = rules.run_tests();
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.file.is_empty() && !problem.message.is_empty()));
        }
    }
});
