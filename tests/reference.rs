//! Every component against an independent implementation in float64: `tests/reference/reference.py`.
//!
//! `ABLATE_TEST_DEVICE` runs a part of the cases on another device. After a change of `cases.toml` or of the
//! configuration types:
//!
//! ```text
//! ABLATE_BLESS=1 cargo test --release reference::cases_are_current
//! python tests/reference/reference.py
//! ```

mod cases;
mod trajectory;
mod weights;

use ablate::{device::DeviceName, model::Pass, ops};
use burn::tensor::Device;
use cases::{Case, cases, file};
use safetensors::SafeTensors;
use std::collections::BTreeMap;

/// Largest norm-wise relative error of a gradient, and of the losses.
const TOLERANCE: f64 = 1e-4;
/// A true gradient this small beside the largest of the model is zero but for rounding in float64 …
const ZERO: f64 = 1e-12;
/// … and the library's may then be this large beside it.
const FLOOR: f64 = 1e-6;
/// The token that opens documents, where the attention keeps them apart: it stands inside both rows.
const OPENING: u32 = 8;
/// What runs on a device other than the CPU, where each new shape compiles kernels.
const SAMPLE: [&str; 6] = ["llama", "vaswani", "gpt2", "gemma2", "olmo2", "bloom"];

/// The device under test, with gradients.
fn device() -> Device {
    let name: DeviceName = chosen_device().unwrap_or("flex".into()).parse().unwrap();
    name.open().unwrap_or_else(|error| panic!("{error}")).autodiff()
}

fn chosen_device() -> Option<String> {
    std::env::var("ABLATE_TEST_DEVICE").ok().filter(|name| !name.is_empty())
}

/// Losses and gradients by `case/name`.
fn expected() -> BTreeMap<String, Vec<f64>> {
    let bytes = std::fs::read(file("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView| match view.dtype() {
        safetensors::Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect(),
        safetensors::Dtype::F64 => view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        other => panic!("{other:?} in expected.safetensors"),
    };
    tensors.tensors().into_iter().map(|(name, view)| (name, read(view))).collect()
}

fn norm(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(a.iter().zip(b).map(|(a, b)| a - b))
}

#[test]
fn cases_are_current() {
    let (path, resolved) = (file("cases.json"), cases::json(&cases()));
    if std::env::var_os("ABLATE_BLESS").is_some() {
        std::fs::write(&path, &resolved).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == resolved, "cases.json is out of date: see the head of tests/reference.rs");
}

#[test]
fn losses_and_gradients_agree_with_pytorch() {
    compare();
}

/// The other implementation of the operators, on the CPU.
#[test]
fn composed_operators_agree_with_pytorch() {
    ops::with(ops::Path::Composed, compare);
}

fn compare() {
    let (device, expected) = (device(), expected());
    let sampled = chosen_device().is_some();
    let mut failures = vec![];
    let mut worst = (0.0, String::new());
    let mut count = 0;
    for case in cases() {
        if sampled && !SAMPLE.contains(&case.name.as_str()) {
            continue;
        }
        count += 1;
        for (name, error, limit) in errors(&case, &expected, &device) {
            if error.is_nan() || error > limit {
                failures.push((error / limit, format!("{name}: error {error:.1e}, limit {limit:.1e}")));
            }
            if error / limit > worst.0 {
                worst = (error / limit, name);
            }
        }
    }
    assert!(count >= if sampled { SAMPLE.len() } else { 100 }, "only {count} cases ran");
    failures.sort_by(|a, b| b.0.total_cmp(&a.0));
    let lines: Vec<_> = failures.into_iter().map(|(_, line)| line).collect();
    assert!(lines.is_empty(), "{} tensors disagree, worst first:\n{}", lines.len(), lines.join("\n"));
    eprintln!("{count} cases; nearest to its limit, at {:.3} of it: {}", worst.0, worst.1);
}

/// Error and limit of the losses and of every parameter's gradient.
fn errors(case: &Case, expected: &BTreeMap<String, Vec<f64>>, device: &Device) -> Vec<(String, f64, f64)> {
    let Case { name, batch, sequence, spec, parameters } = case;
    let expected = |what: &str| &expected[&format!("{name}/{what}")];
    let model = weights::overwrite(spec.build(0, device));
    let (inputs, targets) = weights::tokens("tokens", *batch, *sequence, spec.vocab, device);
    let starts = spec.attention.document_mask.then(|| weights::starts(&inputs, OPENING));
    let loss = model.loss(inputs, targets, &Pass { starts, ..Pass::default() });
    let mut found = vec![];
    for (what, tensor) in [("objective", &loss.objective), ("nats", &loss.nats)] {
        let value = f64::from(tensor.clone().into_scalar::<f32>());
        let truth = expected(what)[0];
        found.push((format!("{name}/{what}"), (value - truth).abs(), TOLERANCE * truth.abs()));
    }
    let gradients = weights::gradients(&model, loss.objective);
    let paths: Vec<_> = parameters.iter().map(|(path, _)| path).collect();
    assert_eq!(gradients.iter().map(|(path, _)| path).collect::<Vec<_>>(), paths, "{name}: parameters");
    let largest = paths.iter().map(|path| norm(expected(path).iter().copied())).fold(0.0, f64::max);
    for (path, gradient) in gradients {
        let truth = expected(&path);
        let size = norm(truth.iter().copied());
        let limit = if size < ZERO * largest { FLOOR * largest } else { TOLERANCE * size };
        let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
        found.push((format!("{name}/{path}"), distance(&gradient, truth), limit));
    }
    found
}

/// An option that changed nothing would be tested by nothing: cases that share all parameters differ by far more than
/// the tolerance.
#[test]
fn every_case_is_its_own() {
    let (cases, expected) = (cases(), expected());
    for (index, a) in cases.iter().enumerate() {
        for b in &cases[..index] {
            if (a.batch, a.sequence, &a.parameters) != (b.batch, b.sequence, &b.parameters) {
                continue;
            }
            let apart = a.parameters.iter().map(|(path, _)| {
                let (a, b) = (&expected[&format!("{}/{path}", a.name)], &expected[&format!("{}/{path}", b.name)]);
                distance(a, b) / norm(a.iter().copied()).max(1e-3)
            });
            let apart = apart.fold(0.0, f64::max);
            assert!(apart > 5.0 * TOLERANCE, "{} and {} are {apart:.1e} apart", a.name, b.name);
        }
    }
}
