//! Where personal data are.

use crate::data::pipeline::filter::class::pattern;
use regex::Regex;
use std::{net::Ipv4Addr, ops::Range, sync::LazyLock};

/// Bytes of a find.
pub(super) type Found = Range<usize>;

/// Bytes of an address that are looked at on either side of its `@`: more than any mail server takes (RFC 5321: 64 and 255).
const REACH: usize = 512;

/// The pattern of datatrove (RFC 5322 without its exotic parts).
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    let octet = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
    let atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    pattern(&format!(r"\b{atom}(?:\.{atom})*@(?:(?:{label}\.)+{label}|\[(?:{octet}\.){{3}}(?:{octet}|[A-Za-z0-9-]*[A-Za-z0-9]:)])"))
});

fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte)
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte)
}

/// Addresses of mail. Only what surrounds an `@` is matched against the pattern.
pub(super) fn emails(text: &str) -> Vec<Found> {
    let (bytes, mut found) = (text.as_bytes(), Vec::<Found>::new());
    for (at, _) in text.match_indices('@') {
        let after = found.last().map_or(0, |last| last.end);
        if at < after || !bytes.get(at + 1).is_some_and(|&byte| is_domain(byte)) {
            continue;
        }
        let local = bytes[after..at].iter().rev().take(REACH).take_while(|&&byte| is_atom(byte)).count();
        let domain = bytes[at + 1..].iter().take(REACH).take_while(|&&byte| is_domain(byte)).count();
        // One character more, for the border of a word; the find may not begin with it, as it is none of an address.
        let start = at - local;
        let before = text[..start].chars().next_back().map_or(0, char::len_utf8);
        let window = &text[start - before..at + 1 + domain];
        if let Some(email) = EMAIL.find_at(window, before).filter(|email| email.range().contains(&(before + local))) {
            found.push(email.start() + start - before..email.end() + start - before);
        }
    }
    found
}

/// IPv4 addresses, as `((25[0-5]|2[0-4]\d|[01]?\d\d?)\.){3}(25[0-5]|2[0-4]\d|[01]?\d\d?)` finds them from left to right.
pub(super) fn addresses(text: &str, only_public: bool, whole: bool) -> Vec<Found> {
    let (bytes, mut found) = (text.as_bytes(), vec![]);
    let mut at = 0;
    while let Some(dot) = text[at..].find('.') {
        let dot = at + dot;
        let digits = bytes[at..dot].iter().rev().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        // The leftmost start of which the octet before this dot is read whole.
        let matched = (dot - digits..dot).find_map(|start| quad(bytes, start, dot).map(|end| start..end));
        let Some(range) = matched else {
            at = dot + 1;
            continue;
        };
        if is_address(text, &range, only_public) && (!whole || is_whole(bytes, &range)) {
            found.push(range.clone());
        }
        at = range.end;
    }
    found
}

/// The end of four octets from `start` on, the first of which ends at `dot`.
fn quad(bytes: &[u8], start: usize, dot: usize) -> Option<usize> {
    let mut at = start + octet(&bytes[start..dot]).filter(|&length| start + length == dot)?;
    for last in [false, false, true] {
        at += 1;
        let digits = bytes[at..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let length = octet(&bytes[at..at + digits])?;
        at += length;
        // Inside, an octet must end at a dot; at the end it is the longest that can be read.
        if !last && bytes.get(at) != Some(&b'.') {
            return None;
        }
    }
    Some(at)
}

/// Bytes of the octet that some digits begin with.
fn octet(digits: &[u8]) -> Option<usize> {
    match digits {
        [b'2', b'5', b'0'..=b'5', ..] | [b'2', b'0'..=b'4', _, ..] | [b'0' | b'1', _, _, ..] => Some(3),
        [_, _, ..] => Some(2),
        [_] => Some(1),
        [] => None,
    }
}

/// What is written with leading zeros is none.
fn is_address(text: &str, range: &Found, only_public: bool) -> bool {
    text[range.clone()].parse::<Ipv4Addr>().is_ok_and(|address| !only_public || is_public(address))
}

/// Whether it is not in the registry of special addresses (IANA, as Python's `ipaddress` has it).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let exempt = (a, b, c) == (192, 0, 0) && (d == 9 || d == 10);
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || matches!((a, b), (0, _) | (100, 64..=127) | (198, 18..=19) | (240..=255, _))
        || (a, b, c) == (192, 0, 0);
    exempt || !special
}

