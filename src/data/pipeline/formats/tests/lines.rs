//! Text and JSON lines, and writing them.

use super::*;

#[test]
fn a_file_is_a_text() {
    let folder = Folder::new();
    let found = folder.read("a.txt", "\u{FEFF}one\n\ntwo\n", &text(false), &Limits::default());
    assert_eq!((found.texts(), found.ids()), (vec!["one\n\ntwo\n"], vec!["a.txt#0"]));
    assert_eq!(found.documents[0].meta("path"), Some("a.txt"));
    let wrong: [(&[u8], &str, &str); 4] = [
        (b"fine\xFF", "not_utf8", "0xFF at 4"),
        (b"\x7FELF\0", "binary", "zero byte at 4"),
        (b"\xFF\xFEh\0i\0", "binary", "UTF-16"),
        (b"12345678901", "too_long", "document_bytes"),
    ];
    for (content, rule, message) in wrong {
        let found = folder.read("b.txt", content, &text(false), &Limits { document_bytes: 10, ..Limits::default() });
        assert_eq!(found.rules(), [rule]);
        assert!(found.damage[0].message.contains(message) && found.damage[0].place.ends_with("b.txt"), "{:?}", found.damage);
    }
}

#[test]
fn paragraphs_are_texts() {
    let folder = Folder::new();
    let content = "\n  \none\ntwo  \n\n\nthree\r\n\t\r\nfour";
    let found = folder.read("a.txt", content, &text(true), &Limits::default());
    assert_eq!(found.texts(), ["one\ntwo", "three", "four"]);
    assert_eq!(found.ids(), ["a.txt#4", "a.txt#16", "a.txt#26"]);
    let long = "short\n\nlonger than\nten bytes\n\n123456789012345\n\nok";
    let found = folder.read("a.txt", long, &text(true), &Limits { document_bytes: 12, ..Limits::default() });
    assert_eq!((found.texts(), found.rules()), (vec!["short", "ok"], vec!["too_long", "too_long"]));
    let found = folder.read("a.txt", b"one\n\ntwo\nt\xFFo\ntwo\n\nthree", &text(true), &Limits::default());
    assert_eq!((found.texts(), found.rules()), (vec!["one", "three"], vec!["not_utf8"]));
}

