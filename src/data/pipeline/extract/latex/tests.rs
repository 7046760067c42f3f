use super::*;
use proptest::prelude::*;
use std::time::Instant;

fn clean(latex: &str) -> String {
    Latex::default().extract(latex, &mut Counts::default()).0
}

fn stripped(latex: &str) -> String {
    comments::strip(latex, &mut Counts::default())
}

/// The paper with macros expanded, nothing cut.
fn expanded(latex: &str) -> String {
    expand::expand(latex, &Latex::default(), &mut Counts::default())
}

fn counts_of(latex: &str) -> Counts {
    let mut counts = Counts::default();
    Latex::default().extract(latex, &mut counts);
    counts
}

// The bugs of RedPajama-Data's branch rp_v1 (`data_prep/arxiv/arxiv_cleaner.py`), none of which is here.

/// Its pattern of section commands lacks a bar between `\paragraph` and `\subparagraph`, so neither is found.
#[test]
fn every_section_command_is_a_section() {
    for command in ["part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"] {
        for title in ["{A}", "*{A}", "[short]{A}", "*[a {]} b]{A}", " {A}", "\n{A}"] {
            let paper = format!("\\begin{{document}}front \\{command}{title} text\\end{{document}}");
            assert_eq!(clean(&paper), format!("\\{command}{title} text"), "{paper}");
        }
    }
    // Other commands that begin alike are none.
    let mut counts = Counts::default();
    Latex::default().extract("\\sectionmark{a} \\partial{x} \\paragraphs{} \\section", &mut counts);
    assert_eq!(counts.get("latex.no_section").times, 1);
}

/// Its pattern of comments takes the character before the `%` too, and misses a `%` at the start of a line with nothing behind.
#[test]
fn comments_take_nothing_before_them() {
    for (latex, text) in [
        ("x% c\n\ny", "x\n\ny"),
        ("x % c\ny", "x\ny"),
        ("x % c\n  y", "x\n  y"),
        ("%\nx", "x"),
        ("% a\n%\n  % b\nx", "x"),
        ("x\n% c\ny", "x\ny"),
        ("x\n\n% c\n\ny", "x\n\n\ny"),
        ("50\\% of % c\nx", "50\\% of\nx"),
        ("a \\\\% c\nb", "a \\\\b"),
        ("wo%\n  rd", "word"),
        ("a%\n% b\n  c", "ac"),
        ("\\cmd%\nx", "\\cmd x"),
        ("\\cmd{%\n  a%\n}", "\\cmd{a}"),
        ("x %", "x"),
        ("%", ""),
        ("x%\r\ny", "xy"),
        ("{\\%}%\n", "{\\%}\n"),
    ] {
        assert_eq!(stripped(latex), text, "{latex:?}");
    }
}

/// It looks for the first section before it removes comments.
#[test]
fn a_section_that_is_commented_out_is_none() {
    for hidden in ["% \\section{No}\n", "\\begin{comment}\n\\section{No}\n\\end{comment}\n", "\\iffalse\n\\section{No}\n\\fi\n"] {
        let paper = format!("\\begin{{document}}\n{hidden}front\n\\section{{Yes}}\ntext");
        assert_eq!(clean(&paper), "\\section{Yes}\ntext", "{hidden}");
    }
    let verbatim = "\\begin{document}\\verb|\\section{No}| \\begin{verbatim}\\section{No}\\end{verbatim}\\section{Yes}";
    assert_eq!(clean(verbatim), "\\section{Yes}");
}

/// It drops papers without sections.
#[test]
fn papers_without_sections_are_kept_whole() {
    let paper = "\\documentclass{revtex}\n\\begin{document}\n\\title{T}\nAll of it.\n\\bibliography{b}\n\\end{document}";
    assert_eq!(clean(paper), "\\title{T}\nAll of it.");
    assert_eq!(counts_of(paper).get("latex.no_section").times, 1);
    let mut document = Document::new("1", paper);
    assert_eq!(Latex::default().apply(&mut document, &mut Counts::default()), Verdict::Keep);
    let strict = Latex { keep_without_section: false, ..Latex::default() };
    assert_eq!(strict.apply(&mut Document::new("1", paper), &mut Counts::default()), Verdict::Drop("latex.no_section"));
    // A section of the supplement does not hide the letter before it.
    let letter = "\\begin{document}Letter.\\begin{thebibliography}{9}\\end{thebibliography}\\section{Supplement}";
    assert_eq!(clean(letter), "Letter.");
    let empty = Latex::default().apply(&mut Document::new("1", "\\newcommand{\\a}{b}"), &mut Counts::default());
    assert_eq!(empty, Verdict::Drop("latex.empty"));
}

