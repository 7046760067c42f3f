//! Tar.

use super::*;
use ::tar::{Builder, EntryType, Header};

const ALL: Format = Format::Tar { endings: Vec::new() };

fn header(path: &str, kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_gnu();
    // Names that leave the archive are only names here.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn sample() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut add = |path: &str, kind, content: &[u8]| tar.append(&header(path, kind, content.len()), content).unwrap();
    add("./src/", EntryType::Directory, b"");
    add("./src/main.rs", EntryType::Regular, b"fn main() {}\n");
    add("link", EntryType::Symlink, b"");
    add("../../etc/passwd", EntryType::Regular, b"text");
    add("empty.txt", EntryType::Regular, b"");
    add("image.png", EntryType::Regular, b"\x89PNG\0\0");
    add("latin.txt", EntryType::Regular, b"na\xEFve");
    add("pipe", EntryType::Fifo, b"");
    let long = format!("{}long.txt", "deep/".repeat(40));
    let content = "x".repeat(512);
    tar.append_data(&mut header("", EntryType::Regular, content.len()), &long, content.as_bytes()).unwrap();
    tar.append_pax_extensions([("comment", b"none".as_slice()), ("path", "sub/é.txt".as_bytes())]).unwrap();
    tar.append(&header("short", EntryType::Regular, 4), b"last".as_slice()).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn regular_members_are_documents() {
    let folder = Folder::new();
    let plain = folder.read("a.tar", sample(), &ALL, &Limits::default());
    let long = format!("{}long.txt", "deep/".repeat(40));
    let paths: Vec<&str> = plain.documents.iter().map(|document| document.meta("path").unwrap()).collect();
    assert_eq!(paths, ["src/main.rs", "../../etc/passwd", long.as_str(), "sub/é.txt"]);
    assert_eq!(plain.texts(), ["fn main() {}\n", "text", "x".repeat(512).as_str(), "last"]);
    assert_eq!(plain.ids(), ["a.tar#1", "a.tar#2", "a.tar#6", "a.tar#7"]);
    assert_eq!(plain.rules(), ["binary", "not_utf8"]);
    assert!(plain.damage[0].place.ends_with("a.tar, member image.png"), "{:?}", plain.damage);
    for (ending, pack) in &PACKINGS[1..] {
        let found = folder.read(&format!("a.tar{ending}"), pack(&sample()), &ALL, &Limits::default());
        assert_eq!((found.texts(), found.rules()), (plain.texts(), plain.rules()));
    }
    let some = Format::Tar { endings: vec!["rs".into(), ".TXT".into()] };
    let found = folder.read("a.tar", sample(), &some, &Limits::default());
    assert_eq!((found.documents.len(), found.rules()), (3, vec!["not_utf8"]));
    let found = folder.read("a.tar", sample(), &ALL, &Limits { document_bytes: 100, ..Limits::default() });
    assert_eq!((found.documents.len(), found.rules()), (3, vec!["binary", "not_utf8", "too_long"]));
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 4, "nothing is unpacked to the disk");
}

#[test]
fn broken_archives_are_told() {
    let folder = Folder::new();
    let whole = sample();
    let found = folder.read("a.tar", &whole[..512 * 2 + 5], &ALL, &Limits::default());
    assert_eq!((found.texts().len(), found.rules()), (0, vec!["truncated"]));
    let found = folder.read("a.tar", &whole[..512 * 3 + 100], &ALL, &Limits::default());
    assert_eq!((found.texts(), found.rules()), (vec!["fn main() {}\n"], vec!["truncated"]));
    // The header of the second member: the others are found again.
    let mut wrong = whole.clone();
    wrong[512 + 3] ^= 0x40;
    let found = folder.read("a.tar", wrong, &ALL, &Limits::default());
    assert_eq!((found.texts().len(), found.rules()), (3, vec!["tar", "binary", "not_utf8"]));
    let found = folder.read("a.tar", "not an archive ".repeat(1000), &ALL, &Limits::default());
    assert_eq!((found.texts().len(), found.rules()), (0, vec!["tar", "truncated"]));
    // A member that says it is longer than all disks together.
    let mut huge = header("huge", EntryType::Regular, 0);
    huge.set_size(u64::MAX >> 2);
    huge.set_cksum();
    let found = folder.read("a.tar", [huge.as_bytes(), whole.as_slice()].concat(), &ALL, &Limits::default());
    assert!(found.rules().contains(&"too_long") || found.rules() == ["truncated"], "{:?}", found.damage);
}

#[test]
fn papers_of_arxiv_have_their_files() {
    let tar = |files: &[(&str, &[u8])]| {
        let mut tar = Builder::new(Vec::new());
        files.iter().for_each(|(path, content)| tar.append(&header(path, EntryType::Regular, content.len()), *content).unwrap());
        tar.into_inner().unwrap()
    };
    let several = tar(&[
        ("main.tex", b"\\input{sec/one}"),
        ("./sec/one.tex", b"na\xEFve"),
        ("fig.eps", b"%!PS"),
        ("old.tex", b"a\0b"),
        ("00README.XXX", b"x"),
    ]);
    let bomb = gzip(&vec![b' '; 3 << 20]);
    let outer = tar(&[
        ("2101/2101.00001.gz", &gzip(&several)),
        ("2101/2101.00002.pdf", b"%PDF\0"),
        ("2101/2101.00003.gz", &gzip("\u{FEFF}one é".as_bytes())),
        ("2101/2101.00004.gz", &gzip(b"cut off")[..12]),
        ("2101/2101.00005.gz", &bomb),
        ("2101/2101.00006.gz", &gzip(&several[..1000])),
        ("2101/2101.00007.gz", &gzip(b"%PDF\0")),
        ("2101/hep-th9901001.gz", &gzip(b"last")),
    ]);
    let folder = Folder::new();
    let limits = Limits { document_bytes: 1 << 20, ..Limits::default() };
    let found = folder.read("arXiv_src_2101_001.tar", outer, &Format::Arxiv {}, &limits);
    let files: Vec<String> = found.documents.iter().map(|document| document.meta["files"].to_string()).collect();
    let expected =
        [r#"{"main.tex":"\\input{sec/one}","sec/one.tex":"naïve"}"#, r#"{"2101.00003.tex":"one é"}"#, r#"{"hep-th9901001.tex":"last"}"#];
    assert_eq!(files, expected);
    assert_eq!(found.rules(), ["corrupt", "too_long", "tar"]);
    assert_eq!(found.documents[1].meta("paper"), Some("2101.00003"));
    assert_eq!(found.ids()[1], "arXiv_src_2101_001.tar#3");
}
