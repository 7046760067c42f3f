use super::*;
use proptest::prelude::*;
use std::time::Instant;

fn plain(wikitext: &str) -> String {
    Wikitext::default().extract(wikitext, &mut Counts::default())
}

/// Pages beside this crate, with their text written by hand.
const PAGES: [(&str, &str); 5] = [
    (
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/en.wiki"),
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/en.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/de.wiki"),
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/de.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/fr.wiki"),
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/fr.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/ru.wiki"),
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/ru.txt"),
    ),
    (
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/sr.wiki"),
        include_str!("../../../../../tests/data/fixtures/extract/wikitext/sr.txt"),
    ),
];

#[test]
fn pages_in_several_languages() {
    for (page, expected) in PAGES {
        assert_eq!(plain(page), expected.trim_end());
    }
}

/// `strip_code` of mwparserfromhell on pieces where both should agree, but for blanks at ends of lines.
///
/// They differ on purpose, beside options, in: tables and `File:` links (it keeps cells and captions), categories and links to other
/// languages (it keeps their names), magic words (it keeps them), no-break spaces (it keeps them), `<br>` (it gives nothing, here it is a
/// line break), contents of `<ref>` and defaults of parameters (it keeps them), galleries kept by option, and marks that are opened and never closed (it keeps them).
#[test]
fn simple_markup_is_taken_off_as_by_mwparserfromhell() {
    #[derive(Deserialize)]
    struct Piece {
        wikitext: String,
        text: String,
    }
    let pieces: Vec<Piece> = serde_json::from_str(include_str!("../../../../../tests/data/fixtures/extract/wikitext/simple.json")).unwrap();
    let words = |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n");
    let rules = Wikitext { drop_sections: vec![], empty_sections: Handling::Keep, math: Handling::Drop, ..Wikitext::default() };
    assert!(pieces.len() > 10);
    for piece in pieces {
        let text = rules.extract(&piece.wikitext, &mut Counts::default());
        let text = text.replace("]]", "");
        assert_eq!(words(&text).trim(), words(&piece.text.replace("]]", "")).trim(), "{}", piece.wikitext);
    }
}

#[test]
fn links() {
    for (wikitext, text) in [
        ("[[a]]s [[b|c]]d", "as cd"),
        ("[[a|b|c]]", "b|c"),
        ("[[Foo (bar)|]]", "Foo (bar)"),
        ("[[:Category:Towns]] [[:de:Ort|Ort]] [[:File:a.jpg]]", "Category:Towns Ort File:a.jpg"),
        ("a [[Category:Towns]]b [[Kategorie:X|y]][[fr:z]][[File:a.jpg]] c", "a b c"),
        ("x [[File:a.jpg|thumb|200px|a [[b|c]] ''d'' [http://e f] {{g}}]] y", "x y"),
        ("[[File:a.jpg|thumb|one\n\ntwo]] y", "y"),
        ("[http://a b c] [http://d] [//e f] [mailto:g h]", "b c f h"),
        ("[http://a [[b]] c]]", "b c]"),
        ("[not a link] a[1]", "[not a link] a[1]"),
        ("[[''a''|'''b''']]", "b"),
        ("[[[a]]]", "[a]"),
    ] {
        assert_eq!(plain(wikitext), text, "{wikitext}");
    }
}

#[test]
fn templates_and_parameters() {
    for (wikitext, text) in [
        ("a {{b}} c", "a c"),
        ("a{{b|{{c|d}}|e={{{f|{{g}}}}}}}h", "ah"),
        ("{{{{a}}b}}c", "c"),
        ("{{{{{a}}}}}b", "b"),
        ("{{a\n| b = {| c \n| d\n|}\n}}e", "e"),
        ("{{a|b|}}c", "c"),
        ("{{a|[[b|c]]|}}d", "d"),
        ("{{#if:a|b|c}}d {{PAGENAME}}", "d"),
        ("word ({{lang|x|y}}) word", "word word"),
        ("word ({{a}}, {{b}}) word", "word word"),
        ("word ({{a}}; 1900) word", "word (1900) word"),
        ("f() and ( ) stay", "f() and ( ) stay"),
        ("a {b} c } d", "a {b} c } d"),
    ] {
        assert_eq!(plain(wikitext), text, "{wikitext}");
    }
}

