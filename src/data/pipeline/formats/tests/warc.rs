//! Web archives: beside warcio, and broken in every way.

use super::*;
use serde_json::Value;

const CRAWL: &[u8] = include_bytes!("../../../../../tests/data/fixtures/formats/crawl.warc.gz");
/// What warcio reads in it; see tests/reference/formats_fixtures.py.
const EXPECTED: &str = include_str!("../../../../../tests/data/fixtures/formats/crawl.json");

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&known| known == byte);
    let bits = text.bytes().filter_map(digit).fold((Vec::new(), 0_u32, 0), |(mut out, held, count), six| {
        let (held, count) = (held << 6 | six as u32, count + 6);
        if count >= 8 {
            out.push((held >> (count - 8)) as u8);
            return (out, held & ((1 << (count - 8)) - 1), count - 8);
        }
        (out, held, count)
    });
    bits.0
}

#[test]
fn records_are_those_that_warcio_reads() {
    let folder = Folder::new();
    let found = folder.read("crawl.warc.gz", CRAWL, &Format::Warc {}, &Limits::default());
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    let mut documents = found.documents.iter();
    let mut compared = 0;
    for record in serde_json::from_str::<Vec<Value>>(EXPECTED).unwrap() {
        let known = |key: &str| record[key].as_str();
        let content_type = known("content_type").unwrap_or_default();
        let text = ["text/html", "text/plain", "application/xhtml+xml"].iter().any(|kind| content_type.starts_with(kind));
        let kind = known("type").unwrap();
        let wanted = match kind {
            "response" => text && known("status") == Some("200"),
            _ => matches!(kind, "conversion" | "resource"),
        };
        if !wanted {
            continue;
        }
        let document = documents.next().unwrap();
        assert_eq!(document.id, format!("crawl.warc.gz#{}", record["number"]));
        for (mine, its) in [("url", "url"), ("date", "date"), ("digest", "digest"), ("warc_type", "type")] {
            assert_eq!(document.meta(mine), known(its), "{}", document.id);
        }
        assert_eq!(document.meta("content_type"), content_type.split(';').next());
        let body = base64(known("body").unwrap());
        let url = known("url").unwrap();
        let encoding = match url.rsplit('/').next().unwrap() {
            "greek" => encoding_rs::ISO_8859_7,
            "koi8" => encoding_rs::KOI8_R,
            _ => encoding_rs::UTF_8,
        };
        assert_eq!(document.text, encoding.decode(&body).0, "{url}");
        if kind != "conversion" {
            assert_eq!(document.meta("charset"), Some(encoding.name()));
        }
        compared += 1;
    }
    assert_eq!((compared, documents.next()), (12, None));
}

fn record(number: usize, text: &str, length: Option<usize>) -> Vec<u8> {
    let length = length.unwrap_or(text.len());
    format!(
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: <http://example.org/{number}>\r\nContent-Type: text/plain\r\n\
         WARC-Identified-Content-Language: eng\r\nContent-Length: {length}\r\n\r\n{text}\r\n\r\n"
    )
    .into_bytes()
}

fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    let http = [format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes(), body].concat();
    let head = format!(
        "WARC/1.1\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: {}\r\n\r\n",
        http.len()
    );
    [head.as_bytes(), &http, b"\r\n\r\n"].concat()
}

fn wet(content: impl AsRef<[u8]>) -> Found {
    Folder::new().read("a.warc.wet", content, &Format::Warc {}, &Limits { document_bytes: 2000, ..Limits::default() })
}

#[test]
fn wrong_lengths_cost_one_record() {
    let good = |number| record(number, &format!("text {number}\nWARC/1.0 is a format\n"), None);
    let texts = [0, 1, 2].map(|number| format!("text {number}\nWARC/1.0 is a format\n"));
    let found = wet([good(0), good(1), good(2)].concat());
    assert_eq!(found.texts(), texts);
    assert_eq!(found.documents[1].meta("url"), Some("http://example.org/1"));
    assert_eq!(found.documents[1].meta("warc_language"), Some("eng"));
    // Too short, too long by little, by a record, by more than the file, by more than all memory, and none.
    for length in [0, 3, 60, 70, 200, 400, 1000, 1900, 5000, 1 << 40, usize::MAX] {
        let wrong = record(9, &"wrong ".repeat(8), Some(length));
        let found = wet([good(0), wrong, good(1), good(2)].concat());
        assert_eq!((found.texts(), found.rules()), (texts.each_ref().map(String::as_str).to_vec(), vec!["length"]), "{length}");
        assert!(found.damage[0].place.ends_with("record 2, http://example.org/9"), "{:?}", found.damage);
        assert!(found.damage[0].message.contains(&length.to_string()));
    }
    let none = String::from_utf8(record(9, "wrong", None)).unwrap().replace("Content-Length", "X");
    for wrong in [none.clone(), none.replace("X: 5", "Content-Length: -5"), none.replace("X: 5", "Content-Length: 99999999999999999999999")]
    {
        let found = wet([good(0), wrong.into_bytes(), good(1), good(2)].concat());
        assert_eq!((found.documents.len(), found.rules()), (3, vec!["length"]));
    }
}

