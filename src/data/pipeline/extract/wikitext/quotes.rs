//! Apostrophes that are marks, and those that are apostrophes.

/// Where in a line three apostrophes are one apostrophe and two that mean italics, as in `L'''Iliade''`.
///
/// MediaWiki's rule (`Parser::doQuotes` in `includes/parser/Parser.php`): if a line has an odd number of bold and of italic marks, the
/// first bold mark behind a word of one letter, else behind a longer word, else behind a blank, is one.
pub(super) fn apostrophe(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let (mut bold, mut italic) = (0, 0);
    let (mut letter, mut word, mut blank) = (None, None, None);
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\'', &bytes[at..]) {
        let start = at + offset;
        let length = bytes[start..].iter().take_while(|byte| **byte == b'\'').count();
        at = start + length;
        match length {
            1 => {}
            2 => italic += 1,
            3 | 4 => {
                bold += 1;
                let last = start.checked_sub(1).map_or(b' ', |place| bytes[place]);
                let before = start.checked_sub(2).map_or(last, |place| bytes[place]);
                let kind = match (last, before) {
                    (b' ', _) => &mut blank,
                    (_, b' ') => &mut letter,
                    _ => &mut word,
                };
                kind.get_or_insert(start);
            }
            _ => {
                bold += 1;
                italic += 1;
            }
        }
    }
    if bold % 2 == 1 && italic % 2 == 1 { letter.or(word).or(blank) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_mediawiki_balances() {
        assert_eq!(apostrophe("L'''Iliade'' d'Homère"), Some(1));
        assert_eq!(apostrophe("il ''re'' dell'''Orlando''"), Some(14));
        assert_eq!(apostrophe("a '''b''' ''c''"), None);
        assert_eq!(apostrophe("dans l'''Odyssée'', '''Ulysse'''"), Some(6));
        assert_eq!(apostrophe("'''bold''"), Some(0));
        assert_eq!(apostrophe("plain don't"), None);
    }
}
