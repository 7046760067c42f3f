//! Words as a shell reads and writes them.

/// Splits a line into words: blanks separate, single and double quotes hold together. None if a quote is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let (mut word, mut open): (Option<String>, Option<char>) = (None, None);
    for c in line.chars() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (None, '\'' | '"') => {
                open = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    open.is_none().then_some(words)
}

/// A word in single quotes.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        let words = |line: &str| split(line).map(|words| words.join("|"));
        assert_eq!(words("  --partition=x   --time=1:00 "), Some("--partition=x|--time=1:00".into()));
        assert_eq!(words("--comment='two words' \"it's\" ''"), Some("--comment=two words|it's|".into()));
        assert_eq!(words(""), Some("".into()));
        assert_eq!(words("'open"), None);
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
