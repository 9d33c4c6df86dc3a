//! Figures in columns.

use std::fmt;
use std::time::Duration;

/// Rows of text under headings; each column is as wide as it must be.
#[derive(Debug)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self(vec![headings.iter().map(|heading| (*heading).to_owned()).collect()])
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        for row in &self.0 {
            for (column, cell) in row.iter().enumerate() {
                write!(formatter, "{}{cell:>1$}", if column == 0 { "" } else { "  " }, width(column))?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    percentile(&values, 0.5)
}

/// The value below which this share of sorted values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * share).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let place = place as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

pub(crate) fn millis_of(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

pub(crate) fn micros(seconds: f64) -> String {
    format!("{:.0} us", seconds * 1e6)
}