#[test]
fn what_is_between_records_is_told() {
    let good = record(1, "text", None);
    let found = wet([b"junk\n junk\r\n".as_slice(), &good, b"\r\n\r\n\n", &good, b"more junk"].concat());
    assert_eq!((found.documents.len(), found.rules()), (2, vec!["warc", "warc"]));
    assert!(found.damage[0].message.contains("12 bytes"), "{:?}", found.damage);
    let endless = [b"WARC/1.0\r\nX: ".as_slice(), &b"x".repeat(100_000), b"\r\n\r\n", &good].concat();
    let found = wet(endless);
    assert_eq!((found.documents.len(), found.rules()), (1, vec!["warc"]));
    assert_eq!(wet("no archive").rules(), ["warc"]);
    assert_eq!(wet("WARC/1.0\r\nWARC-Type: conv").rules(), ["truncated"]);
    for end in 1..good.len() - 4 {
        let found = wet([good.as_slice(), &good[..end]].concat());
        assert_eq!((found.documents.len(), found.damage.len()), (1, 1), "{end}");
    }
    // A file without blank lines at its end is whole.
    assert_eq!(wet(&good[..good.len() - 4]).texts(), ["text"]);
}

#[test]
fn long_records_are_passed_over() {
    let good = record(1, "text", None);
    let found = wet([record(0, &"long\n".repeat(500), None), good.clone()].concat());
    assert_eq!((found.texts(), found.rules()), (vec!["text"], vec!["too_long"]));
    assert!(found.damage[0].message.contains("document_bytes"));
    // Films are no text, however long.
    let film = String::from_utf8(record(0, &"film ".repeat(500), None)).unwrap();
    let film = film.replace("conversion", "response").replace("Content-Type: text/plain", "WARC-Identified-Payload-Type: video/mp4");
    let found = wet([film.as_bytes(), &good].concat());
    assert_eq!((found.texts(), found.rules()), (vec!["text"], vec![]));
}

#[test]
fn broken_members_cost_what_they_hold() {
    let folder = Folder::new();
    let texts: Vec<String> = (0..20).map(|n: u64| format!("text {n} {}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(20)).collect();
    let members: Vec<Vec<u8>> = texts.iter().enumerate().map(|(n, text)| gzip(&record(n, text, None))).collect();
    let read = |members: &[Vec<u8>]| folder.read("a.warc.gz", members.concat(), &Format::Warc {}, &Limits::default());
    assert_eq!(read(&members).texts(), texts);
    // Cut off at the end.
    let mut cut = members.clone();
    cut[19].truncate(60);
    let found = read(&cut);
    assert_eq!((found.texts(), found.rules()), (texts[..19].iter().map(String::as_str).collect(), vec!["truncated"]));
    // A hole: the rest of one member is missing, or wrong, or it is overwritten altogether.
    let holes: [fn(&mut Vec<u8>); 4] = [
        |member| member.truncate(60),
        |member| member[40..60].iter_mut().for_each(|byte| *byte = !*byte),
        |member| member.fill(0x55),
        |member| member.clear(),
    ];
    for (number, hole) in holes.iter().enumerate() {
        let mut broken = members.clone();
        hole(&mut broken[7]);
        let found = read(&broken);
        let lost = texts.len() - found.documents.len();
        assert!((1..=2).contains(&lost), "{number}: {lost}");
        assert!(found.damage.len() <= 3 && (number == 3 || !found.damage.is_empty()), "{number}: {:?}", found.damage);
        assert!(found.texts().iter().all(|text| texts.iter().any(|known| known == text)), "{number}");
    }
    // A member whose checksum is another is delivered, and told.
    let mut broken = members.clone();
    let end = broken[7].len() - 6;
    broken[7][end] ^= 1;
    let found = read(&broken);
    assert_eq!((found.texts().len(), found.rules()), (20, vec!["corrupt"]));
}

#[test]
fn pages_are_undone_and_decoded() {
    let html = "<html>naïve</html>";
    let page = |headers: &str, body: &[u8]| wet(response(headers, body));
    assert_eq!(page("Content-Type: text/html\r\n", html.as_bytes()).texts(), [html]);
    assert_eq!(page("content-type:TEXT/HTML ; Charset=latin1\r\n", b"na\xEFve").texts(), ["naïve"]);
    // Not told, but it looks like it.
    assert_eq!(page("", html.as_bytes()).texts(), [html]);
    assert!(page("", b"something").documents.is_empty());
    assert_eq!(page("Content-Type: text/html\r\n", b"a\0b").rules(), ["binary"]);
    assert_eq!(page("Content-Type: text/html\r\nContent-Encoding: br\r\n", b"\x1b\x2f").rules(), ["http"]);
    let found = page("Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &gzip(&[b'a'; 5000]));
    assert_eq!(found.rules(), ["too_long"]);
    let gz = gzip(html.repeat(50).as_bytes());
    let found = page("Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &gz[..gz.len() - 9]);
    assert!(html.repeat(50).starts_with(&found.documents[0].text) && found.documents[0].meta("truncated") == Some("encoding"));
    let found = page("Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n9\r\nwo");
    assert_eq!((found.texts(), found.documents[0].meta("truncated")), (vec!["hellowo"], Some("chunked")));
    assert_eq!(wet(response("", b"").replace(b"HTTP/1.1", b"JUNK/1.1")).rules(), ["http"]);
    assert!(wet(response("Content-Type: text/html\r\n", b"x").replace(b"200 OK", b"404 No")).documents.is_empty());
    assert_eq!(wet(response("", b"x").replace(b"200 OK", b"xx\r\n\r\n")).rules(), ["http"]);
}

trait Replace {
    fn replace(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replace for Vec<u8> {
    fn replace(mut self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|part| part == from).unwrap();
        self[at..at + from.len()].copy_from_slice(to);
        self
    }
}