/// Whether it is no part of a longer number.
fn is_whole(bytes: &[u8], range: &Found) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let before = |back: usize| range.start.checked_sub(back).and_then(|at| bytes.get(at));
    let joined = |near: Option<&u8>, next: Option<&u8>| digit(near) || near == Some(&b'.') && digit(next);
    !joined(before(1), before(2)) && !joined(bytes.get(range.end), bytes.get(range.end + 1))
}

/// What looks like a number of a telephone.
static PHONE: LazyLock<Regex> = LazyLock::new(|| {
    let international = r"(?:\+|\b00[ -]?)[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,8}\)?){2,6}";
    let area = r"\([0-9]{2,5}\)[ .-]?[0-9]{3,4}[ .-]?[0-9]{3,4}";
    let american = r"\b[2-9][0-9]{2}[ .-][2-9][0-9]{2}[ .-][0-9]{4}";
    pattern(&format!("(?-u:{international}|{area}|{american})"))
});

/// Telephone numbers: 8 to 15 digits (E.164) and no more beside them.
pub(super) fn phones(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let good = |range: &Found| {
        let digits = bytes[range.clone()].iter().filter(|byte| byte.is_ascii_digit()).count();
        (8..=17).contains(&digits) && !digit(range.start.checked_sub(1)) && !digit(Some(range.end))
    };
    PHONE.find_iter(text).map(|found| found.range()).filter(good).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_are_those_of_the_pattern_over_the_whole_text() {
        let texts = [
            "x@y.z a@b@c.de .a@b.c ä@b.cd äa@b.cd a..b@c.de a@b-.cd a@-b.cd a@b.c-d- (m@n.op) a@b.c.d.",
            "u@[1.2.3.4] v@[1.2.3.x:] w@[1.2.3] a@b @c.d e@ 'q@r.st' q'@r.st --@a.bc -a@a.bc",
            "a@b.cd@e.fg a@b.cd,e@f.gh é@é.é a@bé.cd x@a.b@",
        ];
        for text in texts {
            let all: Vec<_> = EMAIL.find_iter(text).map(|found| found.range()).collect();
            assert_eq!(emails(text), all, "{text}");
        }
    }

    #[test]
    fn addresses_are_those_of_the_pattern() {
        let octet = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
        let pattern = Regex::new(&format!(r"(?:{octet}\.){{3}}{octet}")).unwrap();
        let mut state = 1u64;
        for _ in 0..3000 {
            let text: String = (0..24)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    char::from(b"0129.5.x.3"[(state >> 33) as usize % 10])
                })
                .collect();
            let all: Vec<_> = pattern.find_iter(&text).map(|found| found.range()).filter(|range| is_address(&text, range, false)).collect();
            assert_eq!(addresses(&text, false, false), all, "{text}");
        }
    }

    #[test]
    fn reserved_addresses_are_not_public() {
        let private = "0.1.2.3 10.1.1.1 100.64.0.1 127.0.0.1 169.254.1.1 172.16.0.1 172.31.9.9 192.0.0.1 192.0.2.7 192.168.0.1 198.18.0.1 \
            198.51.100.3 203.0.113.9 240.0.0.1 255.255.255.255";
        assert!(addresses(private, true, true).is_empty());
        assert_eq!(addresses(private, false, true).len(), 15);
        assert_eq!(addresses("8.8.8.8 172.32.0.1 192.0.0.9 100.128.0.1 224.0.0.1 01.2.3.4", true, true).len(), 5);
    }
}