#[test]
fn tables() {
    for (wikitext, text) in [
        ("a\n{|\n|-\n| b || c\n|}\nd", "a\n\nd"),
        ("a\n{|\n|\n{|\n| b\n|}\n|}\nc", "a\n\nc"),
        ("a\n:{| class=x\n! b\n|}\nc", "a\n\nc"),
        ("a <table><tr><td>b<table></table></td></tr></table > c", "a c"),
        ("{{a|\n{|\n| b\n|}\n}}c", "c"),
    ] {
        assert_eq!(plain(wikitext), text, "{wikitext}");
    }
}

#[test]
fn tags_and_references() {
    for (wikitext, text) in [
        ("a<ref>b</ref>c<ref name=d/>e<ref group=\"f\">{{g}}</ref >h", "aceh"),
        ("a<REF>b</Ref>c", "ac"),
        ("a<br>b<br/>c</br>d", "a\nb\nc\nd"),
        ("a<br>\nb <p>c</p>\n\nd", "a\nb\nc\n\nd"),
        ("H<sub>2</sub>O <small>b</small> <center>c</center>d", "H2O b\nc\nd"),
        ("#include <stdio.h> and x<y", "include <stdio.h> and x<y"),
        ("<nowiki>{{a}} &amp; '''b'''</nowiki>c", "{{a}} & '''b'''c"),
        ("''a'<nowiki/>'b''", "a''b"),
        ("a<!-- b -->c<!---->d", "acd"),
        ("a\n<!-- alone -->\nb", "a\nb"),
        ("<math>x_{1}}</math> <ce>H2O</ce>", "$x_{1}}$ $H2O$"),
        ("a\n<pre>\n b [[c]]\n  d\n</pre>\ne", "a\n b [[c]]\n  d\ne"),
        ("a<references>b</references><timeline>c</timeline>d", "ad"),
        ("a <gallery>\nFile:b|c\n</gallery> d", "a d"),
        ("&lt;b&gt; &amp;amp; a&nbsp;b &unknown;", "<b> &amp; a b &unknown;"),
    ] {
        assert_eq!(plain(wikitext), text, "{wikitext}");
    }
}

#[test]
fn lines() {
    for (wikitext, text) in [
        ("''a'' '''b''' '''''c''''' d'e", "a b c d'e"),
        ("l'''Odyssée'' dit", "l'Odyssée dit"),
        ("''''a''' b", "'a b"),
        ("a\n\n\n\nb\nc", "a\n\nb\nc"),
        ("* a\n** b\n# c\n: d\n; e", "a\nb\nc\nd\ne"),
        ("a\n----\nb", "a\n\nb"),
        ("__TOC__a __NOTOC__ b__init__ __KEIN_INHALTSVERZEICHNIS__", "a b__init__"),
        ("a ~~~~ b ~ c", "a b ~ c"),
        ("-{a}- b", "a b"),
        ("a  b\u{a0}c \n d", "a b c\nd"),
        (" code", "code"),
    ] {
        assert_eq!(plain(wikitext), text, "{wikitext}");
    }
    let rules = Wikitext { bullets: true, ..Wikitext::default() };
    assert_eq!(rules.extract("* a\n:b\n## c", &mut Counts::default()), "- a\nb\n- c");
}

#[test]
fn headings_and_sections() {
    for (wikitext, text) in [
        ("= a =\nb\n==c==\nd", "a\nb\nc\nd"),
        ("== a '''b''' [[c|d]] ==\ne", "a b d\ne"),
        ("=== a ==\nb", "= a\nb"),
        ("a == b ==\n==\n=", "a == b ==\n==\n="),
        ("a\n== See also ==\n* b\n=== deeper ===\nc\n== D ==\ne", "a\n\nD\ne"),
        ("a\n== References ==\nb", "a"),
        ("a\n=== External links ===\nb\n=== C ===\nd\n== E ==\nf", "a\nC\nd\nE\nf"),
        ("a\n== B ==\n=== C ===\n{{d}}\n== E ==\nf\n== G ==\n", "a\n\nE\nf"),
    ] {
        assert_eq!(plain(wikitext).replace("\n\n", "\n"), text.replace("\n\n", "\n"), "{wikitext}");
    }
    let all = Wikitext { drop_sections: vec![], empty_sections: Handling::Keep, ..Wikitext::default() };
    assert_eq!(all.extract("== See also ==\n* b\n== C ==", &mut Counts::default()), "See also\nb\nC");
}

