//! Prefixes, suffixes and infixes: the regular expressions of `lang/punctuation.py` and `lang/en/punctuation.py`, by hand.

use super::classes::CLASSES;
use crate::data::pipeline::filter::class::Class;

/// Units that are split from a number. The list of the source lacks a space before its first Arabic unit, so that it has neither
/// that one nor the Cyrillic one before it: kept, for the same words.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph \
    hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па \
    мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب";

/// Punctuation of ASCII that is taken from both ends.
fn is_end(c: char) -> bool {
    match c {
        '\0'..='\x7f' => matches!(
            c,
            ',' | ':' | ';' | '!' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '_' | '#' | '*' | '&' | '\'' | '"' | '`'
        ),
        _ => CLASSES.ends.has(c) || CLASSES.icons.has(c),
    }
}

/// Bytes of the prefix of a chunk.
pub(super) fn prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        '.' => match bytes.iter().take_while(|&&byte| byte == b'.').count() {
            1 => 0,
            dots => dots,
        },
        '+' => usize::from(!bytes.get(1).is_some_and(u8::is_ascii_digit)),
        'A' | 'C' if bytes.get(1) == Some(&b'$') => 2,
        'U' if bytes.starts_with(b"US$") => 3,
        '%' | '=' | '$' => 1,
        '§' => first.len_utf8(),
        _ if is_end(first) || !first.is_ascii() && CLASSES.currency.has(first) => first.len_utf8(),
        _ => 0,
    }
}

/// Bytes of the suffix of what a prefix has left of a chunk: the longest that any rule finds.
pub(super) fn suffix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut before = text.chars();
    let Some(last) = before.next_back() else { return 0 };
    match last {
        '.' => match bytes.iter().rev().take_while(|&&byte| byte == b'.').count() {
            1 => usize::from(full_stop(before)),
            dots => dots,
        },
        '+' => usize::from(before.next_back().is_some_and(|c| c.is_ascii_digit())),
        's' | 'S' if before.as_str().ends_with('\'') => 2,
        's' | 'S' if before.as_str().ends_with('’') => 4,
        '…' if before.as_str().ends_with('…') => 6,
        _ if is_end(last) => last.len_utf8(),
        _ => unit(text),
    }
}

/// Whether a full stop after this is no part of a word: after lower-case letters, digits, two upper-case letters, most
/// punctuation.
fn full_stop(mut before: std::str::Chars) -> bool {
    let Some(last) = before.next_back() else { return false };
    let ends = match last {
        'a'..='z' | '0'..='9' => true,
        '\0'..='\x7f' => is_end(last) || matches!(last, '%' | '-' | '+' | '|'),
        _ => last == '²' || CLASSES.lower.has(last) || CLASSES.ends.has(last) && !matches!(last, '—' | '–'),
    };
    let two = || CLASSES.upper.has(last) && before.clone().next_back().is_some_and(|c| CLASSES.upper.has(c));
    ends || two() || matches!(last, 'F' | 'f' | 'C' | 'c' | 'K' | 'k') && before.clone().next_back() == Some('°')
}

/// Bytes of a unit or sign of a currency that follows a digit.
fn unit(text: &str) -> usize {
    let tail = |(at, c): (usize, char)| c.is_ascii_digit().then(|| &text[at + 1..]);
    let Some(unit) = text.char_indices().rev().take(7).find_map(tail).filter(|unit| !unit.is_empty()) else { return 0 };
    let currency = |text: &str| matches!(text, "US$" | "C$" | "A$") || single(text).is_some_and(|c| CLASSES.currency.has(c));
    if currency(unit) || UNITS.split(' ').any(|known| known == unit) { unit.len() } else { 0 }
}

fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// Pushes what infixes split a text into, and these.
pub(super) fn infixes<'a>(text: &'a str, out: &mut Vec<&'a str>) {
    let mut start = 0;
    let mut at = 0;
    while let Some((found, length)) = infix(text, at) {
        at = found + length;
        if found == 0 {
            // The source goes on as if it had not found one at the very start.
            continue;
        }
        if found > start {
            out.push(&text[start..found]);
        }
        out.push(&text[found..at]);
        start = at;
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
}

/// The first infix from a place on, and its bytes.
fn infix(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        let byte = bytes[at];
        let length = match byte {
            b'.' | b'+' | b'-' | b'*' | b'^' | b',' | b':' | b'<' | b'>' | b'=' | b'/' | b'~' => ascii_infix(text, at),
            0..=0x7f => 0,
            _ => {
                let c = text[at..].chars().next().unwrap_or_default();
                let length = wide_infix(text, at, c);
                if length == 0 {
                    at += c.len_utf8().max(1);
                    continue;
                }
                length
            }
        };
        if length > 0 {
            return Some((at, length));
        }
        at += 1;
    }
    None
}

fn ascii_infix(text: &str, at: usize) -> usize {
    let (bytes, classes) = (text.as_bytes(), &*CLASSES);
    let before = text[..at].chars().next_back();
    let after = |offset: usize| text[at + offset..].chars().next();
    let is = |c: Option<char>, class: &Class| c.is_some_and(|c| class.has(c));
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let quote = |c: Option<char>| c.is_some_and(|c| matches!(c, '\'' | '"' | '`' | ',') || !c.is_ascii() && classes.quotes.has(c));
    let word = || is(before, &classes.alpha) || digit(before);
    match bytes[at] {
        b'.' if bytes.get(at + 1) == Some(&b'.') => bytes[at..].iter().take_while(|&&byte| byte == b'.').count(),
        b'.' => {
            let (left, right) = (is(before, &classes.lower) || quote(before), after(1));
            usize::from(left && (is(right, &classes.upper) || quote(right)))
        }
        b'+' | b'-' | b'*' | b'^' if digit(before) && (digit(after(1)) || after(1) == Some('-')) => 1,
        b',' => usize::from(is(before, &classes.alpha) && is(after(1), &classes.alpha)),
        b'-' if word() => {
            let run = bytes[at..].iter().take(3).take_while(|&&byte| byte == b'-').count();
            (1..=run).find(|&length| is(after(length), &classes.alpha)).unwrap_or(0)
        }
        b'~' | b':' | b'<' | b'>' | b'=' | b'/' => usize::from(word() && is(after(1), &classes.alpha)),
        _ => 0,
    }
}

fn wide_infix(text: &str, at: usize, c: char) -> usize {
    let classes = &*CLASSES;
    if c == '…' || classes.icons.has(c) {
        return c.len_utf8();
    }
    let word = || text[..at].chars().next_back().is_some_and(|c| classes.alpha.has(c) || c.is_ascii_digit());
    if !matches!(c, '–' | '—') || !word() {
        return 0;
    }
    let letter = |offset: usize| text[at + offset..].chars().next().is_some_and(|c| classes.alpha.has(c));
    match c {
        _ if letter(3) => 3,
        '—' if text[at + 3..].starts_with('—') && letter(6) => 6,
        _ => 0,
    }
}
