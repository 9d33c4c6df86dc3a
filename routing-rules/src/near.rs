//! Finds that must stand close to each other.

use crate::condition::{Group, Known};
use crate::finds::Hit;

/// How close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// At most so many distance units from the beginning of the first find to the end of the last.
    Units(u32),
    /// In one sentence.
    Sentence,
}

/// One find of one list of phrases, on the scale that is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    field: u8,
    start: u32,
    end: u32,
    group: usize,
    hit: Hit,
}

/// Adds the finds of the windows that hold one of each group, until there are `most`; says whether there is such a window.
/// Costs as much as sorting the finds, however they repeat.
pub(crate) fn near(groups: &[Group], within: Within, known: &Known<'_>, finds: &mut Vec<Hit>, most: usize) -> bool {
    if !groups.iter().all(|group| group.any.iter().any(|pattern| known.finds.has(*pattern, group.mask))) {
        return false;
    }
    let mut marks: Vec<Mark> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let before = marks.len();
        marks.extend(group.counting(known).map(|hit| {
            let (start, end) = match within {
                Within::Units(_) => known.reading.units(hit),
                Within::Sentence => known.reading.sentences(hit),
            };
            Mark { field: hit.field, start, end, group: at, hit: *hit }
        }));
        if marks.len() == before {
            return false;
        }
    }
    marks.sort_unstable();
    let reach = match within {
        Within::Units(units) => units,
        Within::Sentence => 1,
    };
    // From the right: for each group the nearest end among the finds that begin here or later.
    let mut nearest: Vec<Option<u32>> = vec![None; groups.len()];
    let mut field = None;
    let mut windows: Vec<usize> = Vec::new();
    for (at, mark) in marks.iter().enumerate().rev() {
        if field.replace(mark.field) != Some(mark.field) {
            nearest.fill(None);
        }
        if let Some(slot) = nearest.get_mut(mark.group) {
            *slot = Some(slot.map_or(mark.end, |end| end.min(mark.end)));
        }
        if nearest.iter().all(|end| end.is_some_and(|end| end - mark.start < reach)) {
            windows.push(at);
            if most == 1 {
                return true;
            }
        }
    }
    let found = !windows.is_empty();
    let mut next = 0;
    for first in windows.into_iter().rev() {
        let Some(begin) = marks.get(first) else { continue };
        for (at, mark) in marks.iter().enumerate().skip(first.max(next)) {
            if mark.field != begin.field || mark.start - begin.start >= reach {
                break;
            }
            if mark.end - begin.start < reach {
                finds.push(mark.hit);
                next = at + 1;
            }
            if finds.len() >= most {
                return true;
            }
        }
    }
    found
}
