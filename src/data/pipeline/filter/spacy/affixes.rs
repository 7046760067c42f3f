//! Prefixes, suffixes and infixes: the regular expressions of `lang/punctuation.py` and `lang/en/punctuation.py`, by hand.

use crate::data::pipeline::filter::class::Class;
use std::sync::LazyLock;

/// Quotes but for those of ASCII.
const QUOTES: &str = "”“‘´’‚„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧";

/// Other punctuation above ASCII that is taken from both ends.
const MARKS: &str = "…¿؟¡。？！，、；：～·।،۔؛٪—–";

const CURRENCY: &str = "£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿";

/// Units that are split from a number. The list of the source lacks a space before its first Arabic unit, so that it has neither
/// that one nor the Cyrillic one before it: kept, for the same words.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph \
    hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па \
    мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب";

/// Letters that have case, and those of scripts without.
const CASED: &str = concat!(
    r"A-Za-z\xC0-\xD6\xD8-\xF6\xF8-\x{1BF}\x{1C4}-\x{2AF}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{38F}\x{391}-\x{3A9}",
    r"\x{3AC}-\x{3AF}\x{3B1}-\x{3C9}\x{3CC}-\x{3CE}\x{400}-\x{401}\x{403}-\x{40A}\x{40C}-\x{40D}\x{410}-\x{451}\x{453}-\x{45A}",
    r"\x{45C}-\x{45D}\x{490}-\x{491}\x{496}-\x{497}\x{4A2}-\x{4A3}\x{4AE}-\x{4AF}\x{4BA}-\x{4BB}\x{4D8}-\x{4D9}\x{4E8}-\x{4E9}",
    r"\x{1D00}-\x{1D25}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1EFF}\x{2C60}-\x{2C7B}\x{2C7E}-\x{2C7F}\x{A722}-\x{A76F}",
    r"\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{A790}-\x{A7B9}\x{A7FA}\x{AB30}-\x{AB5A}\x{AB60}-\x{AB64}\x{FF21}-\x{FF3A}",
    r"\x{FF41}-\x{FF5A}",
);
const UNCASED: &str = concat!(
    r"\x{591}-\x{5F4}\x{620}-\x{64A}\x{66E}-\x{6D5}\x{6E5}-\x{6FF}\x{750}-\x{77F}\x{8A0}-\x{8BD}\x{900}-\x{9FF}\x{B80}-\x{CFF}",
    r"\x{D80}-\x{DFF}\x{1100}-\x{137F}\x{2E80}-\x{2FDF}\x{2FF0}-\x{30FF}\x{31C0}-\x{31EF}\x{3200}-\x{4DBF}\x{4E00}-\x{9FFF}",
    r"\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}\x{FB1D}-\x{FBB1}\x{FBD3}-\x{FD3D}\x{FD50}-\x{FDC7}\x{FDF0}-\x{FDFB}\x{FE30}-\x{FE4F}",
    r"\x{FE70}-\x{FEFC}\x{1EE00}-\x{1EEBB}\x{1F200}-\x{1F2FF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2EBEF}\x{2F800}-\x{2FA1F}",
);

/// The classes of `lang/char_classes.py`.
pub(super) struct Classes {
    /// Letters.
    pub alpha: Class,
    /// Letters that are not upper case.
    pub lower: Class,
    /// Letters that are not lower case.
    pub upper: Class,
    /// Symbols (emoji, arrows, …): the category So as it was in Unicode 11.
    icons: Class,
    /// Characters above ASCII that are taken from both ends.
    ends: Class,
    /// Quotes above ASCII.
    quotes: Class,
    /// Signs of currencies.
    currency: Class,
}

pub(super) static CLASSES: LazyLock<Classes> = LazyLock::new(|| Classes {
    alpha: Class::new(&format!("[{CASED}{UNCASED}]")),
    lower: Class::new(&format!(r"[{UNCASED}\x{{294}}[\p{{Ll}}&&[{CASED}]]]")),
    upper: Class::new(&format!(r"[{UNCASED}[\p{{Lu}}&&[{CASED}]]]")),
    icons: Class::new(r"[[\p{So}&&\p{Age:11.0}]--[\x{166D}\x{2BC9}\x{FDFD}]]"),
    ends: Class::new(&format!("[{QUOTES}{MARKS}]")),
    quotes: Class::new(&format!("[{QUOTES}]")),
    currency: Class::new(&format!("[${CURRENCY}]")),
});

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
    let Some(unit) = text.char_indices().rev().take(7).find_map(tail) else { return 0 };
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