#[test]
fn fields_of_a_line_are_known_of_the_text() {
    let folder = Folder::new();
    let content = concat!(
        "{\"text\": \"one\\n\", \"id\": \"x\", \"url\": \"u\", \"score\": 0.1, \"source\": \"web\"}\r\n",
        "\n  \n",
        "{\"n\": null, \"text\": \"tw\\u00f6\", \"id\": 12, \"meta\": {\"a\": [1, {\"b\": 2}]}, \"source\": 3}\n",
        "{\"text\": \"\"}",
    );
    let found = folder.read("a.jsonl", content, &jsonl(), &Limits::default());
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    let last = format!("a.jsonl#{}", content.rfind('{').unwrap());
    assert_eq!((found.texts(), found.ids()), (vec!["one\n", "twö", ""], vec!["x", "12", last.as_str()]));
    let lines: Vec<String> = found.documents.iter().map(|document| serde_json::to_string(document).unwrap()).collect();
    assert_eq!(lines[0], r#"{"id":"x","text":"one\n","source":"web","meta":{"url":"u","score":0.1,"file":"a.jsonl#0"}}"#);
    let second = content.find("{\"n\"").unwrap();
    assert_eq!(
        lines[1],
        format!(r#"{{"id":"12","text":"twö","meta":{{"n":null,"a":[1,{{"b":2}}],"source":3,"file":"a.jsonl#{second}"}}}}"#)
    );
    assert!(found.documents[2].meta.is_empty(), "its id says where it is");

    let content = "{\"code\": \"a\", \"path\": \"p\", \"text\": 1}\n";
    let format = Format::Jsonl { text: "code".into(), id: "path".into() };
    let found = folder.read("b.jsonl", content, &format, &Limits::default());
    assert_eq!(serde_json::to_string(&found.documents[0]).unwrap(), r#"{"id":"p","text":"a","meta":{"text":1,"file":"b.jsonl#0"}}"#);
}

#[test]
fn lines_that_are_wrong_are_told_and_passed_over() {
    let folder = Folder::new();
    let mut content = Vec::new();
    let wrong: [(&[u8], &str, &str); 9] = [
        (b"{\"text\": ", "not_json", "not a JSON object"),
        (b"[1]", "not_json", "expected an object"),
        (b"{\"text\": \"a\"} {}", "not_json", "trailing"),
        (b"{\"text\": 3}", "no_text", "is no string"),
        (b"{\"body\": \"two\", \"id\": 1}", "no_text", "there is no field \"text\", but \"body\""),
        (b"{}", "no_text", "there is no field \"text\""),
        (b"{\"text\": \"\xFF\"}", "not_utf8", "at byte 10"),
        (&[b'x'; 60], "too_long", "a line of 60 bytes"),
        (b"{\"text\": \"a\0b\"}", "not_json", "control character"),
    ];
    content.extend(b"{\"text\": \"begin\"}\n".repeat(500));
    for (line, ..) in wrong {
        content.extend_from_slice(line);
        content.extend_from_slice(b"\n{\"text\": \"next\"}\n");
    }
    let found = folder.read("a.jsonl", &content, &jsonl(), &Limits { document_bytes: 50, ..Limits::default() });
    assert_eq!(found.texts()[500..], ["next"; 9]);
    assert_eq!(found.damage.len(), 9);
    for (damage, (line, rule, message)) in found.damage.iter().zip(wrong) {
        assert!(damage.rule == rule && damage.message.contains(message), "{damage:?}");
        let whole = [b"\n", line, b"\n"].concat();
        let at = content.windows(whole.len()).position(|part| part == whole).unwrap() + 1;
        assert!(damage.place.ends_with(&format!("a.jsonl, byte {at}")), "{damage:?} {at}");
    }
    let found = folder.read("b.jsonl", [b"{\"text\": \"a\"}\n\0".as_slice(), &content].concat(), &jsonl(), &Limits::default());
    assert!(found.documents.is_empty() && found.rules() == ["binary"]);
    let deep = format!("{{\"text\": \"a\", \"x\": {}}}", "[".repeat(100_000));
    assert_eq!(folder.read("c.jsonl", deep, &jsonl(), &Limits::default()).rules(), ["not_json"]);
}

#[test]
fn parts_of_a_file_are_the_file() {
    let folder = Folder::new();
    let content: String = (0..300).map(|n| format!("{{\"text\": \"{}\"}}\n", "x".repeat(n % 50))).collect();
    for content in [content.clone(), content.trim_end().to_string(), content.replace('\n', "\n\n\r\n")] {
        let path = folder.file("a.jsonl", &content);
        let whole = read(&path, &jsonl(), &Limits::default());
        assert_eq!(whole.documents.len(), 300);
        for size in [1, 7, 60, 61, 1000, 100_000] {
            let parts = ranges(&path, size).unwrap();
            assert!(parts.iter().all(|part| part.start == 0 || content.as_bytes()[part.start as usize - 1] == b'\n'));
            assert!(parts.windows(2).all(|two| two[0].end == two[1].start && two[0].start < two[0].end));
            assert_eq!((parts[0].start, parts.last().unwrap().end), (0, content.len() as u64));
            assert!(size < 1000 || parts.len() as u64 <= content.len() as u64 / size + 1);
            let mut found = Found { documents: Vec::new(), damage: Vec::new() };
            for part in parts {
                let part = collect(open_range(&Input::new(&path), &jsonl(), &Limits::default(), part).unwrap());
                found.documents.extend(part.documents);
                found.damage.extend(part.damage);
            }
            assert!(found == whole, "size {size}");
        }
    }
    assert!(ranges(&folder.file("empty.jsonl", ""), 10).unwrap().is_empty());
    assert!(ranges(&folder.file("a.jsonl", "x"), 0).is_err());
    let packed = folder.file("a.jsonl.gz", gzip(content.as_bytes()));
    let packed = Input::new(&packed);
    assert_eq!(ranges(&packed.path, 10).unwrap(), Vec::from_iter([WHOLE]));
    assert_eq!(collect(open_range(&packed, &jsonl(), &Limits::default(), WHOLE).unwrap()).documents.len(), 300);
    let error = open_range(&packed, &jsonl(), &Limits::default(), 0..10).err().unwrap();
    assert!(error.to_string().contains("from its middle"));
    let error = open_range(&packed, &Format::Warc {}, &Limits::default(), 0..10).err().unwrap();
    assert!(error.to_string().contains("a part of a file"), "{error}");
    assert!(open_range(&packed, &Format::Warc {}, &Limits::default(), WHOLE).is_ok());
    let path = Input::new(&folder.file("b.jsonl", &content));
    assert!(parts(&path, &jsonl(), 1000).unwrap().len() > 5);
    assert_eq!(parts(&path, &text(true), 1000).unwrap(), Vec::from_iter([WHOLE]));
}

#[test]
fn what_is_written_is_read_and_the_same_each_time() {
    let folder = Folder::new();
    let mut documents: Vec<Document> = (0..2000_u64)
        .map(|n| {
            let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut document = Document::new(format!("d{n}"), format!("{mixed:x} \"é\"\n").repeat((mixed % 400) as usize));
            document.source = if n % 2 == 0 { "web".into() } else { String::new() };
            document.meta.insert("score".into(), (mixed as f64 / 3.0).into());
            document.meta.insert("meta".into(), serde_json::json!({"deep": [n, null]}));
            document
        })
        .collect();
    // What could be taken for a part of the line itself.
    documents[5].meta = serde_json::Map::new();
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let paths = ["x", "y"].map(|folder_name| folder.file(&format!("{folder_name}/{name}"), "before"));
        for path in &paths {
            let written = write(path, |sink| documents.iter().try_for_each(|document| sink.push(document))).unwrap();
            assert_eq!(written.documents, 2000);
            assert!(written.bytes > 8 << 20, "several frames: {}", written.bytes);
        }
        let [first, second] = paths.map(|path| std::fs::read(path).unwrap());
        assert!(first == second, "{name}");
        let mut found = read(&folder.0.path().join("x").join(name), &jsonl(), &Limits::default());
        assert!(found.documents.iter_mut().all(|document| document.meta.shift_remove("file").is_some()));
        assert!(found.damage.is_empty() && found.documents == documents, "{name}");
        // A failure leaves what was there, and nothing else.
        let path = folder.0.path().join("x").join(name);
        let failed = write(&path, |sink| {
            sink.push(&documents[0])?;
            Err(crate::settings::Error::Interrupted("test".into()))
        });
        assert!(failed.is_err() && std::fs::read(&path).unwrap() == first);
    }
    assert_eq!(std::fs::read_dir(folder.0.path().join("x")).unwrap().count(), 3);
    assert_eq!(write(&folder.0.path().join("empty.jsonl.zst"), |_| Ok(())).unwrap(), Written::default());
    assert!(read(&folder.0.path().join("empty.jsonl.zst"), &jsonl(), &Limits::default()).documents.is_empty());
    assert!(write(&folder.0.path().join("a.jsonl.bz2"), |_| Ok(())).unwrap_err().to_string().contains("bzip2"));
}
