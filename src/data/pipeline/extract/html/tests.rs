use super::*;
use proptest::prelude::*;
use std::time::Instant;

fn lines(html: &str) -> String {
    text(html, false).text
}

/// Pages beside this crate, with the lines that lxml and BeautifulSoup find in them (`tests/reference/extract_html.py`).
const PAGES: [(&str, &str); 4] = [
    (
        include_str!("../../../../../tests/data/fixtures/extract/html/article.html"),
        include_str!("../../../../../tests/data/fixtures/extract/html/article.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/html/forum.html"),
        include_str!("../../../../../tests/data/fixtures/extract/html/forum.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/html/messy.html"),
        include_str!("../../../../../tests/data/fixtures/extract/html/messy.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/html/languages.html"),
        include_str!("../../../../../tests/data/fixtures/extract/html/languages.txt"),
    ),
];

#[test]
fn pages_have_the_lines_that_a_browser_like_parser_finds() {
    for (page, expected) in PAGES {
        assert_eq!(lines(page), expected.trim_end());
    }
}

#[test]
fn blocks_end_lines() {
    for (html, expected) in [
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<p>one<p>two<div>three</div>four", "one\ntwo\nthree\nfour"),
        ("a <b>b</b> <i>c</i>d", "a b cd"),
        ("a<br>b<br/><br>c</br>d</p>e", "a\nb\nc\nd\ne"),
        ("<h1> Title </h1>\n  text\n  goes \t on", "Title\ntext goes on"),
        ("<div><div>a</div></div><section>b<footer>c</footer></section>", "a\nb\nc"),
        ("x<hr>y", "x\ny"),
        ("<span>a</span><span>b</span>", "ab"),
        ("a &lt;b&gt; &amp; c&nbsp;d &hellip;", "a <b> & c d …"),
        ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"),
        ("<", "<"),
        ("a<", "a<"),
        ("", ""),
        ("  \n ", ""),
    ] {
        assert_eq!(lines(html), expected, "{html}");
    }
}

#[test]
fn lists_and_tables() {
    assert_eq!(lines("<ul><li>one<li>two<ul><li>deep</ul></ul>after"), "one\ntwo\ndeep\nafter");
    assert_eq!(text("<ul><li><p>one</p><li></li><li>two</ul>after", true).text, "- one\n- two\nafter");
    assert_eq!(lines("<table><tr><th>a<th>b<tr><td>1<td>2</table>c"), "a\tb\n1\t2\nc");
    assert_eq!(lines("<table><tr><td> <td>x</td><td><p>y</p></td></tr></table>"), "x\ny");
    assert_eq!(lines("<dl><dt>term<dd>text</dl>"), "term\ntext");
    assert_eq!(lines("<select><option>a<option>b</select>"), "a\nb");
}

#[test]
fn preformatted_text_keeps_its_blanks() {
    assert_eq!(lines("<pre>\n  a\n\n    b &lt;\n</pre>after"), "  a\n\n    b <\nafter");
    assert_eq!(lines("x<pre><code>f()\n  g()</code></pre>y"), "x\nf()\n  g()\ny");
    assert_eq!(lines("<pre>a<br><br>b</pre>"), "a\n\nb");
    assert_eq!(lines("<pre>a\r\nb</pre>  c   d"), "a\nb\nc d");
}

#[test]
fn what_is_not_seen_is_left_out() {
    for html in [
        "a<script>if (x < 1) { document.write('<p>no</p>') }</script>b",
        "a<STYLE>p > q { content: '</p>' }</STYLE >b",
        "a<!-- <p>no</p> -- > -->b",
        "a<!-->b",
        "a<!--->b",
        "a<!-- x --!>b",
        "a<!doctype html>b",
        "a<?xml version=\"1.0\"?>b",
        "a</ no>b",
        "a<span hidden>no</span>b",
        "a<span style='color: red; DISPLAY : None !important'>no<span>no</span></span>b",
        "a<i style=\"visibility:hidden\">no</i>b",
        "a<noscript><img src=x>no</noscript>b",
        "a<template><b>no</b></template>b",
        "a<svg><title>no</title><path d='M0'/><text>no</text></svg>b",
        "a<svg/>b",
        "a<textarea>no</textarea>b",
        "a<iframe src=x>no</iframe>b",
        "a<o:p/>b",
        "a<img alt='no' title=no>b",
        "a<input value=no>b",
    ] {
        assert_eq!(lines(html), "ab", "{html}");
    }
    assert_eq!(lines("a<div hidden>no<p>no</div><div>b</div>"), "a\nb");
    assert_eq!(lines("<p hidden>no<p>b"), "b");
    assert_eq!(lines("<div><p style=display:none>no</div>b"), "b");
    assert_eq!(lines("<ul><li hidden>no<li>b</ul>"), "b");
    assert_eq!(lines("<div hidden=until-found>b</div>"), "b");
    assert_eq!(lines("<body style='display:none'>b"), "b");
    assert_eq!(lines("a<script>never ends <p>no"), "a");
}