/// It expands macros without arguments only.
#[test]
fn macros_with_arguments_are_expanded() {
    for (latex, text) in [
        ("\\newcommand{\\v}[1]{\\mathbf{#1}}$\\v{x} \\v y \\v\\alpha$", "$\\mathbf{x} \\mathbf{y} \\mathbf{\\alpha}$"),
        ("\\newcommand\\p[2]{(#2, #1)}\\p{a}{b} \\p ab \\p{a} {b}", "(b, a) (b, a) (b, a)"),
        ("\\def\\p#1#2{(#2, #1)}\\p{a}{b{c}}", "(b{c}, a)"),
        ("\\newcommand{\\o}[2][n]{#1:#2}\\o{a} \\o[m]{a} \\o[{]}]{a}", "n:a m:a {]}:a"),
        ("\\newcommand{\\f}[3]{#1#2#3#1}\\f{a}{\\f{b}{c}{d}}{e}", "abcdbea"),
        ("\\renewcommand*{\\a}[1]{<#1>}\\a{\\a{\\a{x}}}", "<<<x>>>"),
        ("\\newcommand{\\i}[1]{\\mathrm#1}\\i{x}", "\\mathrm x"),
        ("\\newcommand{\\q}[1]{\\#1 #1}\\q{a}", "\\#1 a"),
    ] {
        assert_eq!(expanded(latex), text, "{latex}");
    }
}

#[test]
fn macros_without_arguments_are_expanded() {
    for (latex, text) in [
        ("\\newcommand{\\R}{\\mathbb{R}}$\\R^n \\R x$ \\R{} y", "$\\mathbb{R}^n \\mathbb{R}x$ \\mathbb{R} y"),
        ("\\newcommand{\\al}{\\alpha}\\al x \\al\\al \\al{}x", "\\alpha x \\alpha\\alpha\\alpha x"),
        ("\\def\\be{\\begin{equation}}\\def\\ee{\\end{equation}}\\be x\\ee.", "\\begin{equation}x\\end{equation}."),
        ("\\newcommand\\eg{e.g.\\xspace}\\eg this, \\eg, \\eg\nx", "e.g. this, e.g., e.g. x"),
        (
            "\\DeclareMathOperator{\\tr}{tr}\\DeclareMathOperator*{\\am}{arg\\,min}\\tr A \\am_x",
            "\\operatorname{tr}A \\operatorname*{arg\\,min}_x",
        ),
        ("\\let\\eps\\varepsilon\\let\\phi=\\varphi \\eps x \\phi", "\\varepsilon x \\varphi"),
        ("\\newcommand{\\ab}{xy}$x^\\ab_\\ab \\bar\\ab$", "$x^{xy}_{xy}\\bar xy$"),
        ("\\newcommand{\\a}{x}\\newcommand{\\b}{\\a\\a}\\newcommand{\\c}{\\b-\\b}\\c", "xx-xx"),
        ("\\newcommand{\\a}[1]{<#1>}\\newcommand{\\b}{\\a}\\b{x} \\b y", "<x> <y>"),
        ("\\newcommand{\\a}{1}\\a{} \\renewcommand{\\a}{2}\\a", "1 2"),
        ("\\providecommand{\\a}{1}\\providecommand{\\a}{2}\\a", "1"),
        ("\\long\\def\\a#1{[#1]}\\global\\def\\b{c}\\a{x\n\ny}\\b", "[x\n\ny]c"),
        ("\\newcommand{\\mk}[1]{\\newcommand{\\in}[1]{#1:##1}}\\mk{a}\\in{b}", "a:b"),
        ("\\def\\a@b{c}\\a@b \\def\\@x{d}\\@x", "cd"),
        ("a\n\\newcommand{\\x}{y}\n\\newcommand{\\z}{\\x}  \n\\z b", "a\nyb"),
        ("\\newcommand{\\x}{ y }a\\x b", "a y b"),
        ("\\newcommand{\\x}{y}\\x\n\nb", "y\n\nb"),
        ("\\newcommand{\\x}{y}\\verb|\\x| \\begin{verbatim}\\x\\end{verbatim}", "\\verb|\\x| \\begin{verbatim}\\x\\end{verbatim}"),
        ("\\newcommand{\\x}{y}\\\\x \\xx", "\\\\x \\xx"),
    ] {
        assert_eq!(expanded(latex), text, "{latex}");
    }
}

