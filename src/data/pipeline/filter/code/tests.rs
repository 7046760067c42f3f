use super::*;

fn broken(path: Option<&str>, text: &str) -> Option<&'static str> {
    let mut document = Document::new("a", text);
    if let Some(path) = path {
        document.meta.insert("path".into(), path.into());
    }
    Code::new(&CodeConfig::default()).unwrap().broken(&document)
}

const GOOD: &str = "fn main() {\n    let words = words_of(lines);\n}\n";

#[test]
fn files_are_known_by_their_endings_or_names() {
    for path in ["src/main.rs", "a.C", "Makefile", "x/Dockerfile", "b.dockerfile", "no.dots.md"] {
        assert_eq!(broken(Some(path), GOOD), None, "{path}");
    }
    for path in ["x.json", "LICENSE", "a/LICENSE", "c.crt", "rs", "NotMakefile", "a.rs/b"] {
        assert_eq!(broken(Some(path), GOOD), Some("ending"), "{path}");
    }
    assert_eq!(broken(None, GOOD), None);
    let config = CodeConfig { missing_path: Missing::Drop, ..Default::default() };
    assert_eq!(Code::new(&config).unwrap().broken(&Document::new("a", GOOD)), Some("no_path"));
}

#[test]
fn each_rule_has_its_threshold() {
    assert_eq!(broken(None, ""), Some("empty"));
    let line = |length: usize| format!("{}\n", "word ".repeat(length / 5));
    assert_eq!(broken(None, &(line(1005) + &line(5).repeat(100))), Some("long_line"));
    assert_eq!(broken(None, &(line(1000) + &line(5).repeat(100))), None);
    assert_eq!(broken(None, &line(105)), Some("long_lines"));
    assert_eq!(broken(None, &"ab++++++\n".repeat(9)), Some("few_alphanumeric"));
    assert_eq!(broken(None, &"1 2 3 abc\n".repeat(9)), Some("few_letters"));
}

#[test]
fn tokens_are_runs_and_breaks_with_what_indents() {
    let shape = Shape::of("let x1 = y;;\n\n    éa\n");
    // let, x, 1, =, y, ;;, breaks and indent, éa, break.
    assert_eq!((shape.tokens, shape.letters, shape.digits, shape.lines, shape.longest), (9, 7, 1, 3, 12));
}