#[test]
fn options_keep_or_drop() {
    let page = "a <math>x</math> b\n<pre>c</pre>\n<gallery>\nFile:d|e [[f|g]]\n</gallery>";
    let rules = |math, code, galleries| Wikitext { math, code, galleries, ..Wikitext::default() };
    let (keep, drop) = (Handling::Keep, Handling::Drop);
    assert_eq!(rules(drop, drop, drop).extract(page, &mut Counts::default()), "a b");
    assert_eq!(rules(keep, keep, keep).extract(page, &mut Counts::default()), "a $x$ b\nc\ne g");
}

#[test]
fn templates_that_format_text_may_be_kept() {
    let rules = Wikitext { text_templates: Handling::Keep, ..Wikitext::default() };
    for (wikitext, text) in [
        ("It is {{convert|12|km|mi}} long{{mdash}}or {{nowrap|{{cvt|5|m}} ''high''}}{{citation needed}}.", "It is 12 km long—or 5 m high."),
        ("a {{lang|fr|[[mot|mots]]}} {{infobox|b}}c {{{1|d}}} {{{2}}}", "a mots c d"),
        ("a {{nowrap|b", "a nowrap|b"),
    ] {
        assert_eq!(rules.extract(wikitext, &mut Counts::default()), text, "{wikitext}");
    }
}

#[test]
fn redirects_and_empty_pages_are_dropped() {
    let judge = |text: &str| Wikitext::default().apply(&mut Document::new("1", text), &mut Counts::default());
    assert_eq!(judge("#REDIRECT [[A]]"), Verdict::Drop("wikitext.redirect"));
    assert_eq!(judge("{{delete}}"), Verdict::Drop("wikitext.empty"));
    assert_eq!(judge("a"), Verdict::Keep);
}

/// What is opened and never closed loses its marks; the text stays.
#[test]
fn unbalanced_markup_degrades_gracefully() {
    for (wikitext, text) in [
        ("a {{b\n\nc", "a b\n\nc"),
        ("{{Infobox\n| a = b\n| c = d\nText.\n\n== H ==\nMore.", "Infobox\n\nText.\n\nH\nMore."),
        ("a }} b", "a b"),
        ("{|\n! x\n| b\nText.", "! x\n\nText."),
        ("a [[b|c\n\nd]] e", "a c\n\nd e"),
        ("a [http://b c\nd", "a c\nd"),
        ("a <ref>b\n== C ==\nd<ref>e</ref>", "a b\n\nC\nd"),
        ("a <ref name=x>b", "a b"),
        ("a <!-- b", "a b"),
        ("a <nowiki>b", "a b"),
        ("a <math>b", "a b"),
        ("a </ref> b", "a b"),
        ("'''a", "a"),
        ("{{a|{| b}}c", "c"),
        ("[[a [[b]] c]]", "a b c"),
        ("a ]] b", "a b"),
    ] {
        assert_eq!(plain(wikitext).replace("\n\n", "\n"), text.replace("\n\n", "\n"), "{wikitext}");
    }
    let mut counts = Counts::default();
    Wikitext::default().extract("a {{b [[c\n\nd", &mut counts);
    assert_eq!(counts.get("wikitext.unbalanced").times, 2);
}

#[test]
fn what_is_left_out_is_counted() {
    let mut counts = Counts::default();
    Wikitext::default().extract(PAGES[0].0, &mut counts);
    for (rule, times) in [
        ("wikitext.comments", 2),
        ("wikitext.tables", 2),
        ("wikitext.references", 2),
        ("wikitext.files", 1),
        ("wikitext.categories", 2),
        ("wikitext.galleries", 1),
        ("wikitext.sections", 3),
        ("wikitext.empty_sections", 1),
    ] {
        assert_eq!(counts.get(rule).times, times, "{rule}");
    }
    assert_eq!(counts.get("wikitext.references").bytes, 78 + 17);
    assert_eq!(counts.get("wikitext.unbalanced").times, 0);
}