#[test]
fn titles() {
    let page = text("<head><title> A &amp;\n B <i> </title></head><body>c<title>d</title>", false);
    assert_eq!((page.title.as_str(), page.text.as_str()), ("A & B <i>", "A & B <i>\nc\nd"));
    assert_eq!(text("<title>never ends<p>b", false).text, "never ends\nb");
    let mut document = Document::new("1", "<title>T</title><p>x");
    assert_eq!(Html::default().apply(&mut document, &mut Counts::default()), Verdict::Keep);
    assert_eq!(document.meta("title"), Some("T"));
    let empty = Html::default().apply(&mut Document::new("1", "<img>"), &mut Counts::default());
    assert_eq!(empty, Verdict::Drop("html.empty"));
}

#[test]
fn attributes_however_they_are_quoted() {
    for html in [
        "<p title='a > b' class=x>y</p>",
        "<p title=\"a > b\">y</p>",
        "<p a=b/c d>y</p>",
        "<p/title=x>y</p>",
        "<p =x>y</p>",
        "<p \n\t class = \"x\"\n>y</p>",
        "<p é=ü>y</p>",
    ] {
        assert_eq!(lines(html), "y", "{html}");
    }
    // A quote that is never closed is a part of the value.
    assert_eq!(lines("<p title=\"x>y</p>"), "y");
}

#[test]
fn main_content() {
    let rules = Html { part: Part::Main, ..Html::default() };
    let mut counts = Counts::default();
    let page = rules.extract(PAGES[0].0, &mut counts);
    assert_eq!(counts, Counts::default());
    assert!(page.text.contains("The mill stands where the two rivers meet"), "{}", page.text);
    assert!(page.text.contains("grain & water < stone"), "{}", page.text);
    for boilerplate in ["Subscribe to our newsletter", "Cookie settings", "Related stories", "Home"] {
        assert!(lines(PAGES[0].0).contains(boilerplate));
        assert!(!page.text.contains(boilerplate), "{boilerplate} in {}", page.text);
    }
    assert_eq!(page.title, "The old mill | Valley News");
    let marks = "<p>".to_string() + &"1 < 2 &amp;lt; 3 > 2&nbsp;&#xfdd0; \u{fdd1}, ".repeat(20);
    let shown = "1 < 2 &lt; 3 > 2 \u{fffd} \u{fffd}, ".repeat(20);
    assert_eq!(rules.extract(&marks, &mut Counts::default()).text, shown.trim_end());
}

#[test]
fn main_content_falls_back_to_all_and_says_so() {
    let mut counts = Counts::default();
    let rules = Html { part: Part::Main, ..Html::default() };
    assert_eq!(rules.extract("<title>t</title>", &mut counts).text, "t");
    assert_eq!(counts.get("html.main_not_found").times, 1);
    let large = Html { max_main_bytes: 10, ..rules.clone() };
    assert_eq!(large.extract("<p>one</p><p>two</p>", &mut counts).text, "one\ntwo");
    assert_eq!(counts.get("html.main_too_large").times, 1);
    let many = Html { max_main_elements: 3, ..rules };
    assert_eq!(many.extract("<p>a<p>b<p>c<p>d", &mut counts).text, "a\nb\nc\nd");
    assert_eq!(counts.get("html.main_not_found").times, 2);
}

