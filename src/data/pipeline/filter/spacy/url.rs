//! What is left whole because it is an address: the regular expression `URL_PATTERN` of `lang/tokenizer_exceptions.py`, by hand.

use super::classes::CLASSES;
use crate::data::pipeline::filter::class::{Class, DIGIT};
use std::sync::LazyLock;

/// What a scheme is made of: `[\w+.-]`, in Python's sense of a word.
static SCHEME: LazyLock<Class> = LazyLock::new(|| Class::new(r"[\p{L}\p{N}_+.-]"));

/// Whether a chunk is an address: scheme and user optional, a host of at least two labels, port and path optional.
pub(super) fn matches(text: &str) -> bool {
    if !text.contains('.') {
        return false;
    }
    let scheme =
        text.find("://").filter(|&end| end >= 2 && text[..end].chars().all(|c| SCHEME.has(c)) && text[..end].chars().nth(1).is_some());
    let users = text.match_indices('@').map(|(at, _)| at + 1).filter(|&start| start > 1);
    std::iter::once(0).chain(scheme.map(|end| end + 3)).chain(users).any(|start| host(&text[start..]))
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || ('\u{a1}'..='\u{ffff}').contains(&c)
}

/// Host, port and path, to the end.
fn host(text: &str) -> bool {
    let inside = |c: char| is_label(c) || matches!(c, '_' | '-' | '.') || CLASSES.lower.has(c);
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    let (host, mut rest) = text.split_at(end);
    if let Some(port) = rest.strip_prefix(':') {
        let end = port.find(|c| !DIGIT.has(c)).unwrap_or(port.len());
        if !(2..=5).contains(&port[..end].chars().count()) {
            return false;
        }
        rest = &port[end..];
    }
    (rest.is_empty() || rest.starts_with(['/', '?', '#'])) && (named(host) || numbered(host))
}

/// Labels that neither begin nor end with `-` or `_`, and a top-level domain without upper-case letters.
fn named(host: &str) -> bool {
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let label = |text: &str| {
        let ends = text.starts_with(is_label) && text.ends_with(is_label);
        ends && text.chars().count() <= 64 && text.chars().all(|c| is_label(c) || matches!(c, '_' | '-'))
    };
    (2..=63).contains(&top.chars().count()) && top.chars().all(|c| CLASSES.lower.has(c)) && labels.split('.').all(label)
}

/// An address of a public network.
fn numbered(host: &str) -> bool {
    let octets = || host.split('.');
    if octets().count() != 4 || !octets().all(|octet| (1..=3).contains(&octet.len()) && octet.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let mut values = [0u16; 4];
    values.iter_mut().zip(octets()).for_each(|(value, octet)| *value = octet.parse().unwrap_or(u16::MAX));
    let [first, second, third, last] = values;
    let private = matches!((first, second), (10 | 127, _) | (169, 254) | (192, 168) | (172, 16..=31));
    let leading = |place: usize| octets().nth(place).is_some_and(|octet| octet.starts_with('0'));
    !private && (1..=223).contains(&first) && !leading(0) && second <= 255 && third <= 255 && (1..=254).contains(&last) && !leading(3)
}
