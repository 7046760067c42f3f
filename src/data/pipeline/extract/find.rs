//! Searches forward that stay linear however often they are asked.

use memchr::memmem::Finder;

/// The next place of a fixed string, remembered: text between the last answer and the question is never searched twice.
pub(super) struct Next<'a> {
    needle: Finder<'a>,
    /// Where the search that found `place` began, and what it found.
    last: Option<(usize, Option<usize>)>,
}

impl<'a> Next<'a> {
    pub(super) fn new(needle: &'a str) -> Self {
        Self { needle: Finder::new(needle.as_bytes()), last: None }
    }

    /// The first occurrence in `text` at or after `at`.
    pub(super) fn after(&mut self, text: &str, at: usize) -> Option<usize> {
        match self.last {
            Some((from, found)) if from <= at && found.is_none_or(|found| found >= at) => found,
            _ => {
                let found = self.needle.find(text.as_bytes().get(at..)?).map(|offset| at + offset);
                self.last = Some((at, found));
                found
            }
        }
    }
}

/// End tags `</name` of some elements, in any case, each found by one scan in total.
#[derive(Default)]
pub(super) struct EndTags {
    /// Per name: where the search began and what it found.
    last: Vec<(&'static str, usize, Option<usize>)>,
}

impl EndTags {
    /// The first `</name` in `text` at or after `at` that is a whole name.
    pub(super) fn after(&mut self, text: &str, name: &'static str, at: usize) -> Option<usize> {
        let known = self.last.iter().position(|(other, ..)| *other == name);
        if let Some((_, from, found)) = known.map(|index| self.last[index])
            && from <= at
            && found.is_none_or(|found| found >= at)
        {
            return found;
        }
        let found = end_tag(text, name, at);
        match known {
            Some(index) => self.last[index] = (name, at, found),
            None => self.last.push((name, at, found)),
        }
        found
    }
}

fn end_tag(text: &str, name: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes.get(at..)?, "</").map(|offset| at + offset).find(|&place| {
        let (start, end) = (place + 2, place + 2 + name.len());
        bytes.get(start..end).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            && bytes.get(end).is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_a_plain_search() {
        let text = "a--b--c--d";
        let mut next = Next::new("--");
        for at in [0, 1, 2, 1, 5, 0, 9, 3, 10, 11] {
            let plain = text.get(at..).and_then(|rest| rest.find("--")).map(|offset| at + offset);
            assert_eq!(next.after(text, at), plain, "{at}");
        }
        let text = "<b></B ><x></bold></b></b";
        let mut ends = EndTags::default();
        assert_eq!(ends.after(text, "b", 0), Some(3));
        assert_eq!(ends.after(text, "b", 4), Some(18));
        assert_eq!(ends.after(text, "b", 19), Some(22));
        assert_eq!(ends.after(text, "b", 3), Some(3));
        assert_eq!(ends.after(text, "i", 0), None);
        assert_eq!(ends.after(text, "i", 9), None);
    }
}
