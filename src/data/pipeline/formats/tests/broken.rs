//! Files broken at random: nothing panics, nothing loops, and little is lost.

use super::*;
use proptest::prelude::*;

/// Ways to break a file: cut it, change bytes, take some out, put some in.
#[derive(Clone, Debug)]
enum Harm {
    Cut(prop::sample::Index),
    Change(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

impl Harm {
    fn to(&self, file: &mut Vec<u8>) {
        let length = file.len();
        match self {
            Self::Cut(at) => file.truncate(at.index(length + 1)),
            Self::Change(at, bytes) => file.iter_mut().skip(at.index(length + 1)).zip(bytes).for_each(|(byte, new)| *byte = *new),
            Self::Remove(at, count) => {
                let at = at.index(length + 1);
                file.drain(at..(at + count).min(length));
            }
            Self::Insert(at, bytes) => {
                let at = at.index(length + 1);
                file.splice(at..at, bytes.iter().copied());
            }
        }
    }
}

fn harm() -> impl Strategy<Value = Vec<Harm>> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..40);
    let at = any::<prop::sample::Index>;
    let one = prop_oneof![
        at().prop_map(Harm::Cut),
        (at(), bytes()).prop_map(|(at, bytes)| Harm::Change(at, bytes)),
        (at(), 1_usize..300).prop_map(|(at, count)| Harm::Remove(at, count)),
        (at(), bytes()).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ];
    prop::collection::vec(one, 1..4)
}

/// Documents that are whole have texts that were there; each harm costs a few places at most.
fn check(name: &str, content: &[u8], harms: &[Harm], format: &Format) -> Result<(), TestCaseError> {
    let folder = Folder::new();
    let whole = folder.read(name, content, format, &Limits::default());
    prop_assert!(whole.damage.is_empty() && !whole.documents.is_empty());
    let mut broken = content.to_vec();
    harms.iter().for_each(|harm| harm.to(&mut broken));
    let cut = harms.iter().any(|harm| matches!(harm, Harm::Cut(_)));
    let limits = Limits { document_bytes: 100_000, ..Limits::default() };
    let path = folder.file(name, &broken);
    let Ok(reads) = open(&Input::new(&path), format, &limits) else { return Ok(()) };
    let found = collect(reads);
    let again = read(&path, format, &limits);
    prop_assert_eq!(&found, &again);
    prop_assert!(found.damage.len() <= 12 * harms.len(), "{:?}", found.damage);
    // As many as lie in what may be removed, and one on either side.
    let lost = whole.documents.len().saturating_sub(found.documents.len());
    prop_assert!(cut || lost <= 16 * harms.len(), "lost {lost}: {:?}", found.damage);
    Ok(())
}

/// One zero byte near the beginning of lines makes all of them binary, which is no little loss.
fn zeros(harms: &[Harm]) -> bool {
    harms.iter().any(|harm| matches!(harm, Harm::Change(_, bytes) | Harm::Insert(_, bytes) if bytes.contains(&0)))
}

fn records() -> Vec<Vec<u8>> {
    (0..30_u64)
        .map(|n| {
            let text = format!("text {}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(n as usize);
            format!("WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {}\r\n\r\n{text}\r\n\r\n", text.len()).into_bytes()
        })
        .collect()
}

fn posts() -> String {
    let rows: String = (1..60)
        .map(|n| {
            let parent = if n % 4 == 1 { String::new() } else { format!("ParentId=\"{}\"", n - (n - 1) % 4) };
            format!(
                "  <row Id=\"{n}\" PostTypeId=\"{}\" {parent} Score=\"{n}\" Body=\"&lt;p&gt;{n}&lt;/p&gt;\" />\n",
                if parent.is_empty() { 1 } else { 2 }
            )
        })
        .collect();
    format!("<?xml version=\"1.0\"?>\n<posts>\n{rows}</posts>\n")
}

fn pages() -> String {
    let page = |n| format!("<page><title>T{n}</title><ns>0</ns><id>{n}</id><revision><text>[[x]] &lt;{n}&gt;</text></revision></page>\n");
    format!("<mediawiki>\n{}</mediawiki>\n", (1..40).map(page).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn web_archives(harms in harm()) {
        check("a.warc.gz", &records().iter().flat_map(|record| gzip(record)).collect::<Vec<u8>>(), &harms, &Format::Warc {})?;
        check("a.warc", &records().concat(), &harms, &Format::Warc {})?;
    }

    #[test]
    fn dumps(harms in harm()) {
        if !zeros(&harms) {
            check("Posts.xml", posts().as_bytes(), &harms, &Format::StackExchange { site: None })?;
        }
        check("a.xml", pages().as_bytes(), &harms, &Format::Wikipedia {})?;
    }

    #[test]
    fn lines_and_members(harms in harm()) {
        let lines: String = (0..50).map(|n| format!("{{\"text\": \"line {n}\"}}\n")).collect();
        if !zeros(&harms) {
            check("a.jsonl", lines.as_bytes(), &harms, &jsonl())?;
        }
        let mut tar = ::tar::Builder::new(Vec::new());
        for n in 0..20 {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(4);
            tar.append_data(&mut header, format!("{n}.txt"), b"text".as_slice()).unwrap();
        }
        let folder = Folder::new();
        let mut broken = tar.into_inner().unwrap();
        harms.iter().for_each(|harm| harm.to(&mut broken));
        folder.read("a.tar", &broken, &Format::Tar { endings: Vec::new() }, &Limits::default());
    }

    #[test]
    fn packed_lines(harms in harm(), packing in 1_usize..4) {
        let lines: String = (0..2000_u64).map(|n| format!("{{\"text\": \"line {}\"}}\n", n.wrapping_mul(0x9E37_79B9))).collect();
        let (ending, pack) = PACKINGS[packing];
        let mut broken = pack(lines.as_bytes());
        harms.iter().for_each(|harm| harm.to(&mut broken));
        let folder = Folder::new();
        let found = folder.read(&format!("a.jsonl{ending}"), &broken, &jsonl(), &Limits { document_bytes: 100_000, ..Limits::default() });
        prop_assert!(found.documents.len() <= 2100);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn tables(harms in harm(), which in 0_usize..3) {
        const FILES: [&[u8]; 3] = [
            include_bytes!("../../../../../tests/data/fixtures/formats/none-v1.parquet"),
            include_bytes!("../../../../../tests/data/fixtures/formats/snappy-v2.parquet"),
            include_bytes!("../../../../../tests/data/fixtures/formats/zstd-v1.parquet"),
        ];
        let mut broken = FILES[which].to_vec();
        harms.iter().for_each(|harm| harm.to(&mut broken));
        let folder = Folder::new();
        let path = folder.file("a.parquet", &broken);
        let format = Format::Parquet { text: "text".into(), id: "id".into(), columns: None };
        if let Ok(reads) = open(&Input::new(&path), &format, &Limits::default()) {
            let found = collect(reads);
            prop_assert!(found.documents.len() <= 1000 && found.damage.len() <= 200);
        }
    }
}
