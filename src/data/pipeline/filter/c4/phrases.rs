//! Phrases that give a line or a page away, and marks of citations.

use super::C4Config;
use crate::data::pipeline::filter::class::{DIGIT, pattern};
use regex::Regex;
use std::borrow::Cow;

/// What the phrases in a line tell.
pub(super) enum Told {
    Nothing,
    /// The line goes.
    Line(&'static str),
    /// The page goes.
    Page(&'static str),
}

pub(super) struct Phrases {
    any: Option<Regex>,
    lorem_ipsum: bool,
    javascript: bool,
    curly_brackets: bool,
    policies: bool,
}

impl Phrases {
    pub(super) fn new(config: &C4Config) -> Self {
        let &C4Config { lorem_ipsum, javascript, curly_brackets, policies, .. } = config;
        let policy = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies";
        let asked = [(lorem_ipsum, "lorem ipsum"), (javascript, "javascript"), (curly_brackets, r"\{"), (policies, policy)];
        let asked: Vec<_> = asked.iter().filter(|(asked, _)| *asked).map(|(_, phrase)| *phrase).collect();
        let any = (!asked.is_empty()).then(|| pattern(&format!("(?i-u:{})", asked.join("|"))));
        Self { any, lorem_ipsum, javascript, curly_brackets, policies }
    }

    /// Whether there is any in a text.
    pub(super) fn any(&self, text: &str) -> bool {
        self.any.as_ref().is_some_and(|any| any.is_match(text))
    }

    /// In the order of both sources.
    pub(super) fn judge(&self, line: &str) -> Told {
        let [mut lorem_ipsum, mut javascript, mut curly_bracket, mut policy] = [false; 4];
        for found in self.any.iter().flat_map(|any| any.find_iter(line)) {
            match line.as_bytes()[found.start()].to_ascii_lowercase() {
                b'l' => lorem_ipsum = true,
                b'j' => javascript = true,
                b'{' => curly_bracket = true,
                _ => policy = true,
            }
        }
        if lorem_ipsum && self.lorem_ipsum {
            Told::Page("lorem_ipsum")
        } else if javascript && self.javascript {
            Told::Line("javascript")
        } else if curly_bracket && self.curly_brackets {
            Told::Page("curly_bracket")
        } else if policy && self.policies {
            Told::Line("policy")
        } else {
            Told::Nothing
        }
    }
}

/// A line without `[12]`, `[]`, `[edit]` and `[citation needed]`.
pub(super) fn without_citations(line: &str) -> Cow<'_, str> {
    let mut cleaned = Cow::Borrowed("");
    let mut kept = 0;
    for (at, _) in line.match_indices('[') {
        let length = citation(&line[at..]);
        if length > 0 && at >= kept {
            cleaned.to_mut().push_str(&line[kept..at]);
            kept = at + length;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(line);
    }
    cleaned.to_mut().push_str(&line[kept..]);
    cleaned
}

/// Bytes of the mark that a text begins with.
fn citation(text: &str) -> usize {
    if let Some(word) = ["[edit]", "[citation needed]"].iter().find(|word| text.starts_with(**word)) {
        return word.len();
    }
    let inside = &text[1..];
    let digits = inside.find(|c| !DIGIT.has(c)).unwrap_or(inside.len());
    if inside[digits..].starts_with(']') { digits + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_citations_go_and_other_brackets_stay() {
        let cleaned = without_citations("[1]One[12][edit] two [citation needed][] [x] [3[4]٣[٣] [5");
        assert_eq!(cleaned, "One two  [x] [3٣ [5");
        assert!(matches!(without_citations("none [a]"), Cow::Borrowed(_)));
    }
}
