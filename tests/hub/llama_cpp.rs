//! GGUF files, read by llama.cpp, against what `transformers` makes of the same weights.

use super::{
    parity::{cases, python, python_of, script},
    tables::{hold, versions},
    trained::Bench,
};
use ablate::{
    hub::{self, Described, Imported, Quantisation, Shards},
    train::checkpoint::{self, Which},
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// What stands above the table in the docs.
pub const HEAD: &str = "# Held against llama.cpp\n\nThe same tiny random models as in [parity.md](parity.md), written by `ablate export --format gguf` (f32) and \
    read by llama.cpp: largest error of any log-probability at four positions, as a share of the largest one, against what \
    `transformers` says of the original. Written by `tests/hub/llama_cpp.rs`; allowed is 2e-3. The larger errors are those of GELU: \
    llama.cpp takes its approximation by tanh for exact GELU, too, and looks it up in a table of f16.\n\nA model goes out as the first \
    architecture that has all its options, in the order of families, be it not its own: qwen2 as `llama`, which can have its biases; \
    falcon-7b, falcon-11b and gptj as `phi2`, whose blocks are theirs, with biases of zero where they have none; falcon-rw as \
    `starcoder2`. llama.cpp computes the same either way. What its architectures lack is refused with the reason, such as betas of YaRN \
    other than 32 and 1: it has keys for them, and reads them for architectures that are none of these.";

pub const ALLOWED: f64 = 2e-3;

#[test]
fn llama_cpp_gives_the_logits_of_transformers() {
    let Some(python) = python() else { return };
    let Some(llama) = python_of("ABLATE_LLAMA_CPP_PYTHON", "xllamacpp") else { return };
    let bench = Bench::new(&["data.tokenizer.kind=bytes"]);
    let tokenizer = checkpoint::tokenizer(&bench.path("run"), Which::Newest).unwrap();
    let cases = cases(&python, &bench.path("models"));

    let mut asked: BTreeMap<String, Vec<Vec<i64>>> = BTreeMap::new();
    let mut expected: BTreeMap<String, (String, String, Vec<Vec<f64>>)> = BTreeMap::new();
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let Imported { spec, weights, .. } = hub::import(case).unwrap();
        let path = case.join("model.gguf");
        let described = Described { tokenizer: Some(&tokenizer), ..Described::default() };
        let architecture = match hub::write_gguf(&spec, weights, described, Quantisation::F32, &path) {
            Ok(architecture) => architecture.to_owned(),
            Err(error) => {
                let reason = error.to_string();
                let (_, reason) = reason.lines().next().unwrap().split_once(": ").unwrap();
                rows.insert(name, format!("– | refused: {reason}"));
                continue;
            }
        };
        let [ids, reference] = ["input", "expected"].map(|name| Shards::file(&case.join(name).with_extension("safetensors")).unwrap());
        let seq = ids.shape("input_ids").unwrap()[1];
        let (ids, logits) = (ids.integers("input_ids").unwrap(), reference.read("logits").unwrap());
        let positions = [(0, 5), (0, seq), (1, 14), (1, seq)];
        let path = path.display().to_string();
        asked.insert(path.clone(), positions.map(|(row, length)| ids[row * seq..row * seq + length].to_vec()).to_vec());
        let probabilities = positions.map(|(row, length)| {
            let row = &logits[(row * seq + length - 1) * spec.vocab..][..spec.vocab];
            let total = row.iter().map(|value| f64::from(*value).exp()).sum::<f64>().ln();
            row.iter().map(|value| f64::from(*value) - total).collect()
        });
        expected.insert(path, (name, architecture, probabilities.to_vec()));
    }
    let [questions, answers] = ["asked.json", "answers.json"].map(|name| bench.path(name));
    fs::write(&questions, serde_json::to_string(&asked).unwrap()).unwrap();
    script(&llama, "llama_cpp.py", &[&questions, Path::new(&answers)]);
    let found: Value = serde_json::from_slice(&fs::read(&answers).unwrap()).unwrap();
    let mut misses = vec![];
    for (path, (name, architecture, expected)) in expected {
        let found: Vec<Vec<f64>> = serde_json::from_value(found[&path].clone()).unwrap();
        if found.is_empty() {
            misses.push(format!("{name} is not loaded"));
            continue;
        }
        let spread = expected.iter().flatten().map(|value| value.abs()).fold(0.0, f64::max);
        let errors = found.iter().zip(&expected).map(|(found, expected)| {
            assert_eq!(found.len(), expected.len(), "{name}");
            found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / spread
        });
        let worst = errors.fold(0.0, f64::max);
        rows.insert(name.clone(), format!("{architecture} | {worst:.0e}"));
        if worst > ALLOWED {
            misses.push(format!("{name} {worst:.1e}"));
        }
    }
    let mut table = String::from("| case | architecture | worst error |\n|---|---|---|\n");
    for (name, row) in &rows {
        let _ = writeln!(table, "| {name} | {row} |");
    }
    println!("{table}");
    let versions = format!("{}, {}", versions(&llama, &["xllamacpp"]), versions(&python, &["transformers", "torch"]));
    hold("gguf.md", HEAD, &versions, &table);
    assert!(misses.is_empty(), "{misses:#?}");
}