/// Commands that structure the paper keep their meaning, also where a style gives them a new look.
#[test]
fn commands_of_structure_are_not_replaced() {
    let paper = "\\let\\old\\section\\renewcommand{\\section}[1]{\\old{#1}\\hrule}\\begin{document}a\\section{B}c";
    assert_eq!(clean(paper), "\\section{B}c");
    // A macro may stand for a section.
    assert_eq!(clean("\\newcommand{\\s}[1]{\\section{#1}}\\begin{document}a\\s{B}c"), "\\section{B}c");
    assert_eq!(clean("\\let\\s\\section\\begin{document}a\\s{B}c"), "\\section{B}c");
}

#[test]
fn what_cannot_be_expanded_stays_as_it_is() {
    for (latex, text, rule) in [
        ("\\def\\a{\\a}\\a x", "\\a x", "latex.cyclic_macros"),
        ("\\def\\a{x\\b}\\def\\b{y\\a}\\a\\b", "x\\b\\b", "latex.cyclic_macros"),
        ("\\newcommand{\\a}[1]{\\a{#1#1}}\\a{x}", "\\a{x}", "latex.cyclic_macros"),
        ("\\def\\a#1.{<#1>}\\a x. y", "\\a x. y", "latex.delimited_macros"),
        ("\\newcommand{\\a}[2]{#1#2}{\\a{x}}", "{\\a{x}}", "latex.missing_arguments"),
        ("\\newcommand{\\a}[1]{#1}\\a", "\\a", "latex.missing_arguments"),
        ("\\newcommand{\\a}[1]{<#1>}\\a{x", "\\a{x", "latex.missing_arguments"),
    ] {
        let mut counts = Counts::default();
        assert_eq!(expand::expand(latex, &Latex::default(), &mut counts), text, "{latex}");
        assert!(counts.get(rule).times > 0, "{latex}: {counts:?}");
    }
    // Malformed definitions are text.
    for latex in [
        "\\newcommand",
        "\\newcommand{\\a}",
        "\\def\\a",
        "\\def",
        "\\newcommand{\\a}[x]{b}",
        "\\let",
        "\\newcommand{ab}{c}",
        "\\def\\a#2{}",
    ] {
        assert!(expanded(latex).len() <= latex.len(), "{latex}");
    }
}

#[test]
fn expansion_is_bounded() {
    // Each doubles the one before: two to the fortieth.
    let mut paper = String::from("\\newcommand{\\a}{xx}\n");
    for (name, before) in ('b'..='z').zip('a'..='z') {
        paper += &format!("\\newcommand{{\\{name}}}{{\\{before}\\{before}}}\n");
    }
    paper += "\\z";
    for rules in [Latex::default(), Latex { max_depth: 1000, ..Latex::default() }] {
        let mut counts = Counts::default();
        let text = expand::expand(&paper, &rules, &mut counts);
        assert!(text.len() < 10 * paper.len() + (1 << 17), "{}", text.len());
        assert!(counts.get("latex.growth").times > 0);
    }
    // The same without any text.
    let mut counts = Counts::default();
    assert!(expand::expand(&paper.replace("xx", ""), &Latex::default(), &mut counts).len() < 1 << 16);
    assert!(counts.get("latex.growth").times > 0);
    // A chain that is too deep.
    let chain: String = (0..400).map(|n| format!("\\def\\{}{{\\{}}}", word(n), word(n + 1))).collect();
    let mut counts = Counts::default();
    expand::expand(&(chain + "\\" + &word(0)), &Latex::default(), &mut counts);
    assert!(counts.get("latex.deep_macros").times + counts.get("latex.cyclic_macros").times > 0);
}

fn word(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect::<String>() + "Z"
}

