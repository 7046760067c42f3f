//! `transformers` as the reference: logits, loss and every gradient of tiny random models that it makes, and what it
//! makes of the folders that are written for it.

use super::tables::{hold, versions};
use ablate::{
    eval::{Arithmetic, Evaluated, IGNORED, logits},
    hub::{self, Dtype, Imported, Shards},
};
use burn::tensor::Device;
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What stands above the table in the docs.
pub const HEAD: &str = "# Held against transformers\n\nTiny random models of every family, written by transformers and read by ablate: norm-wise \
    relative error of the logits in f32, absolute error of the loss in nats, and the largest norm-wise relative error of the \
    gradient of any parameter, of two sequences of 24 tokens, three labels of which do not count. Written by `tests/hub/parity.rs` from \
    the cases in `tests/hub/models.py`; allowed are 1e-5, 1e-4 and 1e-4.\n\nEach case is exported again as well: transformers loads \
    the same bits, and gives the same logits to the bit.";

/// Largest norm-wise relative error of logits …
pub const LOGITS: f64 = 1e-5;
/// … and of the gradient of any parameter; largest error of the loss.
pub const GRADIENT: f64 = 1e-4;
pub const LOSS: f64 = 1e-4;
/// A gradient this small beside the largest of the model is zero but for rounding.
const ZERO: f64 = 1e-6;

pub fn python() -> Option<PathBuf> {
    python_of("ABLATE_TRANSFORMERS_PYTHON", "torch, transformers and safetensors")
}

/// The Python that a variable names; without, it is said what it is for.
pub fn python_of(variable: &str, packages: &str) -> Option<PathBuf> {
    let python = std::env::var_os(variable).filter(|path| !path.is_empty());
    if python.is_none() {
        eprintln!("skipped: set {variable} to a Python that has {packages}");
    }
    python.map(PathBuf::from)
}

/// Makes the models of `models.py`: a folder for each case, by name.
pub fn cases(python: &Path, folder: &Path) -> Vec<PathBuf> {
    script(python, "models.py", &[folder]);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

pub fn script(python: &Path, name: &str, arguments: &[&Path]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub").join(name);
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn norm(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    norm(found.iter().zip(expected).map(|(a, b)| a - b)) / norm(expected.iter().copied())
}

/// Errors of one case: logits, loss, and the worst gradient with its name.
fn errors(folder: &Path) -> (f64, f64, f64, String) {
    let Imported { family, spec, weights, .. } = hub::import(folder).unwrap_or_else(|error| panic!("{error}"));
    let input = Shards::file(&folder.join("input.safetensors")).unwrap();
    let [ids, labels] = ["input_ids", "labels"].map(|name| input.integers(name).unwrap());
    assert!(labels.contains(&IGNORED));
    let seq = input.shape("input_ids").unwrap()[1];
    let model = spec.build_from(weights, &Device::flex().autodiff());
    let Evaluated { logits: found, loss, gradients } = logits(&model, &ids, Some(&labels), seq, true, Arithmetic::F32);
    let gradients = gradients.unwrap();
    // The names and the form of theirs, read back from a file that is written as their weights are.
    let file = tempfile::NamedTempFile::new().unwrap();
    hub::write_safetensors(file.path(), &family.tensors(&spec).written(&gradients, Dtype::F32)).unwrap();
    let ours = Shards::file(file.path()).unwrap();

    let expected = Shards::file(&folder.join("expected.safetensors")).unwrap();
    let wide = |shards: &Shards, name: &str| -> Vec<f64> { shards.read(name).unwrap().into_iter().map(f64::from).collect() };
    let theirs: BTreeMap<&str, Vec<f64>> =
        expected.names().filter_map(|name| Some((name.strip_prefix("grad.")?, wide(&expected, name)))).collect();
    assert_eq!(theirs.keys().copied().collect::<Vec<_>>(), ours.names().collect::<Vec<_>>());
    let largest = theirs.values().map(|values| norm(values.iter().copied())).fold(0.0, f64::max);
    let mut worst = (0.0, String::new());
    for (name, values) in &theirs {
        let found = wide(&ours, name);
        if norm(values.iter().copied()) < ZERO * largest {
            assert!(norm(found.iter().copied()) < 10.0 * ZERO * largest, "{name}");
            continue;
        }
        let error = error(&found, values);
        if error > worst.0 {
            worst = (error, name.to_string());
        }
    }
    let reference = expected.read("loss").unwrap()[0];
    (error(&found, &wide(&expected, "logits")), (loss.unwrap() - f64::from(reference)).abs(), worst.0, worst.1)
}

/// At least one case of each family, and a table of all for the docs.
#[test]
fn transformers_gives_the_same_logits_losses_and_gradients() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(&python, folder.path());
    let mut families: Vec<&str> = vec![];
    let mut table = String::from("| case | family | logits | loss | gradients | worst gradient |\n|---|---|---|---|---|---|\n");
    let mut misses = vec![];
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy();
        let (logits, loss, gradient, worst) = errors(case);
        if logits > LOGITS || loss > LOSS || gradient > GRADIENT {
            misses.push(format!("{name}: logits {logits:.1e}, loss {loss:.1e}, {worst} {gradient:.1e}"));
        }
        let family = hub::import(case).unwrap().family.model_type;
        families.push(family);
        let _ = writeln!(table, "| {name} | {family} | {logits:.0e} | {loss:.0e} | {gradient:.0e} | `{worst}` |");
    }
    println!("{table}");
    hold("parity.md", HEAD, &versions(&python, &["transformers", "torch"]), &table);
    assert!(misses.is_empty(), "{misses:#?}");
    let unseen: Vec<&str> = hub::families().iter().map(|family| family.model_type).filter(|name| !families.contains(name)).collect();
    assert!(unseen.is_empty(), "no case of {unseen:?}");
}

/// What is imported and exported again is, for `transformers`, the same model to the bit.
#[test]
fn transformers_reads_back_what_it_wrote() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
    for case in cases(&python, &theirs) {
        let imported = hub::import(&case).unwrap();
        let mut exported = hub::export(&imported.spec, imported.weights, Some(imported.family.model_type)).unwrap();
        exported.config.extend(hub::special_tokens(&case).unwrap());
        exported.write(&ours.join(case.file_name().unwrap()), Dtype::F32).unwrap();
    }
    let said = script(&python, "reread.py", &[&theirs, &ours]);
    assert!(said.contains("all the same"), "{said}");
    println!("{said}");
}
