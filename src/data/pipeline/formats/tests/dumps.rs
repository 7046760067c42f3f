//! Wikipedia and Stack Exchange.

use super::*;

const HEAD: &str = r#"<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base>
  </siteinfo>
"#;

fn page(title: &str, namespace: u32, id: u32, extra: &str, text: &str) -> String {
    format!(
        "  <page>\n    <title>{title}</title>\n    <ns>{namespace}</ns>\n    <id>{id}</id>\n{extra}    <revision>\n      <id>9{id}</id>\n      \
         <contributor><username>A &amp; B</username><id>3</id></contributor>\n      <model>wikitext</model>\n      \
         <text bytes=\"5\" xml:space=\"preserve\">{text}</text>\n      <sha1>abc</sha1>\n    </revision>\n  </page>\n"
    )
}

fn dump() -> String {
    let redirect = "    <redirect title=\"Ä\" />\n";
    [
        HEAD.to_string(),
        page("Ä &amp; B?", 0, 12, "", "'''Ä''' &lt;ref&gt;[[x|y]]&lt;/ref&gt; &amp;nbsp;\n\n== H ==\nzwei &#8211; drei"),
        page("Diskussion:Ä", 1, 13, "", "talk"),
        page("Ae", 0, 14, redirect, "#REDIRECT [[Ä]]"),
        page("Leer", 0, 15, "", ""),
        page("Zwei Wörter", 0, 16, "", "Text"),
        "</mediawiki>\n".into(),
    ]
    .concat()
}

#[test]
fn articles_of_a_dump_are_documents() {
    let folder = Folder::new();
    let parts = [bzip2(&dump().as_bytes()[..900]), bzip2(&dump().as_bytes()[900..])].concat();
    for (name, content) in [("a.xml", dump().into_bytes()), ("a.xml.bz2", parts)] {
        let found = folder.read(name, content, &Format::Wikipedia {}, &Limits::default());
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert_eq!(found.texts(), ["'''Ä''' <ref>[[x|y]]</ref> &nbsp;\n\n== H ==\nzwei – drei", "Text"]);
        assert_eq!(found.ids(), [format!("{name}#12"), format!("{name}#16")]);
        let meta = |number: usize, key| found.documents[number].meta(key).unwrap();
        assert_eq!([meta(0, "title"), meta(0, "language")], ["Ä & B?", "de"]);
        assert_eq!(meta(0, "url"), "https://de.wikipedia.org/wiki/%C3%84_%26_B%3F");
        assert_eq!(meta(1, "url"), "https://de.wikipedia.org/wiki/Zwei_W%C3%B6rter");
    }
}

#[test]
fn pages_that_are_broken_harm_no_other() {
    let folder = Folder::new();
    let good = page("Gut", 0, 1, "", "gut");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\n";
    let cases = [
        (page("Offen", 0, 2, "", "offen").replace("</page>", ""), "truncated"),
        (page("Falsch", 0, 2, "", "falsch").replace("</revision>", "</x>"), "xml"),
        (page("Lang", 0, 2, "", &"lang ".repeat(500)), "too_long"),
    ];
    for (wrong, rule) in cases {
        let content = [HEAD, &good, &wrong, &good, "</mediawiki>"].concat();
        let found = folder.read("a.xml", content, &Format::Wikipedia {}, &Limits { document_bytes: 1000, ..Limits::default() });
        assert_eq!((found.texts(), found.rules()), (vec!["gut", "gut"], vec![rule]));
    }
    let content = [bomb, HEAD, &page("Bombe", 0, 3, "", "&b;&b; &lt;")].concat();
    let found = folder.read("a.xml", content, &Format::Wikipedia {}, &Limits::default());
    assert_eq!((found.texts(), found.rules()), (vec!["&b;&b; <"], vec![]));
    let mut content = dump().into_bytes();
    let at = content.windows(4).position(|four| four == b"zwei").unwrap();
    content[at] = 0xFF;
    let found = folder.read("a.xml", content, &Format::Wikipedia {}, &Limits::default());
    assert_eq!((found.texts(), found.rules()), (vec!["Text"], vec!["not_utf8"]));
    let found = folder.read("a.xml", &dump().as_bytes()[..dump().len() - 60], &Format::Wikipedia {}, &Limits::default());
    assert_eq!((found.texts().len(), found.rules()), (1, vec!["truncated"]));
    // No dump at all, and one that says nothing of itself.
    assert!(folder.read("a.xml", "<page", &Format::Wikipedia {}, &Limits::default()).documents.is_empty());
    let found = folder.read("a.xml", good, &Format::Wikipedia {}, &Limits::default());
    assert_eq!(serde_json::to_string(&found.documents[0].meta).unwrap(), r#"{"title":"Gut"}"#);
}

fn posts(rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|row| format!("  <row {row} />\r\n")).collect();
    format!("\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<posts>\r\n{rows}</posts>")
}

const ROWS: [&str; 9] = [
    r#"Id="1" PostTypeId="1" AcceptedAnswerId="4" CreationDate="2020-01-01T00:00:00.000" Score="-3" Body="&lt;p&gt;How &amp;amp; why?&lt;/p&gt;&#xA;&lt;p&gt;x&lt;/p&gt;" Title="How?" Tags="&lt;c++&gt;&lt;io&gt;" ContentLicense="CC BY-SA 4.0""#,
    r#"Id="2" PostTypeId="1" Score="0" Body="b" Title="No answer" Tags="|rust|xml|""#,
    r#"Id="3" PostTypeId="2" ParentId="1" Score="9" Body="nine""#,
    r#"Id="4" PostTypeId="2" ParentId="1" Score="10" Body="ten""#,
    r#"Id="5" PostTypeId="2" ParentId="1" Score="-1" Body="minus one""#,
    r#"Id="6" PostTypeId="2" ParentId="77" Score="1" Body="an orphan""#,
    r#"Id="7" PostTypeId="5" Score="1" Body="a wiki""#,
    r#"Id="8" PostTypeId="2" ParentId="1" Score="-10" Body="minus ten""#,
    r#"Id="9" PostTypeId="2" ParentId="1" Score="9" Body="nine again""#,
];

