//! Holds the JSON Schemas that editors use (`schemas/`) against the grammar that the loader reads.

use serde_json::Value;

use crate::calendar::WEEKDAYS;
use crate::condition::FactName;
use crate::decision::Phase;
use crate::golden::TEST_KEYS;
use crate::model::{AppealKind, CitizenKind, LawfulRoute, Priority};
use crate::pack::Settings;
use crate::rule::RULE_KEYS;
use crate::then::ACTION_KEYS;
use crate::when::{CONDITION_KEYS, REPEATS_KEYS};
use crate::words::{LIST_KEYS, MACRO_KEYS};

fn schema(name: &str) -> Value {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect("schema")).expect("JSON")
}

fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"))
}

/// The keys of an object in the schema are those that the loader knows, and no others are let through.
fn same_keys(schema: &Value, pointer: &str, known: &[&str]) {
    let object = at(schema, pointer);
    let mut keys: Vec<&str> =
        at(object, "/properties").as_object().expect("properties").keys().map(String::as_str).collect();
    let mut known = known.to_vec();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known, "{pointer}");
    assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{pointer}");
}

fn same_words(schema: &Value, pointer: &str, known: &[&str]) {
    let words: Vec<&str> = at(schema, pointer).as_array().expect("words").iter().filter_map(Value::as_str).collect();
    assert_eq!(words, known, "{pointer}");
}

#[test]
fn the_schemas_know_what_the_loader_knows() {
    let rules = schema("rules");
    let (rule, condition) = ("/properties/rule/items", "/$defs/condition");
    same_keys(&rules, "", &["rule"]);
    same_keys(&rules, rule, &RULE_KEYS);
    same_keys(&rules, condition, &CONDITION_KEYS);
    same_keys(&rules, &format!("{condition}/properties/repeats"), &REPEATS_KEYS);
    same_keys(&rules, &format!("{rule}/properties/then"), &ACTION_KEYS);
    same_keys(&rules, &format!("{rule}/properties/tests/items"), &TEST_KEYS);
    same_keys(&schema("lists"), "/properties/list/items", &LIST_KEYS);
    same_keys(&schema("macros"), "/properties/macro/items", &MACRO_KEYS);
    assert_eq!(at(&schema("macros"), condition), at(&rules, condition));
    same_keys(&schema("measured"), rule, &["id", "hits", "right"]);
    same_keys(&schema("items"), "/properties/item/items", &["id", "names"]);
    same_keys(&schema("items"), "/properties/group/items", &["id", "names"]);
    same_keys(&schema("departments"), "/properties/department/items", &["id", "names", "parent", "district", "level"]);
    same_keys(&schema("districts"), "/properties/district/items", &["id", "names", "places"]);
    same_keys(&schema("catalogue"), "/properties/route/items", &["item", "department", "districts", "assisting"]);
    same_keys(&schema("pack"), "", &Settings::KEYS);
    same_keys(&schema("pack"), "/properties/deadlines", &AppealKind::ALL.map(AppealKind::as_str));
}

#[test]
fn the_schemas_know_the_words() {
    let rules = schema("rules");
    let condition = |key: &str| format!("/$defs/condition/properties/{key}/oneOf/0/enum");
    let action = |key: &str| format!("/properties/rule/items/properties/then/properties/{key}/enum");
    same_words(&rules, &condition("kind"), &AppealKind::ALL.map(AppealKind::as_str));
    same_words(&rules, &condition("priority"), &Priority::ALL.map(Priority::as_str));
    same_words(&rules, &condition("citizen_kind"), &CitizenKind::ALL.map(CitizenKind::as_str));
    same_words(&rules, &condition("weekday"), &WEEKDAYS.map(|(word, _)| word));
    same_words(&rules, &condition("known"), &FactName::WORDS.map(|(word, _)| word));
    same_words(&rules, &action("kind"), &AppealKind::ALL.map(AppealKind::as_str));
    same_words(&rules, &action("priority"), &Priority::ALL.map(Priority::as_str));
    same_words(&rules, &action("refuse"), &LawfulRoute::ALL.map(LawfulRoute::as_str));
    same_words(&rules, "/properties/rule/items/properties/phase/enum", &Phase::ALL.map(Phase::as_str));
}

/// Every file of the demo pack names its schema, and the schema is there.
#[test]
fn the_demo_pack_names_its_schemas() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/demo-city");
    let mut folders = vec![root];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let first = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_default();
            assert!(folder.join(first).is_file() && first.ends_with(".schema.json"), "{}: {first}", path.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
