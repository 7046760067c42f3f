//! Parquet as PyArrow writes it; see tests/reference/formats_fixtures.py.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../../../tests/data/fixtures/formats/", $name)).as_slice())
    };
}

fn rows() -> Format {
    Format::Parquet { text: "text".into(), id: "id".into(), columns: None }
}

fn expect_rows(name: &str, found: &Found) {
    assert!(found.damage.is_empty(), "{name}: {:?}", found.damage);
    assert_eq!(found.documents.len(), 120, "{name}");
    for (n, document) in found.documents.iter().enumerate() {
        assert_eq!(document.text, format!("Row {n} has some text, été comme hiver. ").repeat(n % 7), "{name}");
        assert_eq!(document.id, format!("row-{n}"));
        let mut meta = serde_json::Map::new();
        if n % 5 > 0 {
            meta.insert("url".into(), format!("https://example.org/{}", n % 11).into());
        }
        meta.insert("score".into(), (n as f64 / 4.0).into());
        meta.insert("tags".into(), (0..n % 3).map(|k| format!("t{k}")).collect::<Vec<_>>().into());
        meta.insert("nested".into(), serde_json::json!({"a": n, "b": n.to_string()}));
        meta.insert("file".into(), format!("{name}#{}", n + 1).into());
        assert_eq!(document.meta, meta, "{name} {n}");
    }
}

#[test]
fn rows_are_documents_however_they_are_packed() {
    let folder = Folder::new();
    let files = [
        fixture!("none-v1.parquet"),
        fixture!("none-v2.parquet"),
        fixture!("snappy-v1.parquet"),
        fixture!("snappy-v2.parquet"),
        fixture!("gzip-v1.parquet"),
        fixture!("gzip-v2.parquet"),
        fixture!("zstd-v1.parquet"),
        fixture!("zstd-v2.parquet"),
    ];
    for (name, content) in files {
        expect_rows(name, &folder.read(name, content, &rows(), &Limits::default()));
    }
    let (name, content) = files[2];
    let some = Format::Parquet { text: "text".into(), id: "score".into(), columns: Some(vec!["url".into()]) };
    let found = folder.read(name, content, &some, &Limits::default());
    assert!(found.documents[1].id == "snappy-v1.parquet#2" && found.documents[1].meta("url").is_some());
    assert_eq!(found.documents[1].meta.len(), 2, "{:?}", found.documents[1].meta);
}

#[test]
fn columns_that_are_missing_are_errors_that_name_those_there_are() {
    let folder = Folder::new();
    let (name, content) = fixture!("no-text.parquet");
    let path = folder.file(name, content);
    let open = |format: &Format| open(&Input::new(&path), format, &Limits::default()).err().unwrap().to_string();
    let error = open(&rows());
    assert!(error.contains("no column \"text\"; the columns are content, name"), "{error}");
    let error = open(&Format::Parquet { text: "name".into(), id: "id".into(), columns: Some(vec!["url".into()]) });
    assert!(error.contains("no column \"url\"; the columns are content, name"), "{error}");
    folder.file(name, "PAR1 is not enough PAR1");
    assert!(open(&rows()).contains("not a Parquet file"));
    folder.file(name, "");
    assert!(open(&rows()).contains("not a Parquet file"));
}

#[test]
fn rows_without_text_and_pages_that_cannot_be_unpacked_are_told() {
    let folder = Folder::new();
    let (name, content) = fixture!("nulls.parquet");
    let found = folder.read(name, content, &rows(), &Limits::default());
    assert_eq!((found.texts(), found.rules(), found.ids()), (vec!["a", "c"], vec!["no_text"], vec!["nulls.parquet#1", "nulls.parquet#3"]));
    let number = Format::Parquet { text: "number".into(), id: "id".into(), columns: None };
    assert_eq!(folder.read(name, content, &number, &Limits::default()).rules(), ["no_text"; 3]);
    let (name, content) = fixture!("long.parquet");
    let found = folder.read(name, content, &rows(), &Limits { document_bytes: 999, ..Limits::default() });
    assert_eq!((found.texts(), found.rules()), (vec!["short", "also"], vec!["too_long"]));
    for (name, content) in [fixture!("brotli-v1.parquet"), fixture!("brotli-v2.parquet")] {
        let found = folder.read(name, content, &rows(), &Limits::default());
        assert_eq!((found.documents.len(), found.rules()), (0, vec!["parquet"; 3]));
        assert!(found.damage[0].message.contains("BROTLI"), "{:?}", found.damage);
    }
    for (name, content) in [fixture!("gzip-v1.parquet"), fixture!("snappy-v1.parquet"), fixture!("zstd-v2.parquet")] {
        let found = folder.read(name, content, &rows(), &Limits { document_bytes: 20, ..Limits::default() });
        assert!(
            found.rules().contains(&"parquet")
                && found.texts().iter().all(|text| text.len() <= 20)
                && found.damage.iter().all(|damage| damage.message.contains("document_bytes")),
            "{name}: {:?}",
            found.damage
        );
    }
}
