//! Packed files: parts, ends, bombs.

use super::*;
use std::io::Read as _;

fn unpacked(path: &Path, limits: &Limits) -> (Vec<u8>, Option<String>) {
    let mut content = Vec::new();
    let result = unpack(path, limits).unwrap().read_to_end(&mut content);
    (content, result.err().map(|error| error.to_string()))
}

#[test]
fn all_parts_of_a_packed_file_are_read() {
    let folder = Folder::new();
    let content: Vec<u8> = (0..40_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let (first, second) = content.split_at(123_456);
    for (ending, pack) in PACKINGS {
        let parts = [pack(first), pack(b""), pack(second)].concat();
        let path = folder.file(&format!("a.txt{ending}"), parts);
        assert!(unpacked(&path, &Limits::default()) == (content.clone(), None), "{ending}");
    }
    // Zeros that pad a tape.
    let padded = [gzip(first), gzip(second), vec![0; 5000]].concat();
    assert_eq!(unpacked(&folder.file("b.gz", padded), &Limits::default()), (content.clone(), None));
    // Frames that Zstandard says are to be skipped.
    let skippable = [b"\x50\x2A\x4D\x18\x05\0\0\0hello".to_vec(), zstd(first), b"\x5F\x2A\x4D\x18\0\0\0\0".to_vec(), zstd(second)].concat();
    assert_eq!(unpacked(&folder.file("b.zst", skippable), &Limits::default()), (content, None));
}

/// See tests/reference/formats_fixtures.py.
#[test]
fn what_the_libraries_of_c_pack_is_read() {
    let folder = Folder::new();
    let lines: String = (0..3000_u64).map(|n| format!("line {n} {:x}\n", n * 0x9E37_79B9 % (1 << 32))).collect();
    let files = [
        ("lines.gz", include_bytes!("../../../../../tests/data/fixtures/formats/lines.gz").as_slice()),
        ("lines.bz2", include_bytes!("../../../../../tests/data/fixtures/formats/lines.bz2").as_slice()),
        ("lines.zst", include_bytes!("../../../../../tests/data/fixtures/formats/lines.zst").as_slice()),
    ];
    for (name, packed) in files {
        assert!(unpacked(&folder.file(name, packed), &Limits::default()) == (lines.clone().into_bytes(), None), "{name}");
    }
}

/// Two implementations, each by the other: `ruzstd` reads what is written here, and what it packs is read.
#[test]
fn zstandard_is_what_another_implementation_means_by_it() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl.zst", b"");
    let text = |n: u64| format!("{n} {}", format!("{:x} ", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(n as usize % 50));
    write(&path, |sink| (0..60_000).try_for_each(|n| sink.push(&Document::new(n.to_string(), text(n))))).unwrap();
    let packed = std::fs::read(&path).unwrap();
    let (mut rest, mut theirs) = (packed.as_slice(), Vec::new());
    while !rest.is_empty() {
        ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap().read_to_end(&mut theirs).unwrap();
    }
    let (ours, damage) = unpacked(&path, &Limits::default());
    assert!(ours == theirs && damage.is_none() && ours.len() > 8 << 20, "more than one frame");
    let packed = ruzstd::encoding::compress_to_vec(theirs.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    assert!(unpacked(&folder.file("b.zst", packed), &Limits::default()) == (theirs, None));
}

#[test]
fn empty_files_are_empty() {
    let folder = Folder::new();
    let formats = [text(false), text(true), jsonl(), Format::Tar { endings: Vec::new() }, Format::Warc {}, Format::Wikipedia {}];
    for (ending, pack) in PACKINGS {
        for format in formats.iter().chain([&Format::StackExchange { site: None }]) {
            for content in [Vec::new(), pack(b"")] {
                let found = folder.read(&format!("a{ending}"), content, format, &Limits::default());
                assert_eq!(found, Found { documents: Vec::new(), damage: Vec::new() }, "{ending} {format:?}");
            }
        }
    }
}

#[test]
fn what_comes_before_a_broken_end_is_delivered() {
    let folder = Folder::new();
    let lines: String = (0..90_000_u64).map(|n| format!("{{\"text\": \"line {}\"}}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let all = folder.read("a.jsonl", &lines, &jsonl(), &Limits::default());
    for (ending, pack) in &PACKINGS[1..] {
        let packed = pack(lines.as_bytes());
        // The end is missing.
        let found = folder.read(&format!("a.jsonl{ending}"), &packed[..packed.len() * 3 / 4], &jsonl(), &Limits::default());
        assert_eq!(found.rules(), ["truncated"], "{ending}");
        assert!(found.damage[0].place.contains("a.jsonl") && found.damage[0].place.contains("byte "), "{:?}", found.damage);
        let count = found.documents.len();
        assert!(count > 5000 && found.texts() == all.texts()[..count], "{ending}: {count}");
        // Something in it is another.
        let mut wrong = packed.clone();
        let at = packed.len() * 3 / 4;
        wrong[at..at + 50].iter_mut().for_each(|byte| *byte = !*byte);
        let found = folder.read(&format!("a.jsonl{ending}"), &wrong, &jsonl(), &Limits::default());
        assert!(!found.damage.is_empty(), "{ending}");
        assert!(found.documents.len() > 5000 && found.texts()[..5000] == all.texts()[..5000], "{ending}");
        // The checksum is another.
        let mut wrong = packed.clone();
        let end = packed.len() - if *ending == ".gz" { 8 } else { 4 };
        wrong[end] ^= 1;
        let found = folder.read(&format!("a.jsonl{ending}"), &wrong, &jsonl(), &Limits::default());
        assert!(found.rules() == ["corrupt"] && found.documents.len() > 5000, "{ending}: {:?}", found.damage);
        // It is another thing altogether.
        let found = folder.read(&format!("a.jsonl{ending}"), &lines, &jsonl(), &Limits::default());
        assert_eq!(found.rules(), ["corrupt"], "{ending}");
    }
}

#[test]
fn bombs_are_defused() {
    let folder = Folder::new();
    let zeros = vec![b' '; 70 << 20];
    for (ending, pack) in &PACKINGS[1..] {
        let path = folder.file(&format!("bomb.jsonl{ending}"), [pack(b"{\"text\": \"a\"}\n"), pack(&zeros)].concat());
        let found = read(&path, &jsonl(), &Limits::default());
        assert!(found.texts() == ["a"] && found.rules() == ["bomb"], "{ending}: {:?}", found.damage);
        assert!(found.damage[0].message.contains("ratio"), "{:?}", found.damage);
        // Whoever knows better may say so.
        let generous = Limits { ratio: u64::MAX, ..Limits::default() };
        let found = read(&path, &jsonl(), &generous);
        assert_eq!(found.rules(), ["too_long"], "{ending}");
        let strict = Limits { unpacked_bytes: 1 << 20, ..generous };
        let found = read(&path, &jsonl(), &strict);
        assert!(found.texts() == ["a"] && found.rules() == ["bomb"], "{ending}");
        assert!(found.damage[0].message.contains("unpacked_bytes"), "{:?}", found.damage);
    }
    // What is not packed is no bomb, however long.
    let long = folder.file("a.txt", "x".repeat(1000));
    assert_eq!(unpacked(&long, &Limits { unpacked_bytes: 10, ratio: 0, ..Limits::default() }).0.len(), 1000);
}

#[test]
fn what_has_been_read_of_a_file_is_counted() {
    let folder = Folder::new();
    let lines: String = (0..40_000_u64).map(|n| format!("{{\"text\": \"{:x}\"}}\n\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    for (ending, pack) in PACKINGS {
        for (name, format) in [("a.jsonl", jsonl()), ("a.txt", text(true))] {
            let path = folder.file(&format!("{name}{ending}"), pack(lines.as_bytes()));
            let size = path.metadata().unwrap().len();
            let mut reads = open(&Input::new(&path), &format, &Limits::default()).unwrap();
            let counter = reads.counter();
            let mut seen = Vec::new();
            while reads.next().is_some() {
                seen.push(counter.load(std::sync::atomic::Ordering::Relaxed));
            }
            assert!(seen.is_sorted() && *seen.last().unwrap() == size, "{name}{ending}: {:?} of {size}", seen.last());
            // Half of the documents are about half of the file, as far as decoders read ahead: bzip2's blocks are long.
            let (half, ahead) = (seen[seen.len() / 2], (1 << 20).min(size / 2));
            assert!(half > size / 4 && half < size / 2 + ahead, "{name}{ending}: {half} of {size}");
        }
    }
}