/// Pages that are written to be slow, about `size` bytes long.
fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let many = |unit: &str| unit.repeat(size / unit.len());
    let half = |unit: &str| unit.repeat(size / 2 / unit.len());
    vec![
        ("nested blocks", many("<div>") + "x"),
        ("nested lines", many("<b>") + "x"),
        ("nested spans, other end tags", half("<span>") + &half("</i>") + "x"),
        ("blocks in lines", many("<b><div>") + "x"),
        ("end tags of what is far away", "<ul>".to_string() + &half("<em>") + &half("</ul></a>") + "x"),
        ("end tags", many("</div></p></x></span>") + "x"),
        ("comments that never end", many("<!-- -") + "x"),
        ("dashes", "<!--".to_string() + &many("-") + "x"),
        ("scripts that never end", many("<script>") + "x"),
        ("titles that never end", many("<title>") + "x"),
        ("end tags that are longer", "<title>".to_string() + &many("</titles>") + "x"),
        ("quotes that never end", many("<a b=\"c' ") + "x"),
        ("one attribute each", "<a ".to_string() + &many("b=c ") + ">x"),
        ("formatting and paragraphs", many("<p><font a=1><b>y") + "x"),
        ("paragraphs in tables", many("<table><tr><td><p>") + "x"),
        ("tables without cells", many("<table>y") + "x"),
        ("references", many("&notanentityatall") + "x"),
        ("numbers", "&#".to_string() + &many("9") + "x"),
        ("less than", many("<") + "x"),
        ("marks", many("&amp;x<>")),
        ("blanks", many(" \u{a0}") + "x"),
        ("blanks in blocks", many("<pre> \n</pre>") + "x"),
        ("breaks", many("<br>") + "x"),
        ("links", many("<a href=#><a>y") + "x"),
        ("options", many("<select><option>") + "x"),
        ("frames", many("<svg><p><svg>") + "</svg>x"),
    ]
}

#[test]
fn hostile_pages_take_linear_time_and_room() {
    for (name, page) in hostile(1_000_000) {
        let start = Instant::now();
        let text = lines(&page);
        assert!(text.len() <= 2 * page.len() + 100, "{name}");
        assert!(start.elapsed().as_secs_f64() < 10.0, "{name}: {:?}", start.elapsed());
    }
    // A hundred thousand open elements.
    let deep = "<div>".repeat(100_000) + "text" + &"</div>".repeat(100_000);
    assert_eq!(lines(&deep), "text");
    let mut counts = Counts::default();
    let rules = Html { part: Part::Main, max_main_elements: usize::MAX, max_main_bytes: usize::MAX, ..Html::default() };
    assert_eq!(rules.extract(&deep, &mut counts).text, "text");
}

#[test]
fn hostile_pages_have_a_main_content() {
    let rules = Html { part: Part::Main, ..Html::default() };
    for (name, page) in hostile(100_000) {
        let start = Instant::now();
        let text = rules.extract(&page, &mut Counts::default()).text;
        assert!(text.len() <= 2 * page.len() + 100, "{name}");
        assert!(start.elapsed().as_secs_f64() < 20.0, "{name}: {:?}", start.elapsed());
    }
}

#[rustfmt::skip]
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "<div>", "</div>", "<p>", "</p>", "<b>", "</b>", "<pre>", "</pre>", "<li>", "<ul>", "</ul>", "<td>", "<tr>", "<table>",
        "</table>", "<br>", "<script>", "</script>", "<title>", "</title>", "<!--", "-->", "<a href=\"", "\">", "'", "<span hidden>",
        "</span>", "&amp;", "&#x", "&nbsp", "é", "\u{a0}", " ", "\n", "text", "<", ">", "=", "<svg", "</", "<x", "/>", "漢", "<p style='",
    ]);
    prop::collection::vec(fragment, 0..60).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn any_page_gives_lines(html in fragments()) {
        let page = text(&html, true);
        prop_assert!(page.text.len() <= 3 * html.len());
        prop_assert_eq!(page.text.trim_end(), &page.text);
        // All of it came from the page.
        prop_assert!(page.text.matches("text").count() <= html.matches("text").count());
        prop_assert_eq!(text(&html, true), page);
    }

    #[test]
    fn any_page_has_a_main_content(html in fragments()) {
        let rules = Html { part: Part::Main, ..Html::default() };
        let main = rules.extract(&html, &mut Counts::default());
        prop_assert!(main.text.matches("text").count() <= html.matches("text").count());
    }

    /// Plain text without marks is its words.
    #[test]
    fn words_stay(words in prop::collection::vec("[a-zéß漢]{1,8}", 1..40)) {
        let html = words.iter().map(|word| format!("<p>{word}</p>")).collect::<String>();
        prop_assert_eq!(lines(&html), words.join("\n"));
        prop_assert_eq!(lines(&words.join(" \n")), words.join(" "));
    }
}
