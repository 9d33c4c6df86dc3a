//! Figures on real data that is not part of the project: `make corpus`. Prints "skipped: no corpus" where it is absent.
//!
//! The data is looked for in `../shared/data` beside the repository; `--data DIR` names another place. Texts are never
//! printed.

mod demo;
mod language;
mod learned;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let named = arguments.find(|argument| argument == "--data").and_then(|_| arguments.next());
    let data = named.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let mut out = std::io::stdout().lock();
    if !data.join("appeals").is_dir() {
        writeln!(out, "skipped: no corpus")?;
        return Ok(());
    }
    demo::measure(&data, &mut out)?;
    language::measure(&data, &mut out)?;
    learned::measure(&data, &mut out)
}
