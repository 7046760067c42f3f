//! Character references of HTML (`&amp;`, `&#8211;`), also used by wikitext.

use web_atoms::{C1_REPLACEMENTS, NAMED_ENTITIES};

/// Longest name in the standard's table, with its semicolon (`CounterClockwiseContourIntegral;`).
const LONGEST: usize = 32;
/// Longest name that is also known without a semicolon (`frac12`, `plusmn`).
const LONGEST_BARE: usize = 6;

/// A decoded reference: its length in bytes and its one or two characters; none for references to control characters.
pub(super) type Reference = (usize, [Option<char>; 2]);

/// The reference at the start of `text`, which begins with `&`.
///
/// As in the text of a page in WHATWG HTML 13.2.5.72 to 13.2.5.80, but references to control characters give nothing.
pub(super) fn reference(text: &str) -> Option<Reference> {
    let bytes = text.as_bytes();
    match bytes.get(1)? {
        b'#' => numeric(bytes),
        first if first.is_ascii_alphabetic() => named(text),
        _ => None,
    }
}

/// Appends `text` with its references decoded; no-break spaces become spaces.
pub(super) fn decode(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(place) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..place]);
        let (length, characters) = reference(&rest[place..]).unwrap_or((1, [Some('&'), None]));
        out.extend(characters.into_iter().flatten().map(|character| if character == '\u{a0}' { ' ' } else { character }));
        rest = &rest[place + length..];
    }
    out.push_str(rest);
}

fn named(text: &str) -> Option<Reference> {
    let bytes = &text.as_bytes()[1..];
    let length = bytes.iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if bytes.get(length) == Some(&b';')
        && let Some(characters) = look_up(&text[1..length + 2])
    {
        return Some((length + 2, characters));
    }
    (2..=length.min(LONGEST_BARE)).rev().find_map(|length| Some((length + 1, look_up(&text[1..=length])?)))
}

fn look_up(name: &str) -> Option<[Option<char>; 2]> {
    // The table also holds all beginnings of names, with zeros.
    let &(first, second) = NAMED_ENTITIES.get(name)?;
    (first != 0).then(|| [char::from_u32(first), (second != 0).then(|| char::from_u32(second)).flatten()])
}

fn numeric(bytes: &[u8]) -> Option<Reference> {
    let hexadecimal = matches!(bytes.get(2), Some(b'x' | b'X'));
    let (start, radix) = if hexadecimal { (3, 16) } else { (2, 10) };
    let mut at = start;
    let mut code = 0u32;
    while let Some(digit) = bytes.get(at).and_then(|byte| char::from(*byte).to_digit(radix)) {
        code = code.saturating_mul(radix).saturating_add(digit);
        at += 1;
    }
    if at == start {
        return None;
    }
    at += usize::from(bytes.get(at) == Some(&b';'));
    let character = match code {
        0x80..=0x9f => C1_REPLACEMENTS[code as usize - 0x80],
        0x09 | 0x0a => char::from_u32(code),
        0x0d => Some('\n'),
        0x00 => Some(char::REPLACEMENT_CHARACTER),
        0x01..=0x1f | 0x7f => None,
        _ => Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
    };
    Some((at, [character, None]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        let mut out = String::new();
        decode(text, &mut out);
        out
    }

    /// What Python's `html.unescape` gives, except for the no-break space.
    #[test]
    fn as_the_standard_says() {
        for (text, plain) in [
            ("a &amp; b &lt;&gt;&quot;&apos;", "a & b <>\"'"),
            ("&eacute;&Eacute;&nbsp;&hellip;&NotEqualTilde;", "éÉ …≂̸"),
            ("&notit; &notin; &copy2 &amp", "¬it; ∉ ©2 &"),
            ("&#65;&#x42;&#X43;&#68", "ABCD"),
            ("&#128;&#150;&#x9F;", "€–Ÿ"),
            ("&#0;&#xD800;&#x110000;&#99999999999999;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("&#1;&#8;", ""),
            ("& &; &# &#; &#x; &unknown; &é &", "& &; &# &#; &#x; &unknown; &é &"),
            ("&CounterClockwiseContourIntegral;", "∳"),
        ] {
            assert_eq!(decoded(text), plain, "{text}");
        }
    }
}
