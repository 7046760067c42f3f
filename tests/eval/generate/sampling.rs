//! Samplers against those of `transformers`: see `tests/reference/sampling.py`.

use ablate::eval::Sampling;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    manner: Manner,
    before: Vec<u32>,
    logits: Vec<f64>,
    expected: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Manner {
    repetition_penalty: f64,
    temperature: f64,
    top_k: Option<usize>,
    top_p: f64,
    min_p: f64,
}

#[test]
fn transformers_draws_from_the_same_distributions() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../reference/sampling.json")).unwrap();
    assert!(cases.len() > 30);
    for Case { manner, before, logits, expected } in cases {
        let &Manner { repetition_penalty, temperature, top_k, top_p, min_p } = &manner;
        let sampling = Sampling { repetition_penalty, temperature, top_k, top_p, min_p, seed: 0 };
        let logits: Vec<f32> = logits.into_iter().map(|logit| logit as f32).collect();
        let mut found = vec![0.0; expected.len()];
        for (token, probability) in sampling.distribution(&logits, &before).unwrap() {
            found[token as usize] = probability;
        }
        // Logits of up to 10 are f32 here: off by 6e-8 of themselves, which the temperature divides and the exponential takes for
        // a factor.
        let tolerance = 10.0 * 6e-8 * 2.0 / temperature.min(1.0) * 2.0;
        for (token, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() <= tolerance, "{manner:?}, token {token}: {found}, not {expected}");
            assert_eq!(*found == 0.0, *expected == 0.0, "{manner:?}, token {token}");
        }
    }
}