#[test]
fn questions_have_their_answers_by_score() {
    let folder = Folder::new();
    // In memory, and with each post in a part of its own on the disk.
    for sort_bytes in [256 << 20, 1] {
        let limits = Limits { sort_bytes, ..Limits::default() };
        let found = folder.read("unix.stackexchange.com/Posts.xml", posts(&ROWS), &Format::StackExchange { site: None }, &limits);
        assert_eq!(found.ids(), ["Posts.xml#1", "Posts.xml#2"]);
        assert_eq!(found.rules(), ["orphan"]);
        assert!(found.damage[0].place.ends_with("post 6") && found.damage[0].message.contains("77"));
        let expected = serde_json::json!({
            "site": "unix.stackexchange.com",
            "url": "https://unix.stackexchange.com/questions/1",
            "date": "2020-01-01T00:00:00.000",
            "licence": "CC BY-SA 4.0",
            "tags": ["c++", "io"],
            "title": "How?",
            "score": -3,
            "body": "<p>How &amp; why?</p>\n<p>x</p>",
            "answers": [
                {"id": 4, "score": 10, "accepted": true, "body": "ten"},
                {"id": 3, "score": 9, "accepted": false, "body": "nine"},
                {"id": 9, "score": 9, "accepted": false, "body": "nine again"},
                {"id": 5, "score": -1, "accepted": false, "body": "minus one"},
                {"id": 8, "score": -10, "accepted": false, "body": "minus ten"},
            ],
        });
        assert_eq!(serde_json::Value::Object(found.documents[0].meta.clone()), expected);
        assert_eq!(found.documents[0].text, "");
        assert_eq!(found.documents[1].meta["tags"], serde_json::json!(["rust", "xml"]));
        assert_eq!(found.documents[1].meta["answers"], serde_json::json!([]));
    }
    let site = Format::StackExchange { site: Some("example.org".into()) };
    let found = folder.read("Posts.xml", posts(&ROWS[..1]), &site, &Limits::default());
    assert_eq!(found.documents[0].meta("url"), Some("https://example.org/questions/1"));
}

#[test]
fn the_order_of_posts_does_not_matter() {
    let folder = Folder::new();
    let format = Format::StackExchange { site: None };
    let in_order = folder.read("Posts.xml", posts(&ROWS), &format, &Limits::default());
    let mut rows = ROWS;
    rows.reverse();
    assert_eq!(folder.read("Posts.xml", posts(&rows), &format, &Limits::default()), in_order);
}

#[test]
fn rows_that_are_broken_harm_no_other() {
    let folder = Folder::new();
    let format = Format::StackExchange { site: None };
    let long = format!(r#"Id="10" PostTypeId="1" Body="{}""#, "x".repeat(2000));
    let wrong = [
        (r#"Id="10" PostTypeId="1" Body="open"#, "xml"),
        (r#"Id="ten" PostTypeId="1" Body="b""#, "xml"),
        (r#"Id="10" PostTypeId="2" Body="no parent""#, "xml"),
        (r#"Id="10" PostTypeId="1" Body="b" Score="much""#, "xml"),
        (r#"Id="10" PostTypeId="1" Body="&bomb;&bomb;""#, "xml"),
        (r#"Id="10" PostTypeId="2" ParentId="1" Body="&bomb;&bomb;""#, "xml"),
        (r#"Id="10" PostTypeId="1" /><row Id="11" PostTypeId="1""#, "xml"),
        (r#"Id="2" PostTypeId="1" Title="again""#, "duplicate"),
        (long.as_str(), "too_long"),
    ];
    for (row, rule) in wrong {
        let rows = [ROWS[0], row, ROWS[1], ROWS[3]];
        let found = folder.read("Posts.xml", posts(&rows), &format, &Limits { document_bytes: 1000, ..Limits::default() });
        assert_eq!((found.ids(), found.rules()), (vec!["Posts.xml#1", "Posts.xml#2"], vec![rule]), "{row}");
        assert_eq!(found.documents[0].meta["answers"].as_array().unwrap().len(), 1);
    }
    // A question whose answers together are too much.
    let answer = format!(r#"Id="20" PostTypeId="2" ParentId="1" Body="{}""#, "y".repeat(800));
    let rows = [ROWS[0], ROWS[1], &answer, ROWS[3]];
    let found = folder.read("Posts.xml", posts(&rows), &format, &Limits { document_bytes: 1000, ..Limits::default() });
    assert_eq!((found.ids(), found.rules()), (vec!["Posts.xml#2"], vec!["too_long"]));
    // A document type with entities that expand is nobody's.
    let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE posts [\n<!ENTITY a \"aaaa\">\n<!ENTITY b \"&a;&a;\">\n]>\n";
    let found = folder.read("Posts.xml", [bomb, &posts(&ROWS[..2])].concat(), &format, &Limits::default());
    assert_eq!((found.documents.len(), found.rules()), (2, vec!["xml"]), "but for the byte order mark amid the file");
}
