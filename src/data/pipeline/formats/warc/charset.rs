//! The character encoding of a page, in the order in which browsers look for it.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// Bytes at the beginning of a page that are searched for what it says of itself (HTML says 1024, pages do not keep to it).
const PRESCAN: usize = 4096;

/// The encoding that a `Content-Type` names.
pub(super) fn of_type(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label_no_replacement(value.as_bytes()))?
    })
}

/// The text of a page and the name of the encoding it was in.
///
/// A byte order mark comes first, then the `Content-Type` header, then what the page says of itself (WHATWG HTML, 13.2.3.2). Else it
/// is UTF-8 if it can be, and windows-1252 if not. A page that breaks the encoding it claims, and is UTF-8, is taken as that.
pub(super) fn decode(body: &[u8], told: Option<&'static Encoding>, markup: bool) -> (String, &'static str) {
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        let (text, _) = encoding.decode_without_bom_handling(&body[mark..]);
        return (text.into_owned(), encoding.name());
    }
    let told = told.or_else(|| markup.then(|| of_markup(body)).flatten());
    if let Some(encoding) = told {
        let (text, broken) = encoding.decode_without_bom_handling(body);
        if !(broken && encoding != UTF_8 && std::str::from_utf8(body).is_ok()) {
            return (text.into_owned(), encoding.name());
        }
    }
    match std::str::from_utf8(body) {
        Ok(text) => (text.to_string(), UTF_8.name()),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(body).0.into_owned(), WINDOWS_1252.name()),
    }
}

/// The encoding that a page names in `<meta charset>`, `<meta http-equiv content>` or its XML declaration.
fn of_markup(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(PRESCAN)];
    let declared = head.trim_ascii_start().strip_prefix(b"<?xml").and_then(|rest| {
        let end = find(rest, b"?>")?;
        value_of(&rest[..end], b"encoding")
    });
    let found = declared.or_else(|| {
        let mut rest = head;
        while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix(b"!--") {
                rest = &comment[find(comment, b"-->")?..];
            } else if rest.get(..5).is_some_and(|name| name[..4].eq_ignore_ascii_case(b"meta") && !name[4].is_ascii_alphanumeric()) {
                let tag = &rest[..rest.iter().position(|&byte| byte == b'>')?];
                if let Some(label) = value_of(tag, b"charset") {
                    return Some(label);
                }
            }
        }
        None
    });
    // What can be read as ASCII is not UTF-16, whatever it says (WHATWG, prescan, step 14).
    match Encoding::for_label_no_replacement(found?)? {
        wide if wide == UTF_16LE || wide == UTF_16BE => Some(UTF_8),
        user if user == X_USER_DEFINED => Some(WINDOWS_1252),
        encoding => Some(encoding),
    }
}

/// What follows `name` and an equals sign, with or without quotes.
fn value_of<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = tag;
    while let Some(at) = rest.windows(name.len()).position(|part| part.eq_ignore_ascii_case(name)) {
        rest = &rest[at + name.len()..];
        let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|byte| matches!(byte, b'"' | b'\'' | b';' | b'>' | b'/') || byte.is_ascii_whitespace());
        return Some(&value[..end.unwrap_or(value.len())]);
    }
    None
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], content_type: &str) -> (String, &'static str) {
        decode(body, of_type(content_type), true)
    }

    #[test]
    fn mark_header_and_meta_in_that_order() {
        let privet = b"\xEF\xF0\xE8\xE2\xE5\xF2";
        assert_eq!(read(privet, "text/html; charset=windows-1251"), ("привет".into(), "windows-1251"));
        assert_eq!(read(privet, "text/html; Charset=\"CP1251\"").0, "привет");
        let meta = [b"<html><head><META content='text/html; charset=windows-1251' http-equiv=Content-Type>".as_slice(), privet].concat();
        assert!(read(&meta, "text/html").0.ends_with("привет"));
        assert_eq!(read(&meta, "text/html; charset=koi8-r").1, "KOI8-R");
        let short = [b"<!-- <meta charset=utf-8> --><metadata charset=big5><meta charset = \"windows-1251\"/>".as_slice(), privet].concat();
        assert!(read(&short, "").0.ends_with("привет"));
        let xml = [b"<?xml version=\"1.0\" encoding=\"windows-1251\"?><html>".as_slice(), privet].concat();
        assert!(read(&xml, "").0.ends_with("привет"));
        assert_eq!(read(b"\xFF\xFEh\0i\0", "text/html; charset=windows-1251"), ("hi".into(), "UTF-16LE"));
        assert_eq!(read(b"\xFE\xFF\0h\0i", ""), ("hi".into(), "UTF-16BE"));
        assert_eq!(read(b"\xEF\xBB\xBF\xC3\xA9", "text/html; charset=latin1"), ("é".into(), "UTF-8"));
    }

    #[test]
    fn without_a_name_it_is_utf_8_or_windows_1252() {
        assert_eq!(read("naïve – “yes”".as_bytes(), ""), ("naïve – “yes”".into(), "UTF-8"));
        assert_eq!(read(b"na\xEFve \x96 \x93yes\x94", ""), ("naïve – “yes”".into(), "windows-1252"));
        assert_eq!(read(b"na\xEFve", "text/html; charset=no-such-thing").1, "windows-1252");
        // Browsers show nothing of what is in an encoding that they hold for dangerous.
        assert_eq!(read(b"plain", "text/html; charset=hz-gb-2312"), ("plain".into(), "UTF-8"));
        // What it says of itself is wrong.
        assert_eq!(read("<meta charset=utf-16>é".as_bytes(), "").1, "UTF-8");
        assert_eq!(read("日本語".as_bytes(), "text/html; charset=shift_jis"), ("日本語".into(), "UTF-8"));
        assert_eq!(read(b"\x93\xFA\x96{\x8C\xEA", "text/html; charset=Shift_JIS"), ("日本語".into(), "Shift_JIS"));
        assert_eq!(read(b"\x1B$BF|K\\8l\x1B(B", "text/html; charset=iso-2022-jp"), ("日本語".into(), "ISO-2022-JP"));
        assert_eq!(decode(b"<meta charset=windows-1251>", None, false).1, "UTF-8");
        assert_eq!(read(b"<meta", "").1, "UTF-8");
        assert_eq!(read(b"<!--", "").1, "UTF-8");
        assert_eq!(read(b"", "").0, "");
    }
}
