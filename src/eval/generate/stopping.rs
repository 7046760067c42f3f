//! Strings that end a text.

/// Strings that end a text where they begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stops(Vec<String>);

impl Stops {
    /// Empty strings, which would end every text at once, are left out.
    pub fn new(strings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(strings.into_iter().map(Into::into).filter(|string: &String| !string.is_empty()).collect())
    }

    /// These and others.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The byte where the first of the strings begins.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.0.iter().filter_map(|string| text.find(string.as_str())).min()
    }

    /// Bytes at the end of the text with which one of the strings may begin: more text decides.
    pub fn undecided(&self, text: &str) -> usize {
        let beginning = |string: &String| {
            let lengths = (1..string.len().min(text.len() + 1)).rev();
            lengths.filter(|length| string.is_char_boundary(*length)).find(|length| text.ends_with(&string[..*length]))
        };
        self.0.iter().filter_map(beginning).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_strings_ends_the_text() {
        let stops = Stops::new(["\n\n", "Q:", ""]);
        assert_eq!(stops.find("A: 4\n\nQ: 2 + 2"), Some(4));
        assert_eq!(stops.find("A: Q: \n\n"), Some(3));
        assert_eq!(stops.find("A: 4\nq:"), None);
        assert_eq!(Stops::default().find("anything"), None);
    }

    #[test]
    fn what_may_begin_a_string_waits() {
        let stops = Stops::new(["aab", "é!"]);
        for (text, waiting) in
            [("xa", 1), ("xaa", 2), ("xaaa", 2), ("xaab", 0), ("aa", 2), ("a", 1), ("", 0), ("xé", 2), ("é", 2), ("x", 0)]
        {
            assert_eq!(stops.undecided(text), waiting, "{text}");
        }
        assert_eq!(Stops::default().undecided("a"), 0);
    }
}