#[test]
fn conditionals_that_are_false() {
    for (latex, text) in [
        ("a\\iffalse b\\fi c", "ac"),
        ("a \\iffalse b \\ifx c\\else d\\fi e\\fi f", "a f"),
        ("a\n\\iffalse\nb\n\\fi\nc", "a\nc"),
        ("a\\iffalse b\\else c\\ifnum1=1 d\\fi\\fi e", "ac\\ifnum1=1 d\\fi e"),
        ("a\\iffalse % \\fi\nb\\fi c", "ac"),
        ("a\\iffalse\\newif\\ifx\\fi b", "ab"),
        ("a \\iffalse $x \\iff y$\\fi b", "a b"),
        ("\\iftrue a\\else b\\fi", "\\iftrue a\\else b\\fi"),
        ("a\\iffalse b", "a b"),
        ("\\x\\iffalse b\\fi c", "\\x c"),
    ] {
        assert_eq!(stripped(latex), text, "{latex}");
    }
}

#[test]
fn verbatim_text_has_no_comments() {
    for latex in [
        "\\begin{verbatim}\n% a \\begin{comment}\n\\end{verbatim}",
        "\\begin{lstlisting}[language=C]\nprintf(\"%d\");\n\\end{lstlisting}",
        "\\verb|50%| \\verb*+%+ \\lstinline!%d! \\lstinline[a=b]{%s}",
        "\\url{http://a.b/c%20d} \\href{http://a.b/%7Ee}{text}",
        "\\begin{minted}{python}\na % b\n\\end{minted}",
    ] {
        assert_eq!(stripped(latex), latex);
    }
    assert_eq!(stripped("a\n\\begin{comment}\n% b \\end\n\\end{comment}\nc"), "a\nc");
    assert_eq!(stripped("a\\end{document}b"), "a");
    assert_eq!(stripped("a\\endinput b"), "a");
    assert_eq!(stripped("a\\begin{comment} b"), "a\\begin{comment} b");
}

#[test]
fn the_bibliography_ends_the_paper() {
    let ends = [
        "\\bibliography{a,b}",
        "\\begin{thebibliography}{99}\n\\bibitem{a} B.\n\\end{thebibliography}",
        "\\printbibliography",
        "\\begin{references}",
        "\\section*{References}",
        "\\bibliographystyle{plain}\n\\bibliography{a}",
    ];
    for end in ends {
        let paper = format!("\\section{{A}} text\n{end}\n\\appendix\\section{{More}}\\end{{document}}");
        assert_eq!(clean(&paper), "\\section{A} text", "{end}");
    }
    let appendix = "\\section{A} text\n\\appendix\n\\section{More}\n\\bibliography{a}";
    assert_eq!(clean(appendix), "\\section{A} text\n\\appendix\n\\section{More}");
    let cut = Latex { cut_appendix: true, ..Latex::default() };
    assert_eq!(cut.extract(appendix, &mut Counts::default()).0, "\\section{A} text");
    assert_eq!(clean("\\section{A}\\verb|\\bibliography{a}| text"), "\\section{A}\\verb|\\bibliography{a}| text");
}

#[test]
fn options() {
    let paper = "\\newcommand{\\a}{b}\\begin{document}front\\section{A}\\a";
    let rules = Latex { from_first_section: false, ..Latex::default() };
    assert_eq!(rules.extract(paper, &mut Counts::default()).0, "front\\section{A}b");
    let rules = Latex { expand_macros: false, ..Latex::default() };
    assert_eq!(rules.extract(paper, &mut Counts::default()).0, "\\section{A}\\a");
}

/// A paper in several files, with its text written by hand.
#[test]
fn a_whole_paper() {
    let files = [
        ("paper/ms.tex", include_str!("../../../../../tests/data/fixtures/extract/latex/ms.tex")),
        ("paper/macros.tex", include_str!("../../../../../tests/data/fixtures/extract/latex/macros.tex")),
        ("paper/sections/method.tex", include_str!("../../../../../tests/data/fixtures/extract/latex/sections/method.tex")),
        ("paper/sections/data.tex", include_str!("../../../../../tests/data/fixtures/extract/latex/sections/data.tex")),
        ("paper/response.tex", include_str!("../../../../../tests/data/fixtures/extract/latex/response.tex")),
    ];
    let expected = include_str!("../../../../../tests/data/fixtures/extract/latex/expected.txt").trim_end();
    let mut reversed = files;
    reversed.reverse();
    for files in [files, reversed] {
        let mut counts = Counts::default();
        let paper = assemble(&files, &mut counts);
        assert_eq!(paper.main.as_deref(), Some("paper/ms.tex"));
        assert_eq!((paper.inputs, paper.missing, paper.cycles), (3, 1, 0));
        assert_eq!(Latex::default().extract(&paper.text, &mut counts).0, expected);
        assert!(counts.get("latex.comments").bytes > 100);
    }
}

