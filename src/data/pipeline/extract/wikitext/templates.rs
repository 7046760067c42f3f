//! Templates that only format text, as that text.

/// Longest template that is looked at, in bytes; so templates inside of each other cost no more than others.
const LONGEST: usize = 1000;

/// Templates that show their last argument.
const LAST: [&str; 16] = [
    "lang",
    "nowrap",
    "nobr",
    "nowr",
    "small",
    "smaller",
    "big",
    "larger",
    "transl",
    "transliteration",
    "quote",
    "blockquote",
    "cquote",
    "script",
    "nobold",
    "noitalic",
];
/// Templates that show their first argument.
const FIRST: [&str; 5] = ["abbr", "tooltip", "val", "visible anchor", "sic"];
/// Templates that show a measure, and convert it, which is left out.
const MEASURES: [&str; 4] = ["convert", "cvt", "unité", "unit"];
/// Templates that stand for a sign.
const SIGNS: [(&str, &str); 16] = [
    ("mdash", "—"),
    ("em dash", "—"),
    ("—", "—"),
    ("spaced mdash", " — "),
    ("ndash", "–"),
    ("en dash", "–"),
    ("–", "–"),
    ("spaced ndash", " – "),
    ("spaced en dash", " – "),
    ("snd", " – "),
    ("spnd", " – "),
    ("nbsp", " "),
    ("space", " "),
    ("'", "'"),
    ("`", "'"),
    ("=", "="),
];
/// What may be between two numbers of a measure.
const RANGES: [&str; 9] = ["-", "–", "to", "and", "or", "x", "by", "+", "±"];

/// The text of a template, whose inside is `inner` with templates in it replaced; none for those that do more than format.
pub(super) fn text(inner: &str) -> Option<String> {
    if inner.len() > LONGEST {
        return None;
    }
    let mut fields = fields(inner).into_iter();
    let name = fields.next()?.trim().replace('_', " ").to_lowercase();
    if let Some((_, sign)) = SIGNS.iter().find(|(known, _)| *known == name) {
        return Some((*sign).to_string());
    }
    let arguments: Vec<&str> = fields.filter_map(positional).collect();
    let name = name.as_str();
    let shown = if LAST.contains(&name) {
        arguments.last()
    } else if FIRST.contains(&name) || name.starts_with("lang-") {
        arguments.first()
    } else if MEASURES.contains(&name) {
        return measure(&arguments);
    } else {
        None
    };
    shown.map(|shown| shown.trim().to_string())
}

/// The default of a parameter, whose inside is `inner`: pages that are no templates show it.
pub(super) fn default(inner: &str) -> Option<String> {
    inner.split_once('|').filter(|_| inner.len() <= LONGEST).map(|(_, default)| default.to_string())
}

/// Parts between bars that are not in links.
fn fields(inner: &str) -> Vec<&str> {
    let (mut fields, mut start, mut depth) = (Vec::new(), 0, 0usize);
    let bytes = inner.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'[' if bytes.get(place + 1) == Some(&b'[') => depth += 1,
            b']' if bytes.get(place + 1) == Some(&b']') => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => {
                fields.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    fields.push(&inner[start..]);
    fields
}

/// The value of an argument without a name, or with a number as its name.
fn positional(field: &str) -> Option<&str> {
    match field.split_once('=') {
        None => Some(field),
        Some((name, value)) if name.trim().parse::<u8>().is_ok() => Some(value),
        // A tag or a link may have a `=`.
        Some((name, _)) if name.contains(['<', '[']) => Some(field),
        Some(_) => None,
    }
}

/// `12|km|mi` → `12 km`, `5|to|10|km` → `5 to 10 km`.
fn measure(arguments: &[&str]) -> Option<String> {
    let mut shown = arguments.first()?.trim().to_string();
    let mut rest = arguments[1..].iter().map(|argument| argument.trim());
    let mut next = rest.next();
    while let Some(range) = next.filter(|range| RANGES.contains(range)) {
        shown = format!("{shown} {range} {}", rest.next()?);
        next = rest.next();
    }
    Some(match next {
        Some(unit) if !unit.is_empty() => format!("{shown} {unit}"),
        _ => shown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_format() {
        for (inner, shown) in [
            ("Convert|12|km|mi|abbr=on", Some("12 km")),
            ("cvt|5|to|10|km", Some("5 to 10 km")),
            ("convert|5|x|4|x|3|m", Some("5 x 4 x 3 m")),
            ("lang|fr|mot [[a|b]]", Some("mot [[a|b]]")),
            ("lang-cy|Nant|lit=brook", Some("Nant")),
            ("nowrap|1=a = b", Some("a = b")),
            ("abbr|km|kilometre", Some("km")),
            ("Spaced_ndash", Some(" – ")),
            ("mdash", Some("—")),
            ("infobox|a=b", None),
            ("lang", None),
            ("convert", None),
            ("", None),
        ] {
            assert_eq!(text(inner).as_deref(), shown, "{inner}");
        }
        assert_eq!(default("1|x"), Some("x".to_string()));
        assert_eq!(default("1"), None);
        assert_eq!(text(&format!("nowrap|{}", "x".repeat(2000))), None);
    }
}