#[test]
fn hostile_pages_take_linear_time_and_room() {
    let size = 1_000_000;
    let many = |unit: &str| unit.repeat(size / unit.len());
    let half = |unit: &str| unit.repeat(size / 2 / unit.len());
    for (name, page) in [
        ("braces", many("{")),
        ("templates", many("{{a|")),
        ("templates, closed", half("{{a|") + &half("}}")),
        ("templates with text", half("{{nowrap|a") + &half("}}")),
        ("closing braces", many("}} ")),
        ("tables in templates", many("{{a\n{|\n")),
        ("ends of tables in templates", half("{{a") + &half("\n|}")),
        ("ends of templates in tables", half("\n{|") + &half("\n}}")),
        ("tables", many("\n{|\n|a")),
        ("html tables", half("<table>") + &half("</table x")),
        ("links", many("[[a|")),
        ("links, closed", half("[[a|") + &half("]]")),
        ("files", many("[[File:a|b[[")),
        ("pipes", "[[a".to_string() + &many("|b")),
        ("long target", many("[[") + &many("a:") + "|"),
        ("external links", many("[http://a ")),
        ("references that never end", many("<ref>")),
        ("references before a heading", half("<ref>") + "\n== a ==\n</ref>"),
        ("references with an odd end", half("<ref>") + "</ref" + &half(" ")),
        ("comments that never end", many("<!-- ")),
        ("nowiki", many("<nowiki>")),
        ("math", half("<math>") + &half("</math ")),
        ("tags", many("<b a=")),
        ("apostrophes", many("'")),
        ("quotes", many("'''a''b")),
        ("headings", many("\n= a =")),
        ("deeper headings", many("\n== a ==\n=== b ===\n==== c ====")),
        ("equal signs", "=".repeat(size)),
        ("lists", many("\n*#:;")),
        ("underscores", many("__A")),
        ("variants", many("-{a")),
        ("parentheses", many("({{a}}")),
        ("blanks", many(" ")),
        ("lines", many("\n")),
        ("no-break spaces", many("\u{a0}a")),
        ("galleries", many("<gallery>\na|<gallery>")),
        ("orphan rows", many("\n|a")),
        ("references to characters", many("&amp")),
    ] {
        let start = Instant::now();
        let rules = Wikitext { galleries: Handling::Keep, text_templates: Handling::Keep, ..Wikitext::default() };
        let text = rules.extract(&page, &mut Counts::default());
        assert!(text.len() <= 2 * page.len() + 100, "{name}");
        assert!(start.elapsed().as_secs_f64() < 10.0, "{name}: {:?}", start.elapsed());
    }
}

fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "{{",
        "}}",
        "{{{",
        "}}}",
        "{|",
        "|}",
        "\n{|",
        "\n|}",
        "\n|-",
        "|",
        "||",
        "!",
        "[[",
        "]]",
        "[",
        "]",
        "[http://a ",
        "File:x",
        "Category:",
        "'",
        "''",
        "'''",
        "'''''",
        "\n",
        "\n\n",
        "=",
        "==",
        "\n== ",
        " ==\n",
        "*",
        "#",
        ":",
        ";",
        "----",
        "<ref>",
        "</ref>",
        "<ref/>",
        "<nowiki>",
        "</nowiki>",
        "<!--",
        "-->",
        "<math>",
        "</math>",
        "<pre>",
        "</pre>",
        "<gallery>",
        "</gallery>",
        "<table>",
        "</table>",
        "<br>",
        "<b",
        ">",
        "<",
        "&amp;",
        "&#160;",
        "&",
        "__TOC__",
        "__",
        "~~~~",
        "-{",
        "}-",
        "é",
        "漢",
        "\u{a0}",
        " ",
        "word",
        "(",
        ")",
        "de:",
        ",",
    ]);
    prop::collection::vec(fragment, 0..60).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_page_gives_text(wikitext in fragments()) {
        let rules = Wikitext { galleries: Handling::Keep, text_templates: Handling::Keep, bullets: true, ..Wikitext::default() };
        let text = rules.extract(&wikitext, &mut Counts::default());
        prop_assert!(text.len() <= 2 * wikitext.len());
        prop_assert!(text.matches("word").count() <= wikitext.matches("word").count());
        prop_assert_eq!(text.trim_end(), &text);
    }

    /// Text without marks is left alone.
    #[test]
    fn words_stay(words in prop::collection::vec("[a-zéß漢.,()?]{1,8}", 1..40)) {
        let text = words.join(" ");
        prop_assert_eq!(plain(&text), text);
        let lines = words.join("\n");
        prop_assert_eq!(plain(&lines), lines);
    }
}
