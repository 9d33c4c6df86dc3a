//! Prepares what need not be worked out at every start: which characters only one way of writing Chinese uses.

use std::collections::BTreeSet;
use std::path::Path;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // The migrations are embedded by a macro that cargo cannot see through.
    println!("cargo::rerun-if-changed=migrations");
    // The console's files are embedded; without Node.js there are none, and the program says so.
    let console = Path::new("console/dist");
    std::fs::create_dir_all(console)?;
    println!("cargo::rerun-if-changed=console/dist");
    let simplified = changed(BuiltinConfig::S2t)?;
    let traditional = changed(BuiltinConfig::T2s)?;
    let only = |one: &BTreeSet<char>, other: &BTreeSet<char>| one.difference(other).collect::<String>();
    let text = format!(
        "const SIMPLIFIED: &str = {:?};\nconst TRADITIONAL: &str = {:?};\n",
        only(&simplified, &traditional),
        only(&traditional, &simplified)
    );
    let folder = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&folder).join("variants.rs"), text)?;
    Ok(())
}

/// The ideographs that a conversion changes, each converted by itself.
fn changed(config: BuiltinConfig) -> Result<BTreeSet<char>, Box<dyn std::error::Error>> {
    let converter = OpenCC::from_config(config)?;
    let lines: String = ('\u{4e00}'..='\u{9fff}').flat_map(|letter| [letter, '\n']).collect();
    let converted = converter.convert(&lines);
    Ok(('\u{4e00}'..='\u{9fff}')
        .zip(converted.lines())
        .filter(|(letter, line)| line.chars().ne(std::iter::once(*letter)))
        .map(|(letter, _)| letter)
        .collect())
}
