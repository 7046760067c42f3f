//! Bounds of a document's size.

use super::{Words, check, text::characters, text::lines};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds; those that are not given do not hold. CCNet drops pages of fewer than 300 characters (facebookresearch/cc_net
/// `mine.py`, `min_len`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LengthConfig {
    /// Characters, at least.
    pub min_characters: Option<usize>,
    /// Characters, at most.
    pub max_characters: Option<usize>,
    /// Words, at least.
    pub min_words: Option<usize>,
    /// Words, at most.
    pub max_words: Option<usize>,
    /// Lines, at least.
    pub min_lines: Option<usize>,
    /// Lines, at most.
    pub max_lines: Option<usize>,
    /// What counts as a word; what is between white space by default.
    pub words: Option<Words>,
}

/// Documents outside of the bounds are dropped as `few_characters`, `many_characters`, `few_words`, `many_words`, `few_lines`,
/// `many_lines`.
pub struct Length(LengthConfig);

impl Length {
    /// Rules with these bounds.
    ///
    /// # Errors
    ///
    /// Nothing is within them.
    pub fn new(config: &LengthConfig) -> Result<Self> {
        for (place, least, most) in [
            ("length.max_characters", config.min_characters, config.max_characters),
            ("length.max_words", config.min_words, config.max_words),
            ("length.max_lines", config.min_lines, config.max_lines),
        ] {
            check::range(place, least.unwrap_or(0) as f64, most.unwrap_or(usize::MAX) as f64)?;
        }
        Ok(Self(config.clone()))
    }

    fn broken(&self, text: &str) -> Option<&'static str> {
        let config = &self.0;
        let outside = |bounds: [Option<usize>; 2], rules: [&'static str; 2], count: &dyn Fn() -> usize| {
            let [least, most] = bounds;
            if least.is_none() && most.is_none() {
                return None;
            }
            let count = count();
            let few = least.is_some_and(|least| count < least).then_some(rules[0]);
            few.or(most.is_some_and(|most| count > most).then_some(rules[1]))
        };
        let words = || {
            let mut count = 0;
            config.words.unwrap_or(Words::Whitespace).each(text, |_| count += 1);
            count
        };
        outside([config.min_characters, config.max_characters], ["few_characters", "many_characters"], &|| characters(text))
            .or_else(|| outside([config.min_words, config.max_words], ["few_words", "many_words"], &words))
            .or_else(|| outside([config.min_lines, config.max_lines], ["few_lines", "many_lines"], &|| lines(text).count()))
    }
}

impl Rules for Length {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        self.broken(&document.text).map_or(Verdict::Keep, Verdict::Drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_where_they_are_given() {
        let broken = |config: LengthConfig, text| Length::new(&config).unwrap().broken(text);
        let none = LengthConfig::default();
        assert_eq!(broken(none.clone(), ""), None);
        let characters = |min, max| LengthConfig { min_characters: Some(min), max_characters: Some(max), ..none.clone() };
        assert_eq!(broken(characters(3, 4), "éé"), Some("few_characters"));
        assert_eq!(broken(characters(3, 4), "ééé"), None);
        assert_eq!(broken(characters(3, 4), "ééééé"), Some("many_characters"));
        let words = |rule| LengthConfig { max_words: Some(2), words: rule, ..none.clone() };
        assert_eq!(broken(words(None), "two words!"), None);
        assert_eq!(broken(words(Some(Words::Spacy)), "two words!"), Some("many_words"));
        assert_eq!(broken(LengthConfig { min_words: Some(3), ..none.clone() }, "two words"), Some("few_words"));
        assert_eq!(broken(LengthConfig { min_lines: Some(3), ..none.clone() }, "a\nb\n"), Some("few_lines"));
        assert_eq!(broken(LengthConfig { max_lines: Some(1), ..none.clone() }, "a\nb\n"), Some("many_lines"));
        assert!(Length::new(&characters(4, 3)).is_err());
    }
}
