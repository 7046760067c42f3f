//! Tables of the docs that other programs' answers are in: written with `ABLATE_BLESS=1`, and compared without.

use super::{llama_cpp, parity};
use ablate::hub;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// How the line of versions begins.
const MADE: &str = "Made with ";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Packages with the versions that a Python has of them.
pub fn versions(python: &Path, packages: &[&str]) -> String {
    let code = "import importlib.metadata as m, sys; print(', '.join(f'{name} {m.version(name)}' for name in sys.argv[1:]))";
    let output = Command::new(python).args(["-c", code]).args(packages).output().unwrap();
    assert!(output.status.success(), "{packages:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a file of the docs, where that is asked for; else holds what was found against it, but for versions and numbers.
pub fn hold(name: &str, head: &str, versions: &str, table: &str) {
    let (path, text) = (file("docs").join(name), format!("{head}\n\n{MADE}{versions}.\n\n{table}"));
    if std::env::var_os("ABLATE_BLESS").is_some() {
        fs::write(path, text).unwrap();
    } else {
        assert_eq!(skeleton(&fs::read_to_string(path).unwrap()), skeleton(&text), "run with ABLATE_BLESS=1 to write docs/{name}");
    }
}

/// A text of the docs without versions, errors and which parameter has the largest.
fn skeleton(text: &str) -> Vec<String> {
    let varies = |cell: &str| cell.parse::<f64>().is_ok() || cell.starts_with('`');
    let row = |line: &str| line.split('|').map(str::trim).filter(|cell| !varies(cell)).collect::<Vec<_>>().join("|");
    text.lines().filter(|line| !line.starts_with(MADE)).map(|line| if line.starts_with('|') { row(line) } else { line.into() }).collect()
}

/// The rows of a file of the docs, by cells.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file("docs").join(name)).unwrap();
    let row = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with('|')).skip(2).map(row).collect()
}

/// Each case of `models.py` has its row in both tables, above them stands what the tests would write, and errors are as small as the
/// tests allow. Needs no Python.
#[test]
fn the_docs_have_every_case() {
    let script = fs::read_to_string(file("tests/hub/models.py")).unwrap();
    let (_, cases) = script.split_once("\nCASES = {\n").unwrap();
    let (cases, _) = cases.split_once("\n}\n").unwrap();
    let cases: BTreeSet<String> =
        cases.lines().filter_map(|line| Some(line.strip_prefix("    \"")?.split_once("\": (")?.0.to_owned())).collect();
    assert!(cases.len() > 40, "{cases:?}");
    for (name, head) in [("parity.md", parity::HEAD), ("gguf.md", llama_cpp::HEAD)] {
        let text = fs::read_to_string(file("docs").join(name)).unwrap();
        assert!(text.starts_with(&format!("{head}\n\n{MADE}")), "run with ABLATE_BLESS=1 to write the head of docs/{name}");
        let found: Vec<String> = rows(name).into_iter().map(|mut row| row.swap_remove(0)).collect();
        assert_eq!(found, cases.iter().cloned().collect::<Vec<_>>(), "docs/{name}");
    }
    let number = |cell: &str| cell.parse::<f64>().unwrap_or_else(|_| panic!("{cell}"));
    let parity = rows("parity.md");
    for row in &parity {
        let [logits, loss, gradients] = [2, 3, 4].map(|at| number(&row[at]));
        assert!(logits <= parity::LOGITS && loss <= parity::LOSS && gradients <= parity::GRADIENT, "{row:?}");
    }
    let seen: BTreeSet<&str> = parity.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(seen, hub::families().iter().map(|family| family.model_type).collect(), "every family, and no other");
    for row in rows("gguf.md") {
        assert!(row[2].starts_with("refused: ") || number(&row[2]) <= llama_cpp::ALLOWED, "{row:?}");
    }
}