#[test]
fn files_are_read_in_order() {
    let read = |files: &[(&str, &str)]| assemble(files, &mut Counts::default());
    let main = "\\documentclass{a}\\begin{document}\\input{b}\\include{c/d}\\input e \\end{document}";
    let paper = read(&[("e.tex", "E"), ("b.tex", "B%x"), ("c/d.tex", "D\\input{f}"), ("c/f.tex", "F"), ("main.tex", main)]);
    assert_eq!(paper.text, "\\documentclass{a}\\begin{document}BDFE ");
    assert_eq!(paper.inputs, 4);
    // What is commented out reads nothing; what is not there stays.
    let paper = read(&[("a.tex", "\\documentclass{a}\\begin{document}%\\input{b}\n\\input{x}"), ("b.tex", "B")]);
    assert_eq!((paper.text.as_str(), paper.missing), ("\\documentclass{a}\\begin{document}\\input{x}", 1));
    // Relative to the main file; `..`, extensions and other commands.
    let paper = read(&[
        ("p/a.tex", "\\documentclass{a}\\input{./s/../s/b.tex}\\import{s/}{c}\\subfile{s/d}"),
        ("p/s/b.tex", "B"),
        ("p/s/c.tex", "C"),
        ("p/s/d.tex", "\\documentclass[../a]{subfiles}\\begin{document}D\\end{document}x"),
    ]);
    assert_eq!(paper.text, "\\documentclass{a}BCD");
    // Parts without a main file, by path.
    let paper = read(&[("2.tex", "two"), ("1.tex", "one\\input{3}"), ("3.tex", "three"), ("4.bbl", "no")]);
    assert_eq!((paper.text.as_str(), paper.main), ("onethree\ntwo", None));
    assert_eq!(read(&[]).text, "");
    assert_eq!(read(&[("x.txt", "only")]).text, "only");
}

#[test]
fn documents_of_one_paper_become_one() {
    let file = |id: &str, path: &str, text: &str| {
        let mut document = Document::new(id, text);
        document.meta.insert("path".into(), path.into());
        document.meta.insert("licence".into(), format!("of {id}").into());
        document
    };
    let documents = [file("1", "x/b.tex", "B"), file("2", "./x/a.tex", "\\documentclass{a}\\input{b}\\input{c}")];
    let mut counts = Counts::default();
    let paper = join(&documents, &mut counts).unwrap();
    assert_eq!((paper.id.as_str(), paper.text.as_str(), paper.meta("licence")), ("2", "\\documentclass{a}B\\input{c}", Some("of 2")));
    assert_eq!(counts.get("latex.missing_files").times, 1);
    assert_eq!(join(&[Document::new("2.tex", "b"), Document::new("1.tex", "a")], &mut counts).unwrap().id, "1.tex");
    assert_eq!(join(&[], &mut counts), None);
}

#[test]
fn files_that_read_each_other_are_cut() {
    let paper = assemble(&[("a.tex", "\\documentclass{a}A\\input{b}"), ("b.tex", "B\\input{a}\\input{b}")], &mut Counts::default());
    assert_eq!((paper.text.as_str(), paper.cycles), ("\\documentclass{a}AB", 2));
    // Each reads the next one twice.
    let texts: Vec<(String, String)> =
        (0..60).map(|n| (format!("{n}.tex"), format!("\\documentclass{{a}} text \\input{{{}}}\\input{{{}}}", n + 1, n + 1))).collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let paper = assemble(&files, &mut Counts::default());
    let all: usize = texts.iter().map(|(_, text)| text.len()).sum();
    assert!(paper.text.len() <= 5 * all && paper.cycles > 0);
}

#[test]
fn hostile_papers_take_linear_time_and_room() {
    let size = 500_000;
    let many = |unit: &str| unit.repeat(size / unit.len());
    let half = |unit: &str| unit.repeat(size / 2 / unit.len());
    let one = "\\newcommand{\\a}[1]{<#1>}";
    for (name, paper) in [
        ("comments", many("%")),
        ("comments on lines", many("x%\n")),
        ("blanks", many(" ") + "%"),
        ("backslashes", many("\\")),
        ("braces", many("{")),
        ("false conditionals", many("\\iffalse ")),
        ("nested conditionals", half("\\iffalse ") + &half("\\fi ")),
        ("else", many("\\iffalse\\else ")),
        ("verbatim that never ends", many("\\begin{verbatim}")),
        ("verb that never ends", many("\\verb|")),
        ("addresses that never end", many("\\url{")),
        ("arguments that never end", one.to_string() + &many("\\a{")),
        ("nested arguments", one.to_string() + &half("\\a{") + &half("}")),
        (
            "nested arguments behind a brace in verbatim",
            format!("{one}\\newcommand{{\\b}}{{\\verb|{{{{|{}{}}}\\b", half("\\a{"), half("}")),
        ),
        ("single arguments", one.to_string() + &many("\\a")),
        ("optional arguments", "\\newcommand{\\a}[2][x]{#1}".to_string() + &many("\\a[")),
        ("definitions", many("\\newcommand{\\a}{b}\\a ")),
        ("definitions that never end", many("\\newcommand{\\a}{\\def\\b")),
        ("delimited definitions", many("\\def\\a.")),
        (
            "chains of definitions",
            (0..20_000).rev().map(|n| format!("\\def\\{}{{\\{}}}", word(n), word(n + 1))).collect::<String>() + "\\aZ",
        ),
        ("wide definitions", (0..10_000).map(|n| format!("\\def\\{}{{\\aZ\\bZ\\cZ\\dZ\\eZ}}", word(n))).collect::<String>()),
        ("recursion by an argument", "\\def\\a#1{\\b{#1#1}}\\def\\b#1{#1}\\a\\a\\a".to_string() + &many("\\a")),
        ("letters", one.to_string() + &many("\\a x")),
        ("sections without titles", many("\\section[")),
        ("long words", "\\".to_string() + &many("a")),
        ("line breaks", many("\\a\n")),
    ] {
        let start = Instant::now();
        let mut counts = Counts::default();
        let text = Latex::default().extract(&paper, &mut counts).0;
        assert!(text.len() <= 10 * paper.len() + (1 << 18), "{name}");
        assert!(start.elapsed().as_secs_f64() < 10.0, "{name}: {:?}", start.elapsed());
    }
}

fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "\\newcommand{\\a}",
        "\\newcommand",
        "\\def\\a",
        "\\def\\b",
        "\\let\\a\\b",
        "{",
        "}",
        "[1]",
        "[2][x]",
        "#1",
        "##1",
        "#",
        "\\a",
        "\\b",
        "\\a{x}",
        "{\\a}",
        "{\\b #1}",
        "%",
        "\n",
        "\n\n",
        " ",
        "\\%",
        "\\\\",
        "\\",
        "\\begin{document}",
        "\\end{document}",
        "\\section{x}",
        "\\section",
        "\\begin{verbatim}",
        "\\end{verbatim}",
        "\\verb|",
        "|",
        "\\iffalse",
        "\\else",
        "\\fi",
        "\\ifx",
        "\\begin{comment}",
        "\\end{comment}",
        "\\bibliography{x}",
        "é",
        "漢",
        "\\é",
        "word",
        "@",
        "\\@a",
        "\\xspace",
        "^",
        "_",
        "\\input{x}",
        "\\url{",
        "[",
        "]",
        "*",
        "\\DeclareMathOperator",
        "\\providecommand{\\a}[1]{<#1>}",
        "\\newif\\ifx",
        "~",
    ]);
    prop::collection::vec(fragment, 0..50).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_paper_gives_text(latex in fragments()) {
        let text = clean(&latex);
        prop_assert!(text.len() <= 10 * latex.len() + (1 << 17));
        prop_assert_eq!(text.trim(), &text);
        let rules = Latex { expand_macros: false, ..Latex::default() };
        prop_assert!(rules.extract(&latex, &mut Counts::default()).0.len() <= latex.len() + latex.matches('\\').count());
        assemble(&[("x.tex", &latex), ("b.tex", &latex)], &mut Counts::default());
    }

    /// Without macros and comments a paper is its part from the first section to the bibliography.
    #[test]
    fn plain_papers_are_only_cut(text in "[a-z {}$.\n]{0,80}") {
        let paper = format!("\\begin{{document}}front\\section{{A}}{text}.\\bibliography{{x}}");
        prop_assert_eq!(clean(&paper), format!("\\section{{A}}{text}."));
    }
}
