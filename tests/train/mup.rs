//! µP: the same at the base width, and the same sizes at others.

use super::{Bench, runs::bits};
use ablate::{
    device::DeviceName,
    model::{ModelSpec, Pass, Transformer, parameters},
    settings::Document,
    train::{OptimizerConfig, RunConfig, optimizer},
};
use burn::{
    module::Module,
    optim::GradientsParams,
    tensor::{Int, Tensor, TensorData},
};

#[test]
fn at_the_base_width_it_changes_no_bit() {
    let bench = Bench::new();
    let base = "model.mup={ base_width = 16, base_head_dim = 8 }";
    for (index, set) in [
        &["model.embedding.scale=true", "model.position.kind=learned"][..],
        &["optimizer={ kind = \"sgd\", lr = 0.1, momentum = 0.9, weight_decay = 0.1 }", "model.embedding.tied=true"],
        &["optimizer={ kind = \"adam\", weight_decay = 0.01 }", "model.init.kind=mitchell"],
    ]
    .into_iter()
    .enumerate()
    {
        let (plain, scaled) = (bench.spec(set), bench.spec(&[set, &[base]].concat()));
        bench.run(&plain, &format!("plain-{index}")).unwrap();
        bench.run(&scaled, &format!("mup-{index}")).unwrap();
        for key in ["loss", "gradient_norm"] {
            assert_eq!(bench.column(&format!("plain-{index}"), key), bench.column(&format!("mup-{index}"), key), "{set:?}");
        }
        assert_eq!(bench.parameters(&format!("plain-{index}")), bench.parameters(&format!("mup-{index}")), "{set:?}");
    }
}

#[test]
fn optimizers_without_a_published_rule_are_refused() {
    let text = "model = { vocab = 64, mup = { base_width = 64, base_head_dim = 16 } }\n";
    for (kind, refused) in [("adamw", false), ("adam", false), ("sgd", false), ("lion", true), ("adafactor", true), ("muon", true)] {
        let config: RunConfig = Document::from_text("mup.toml", &format!("{text}optimizer.kind = \"{kind}\"\n")).unwrap().parse().unwrap();
        let keys: Vec<_> = config.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, if refused { vec!["optimizer.kind"] } else { vec![] }, "{kind}");
    }
}

/// A model and its optimizer. Heads are as many at every width; all sizes grow with it.
fn sized(width: usize, mup: bool, optimizer: &str, seed: u64) -> (ModelSpec, OptimizerConfig, Transformer) {
    let mup = if mup { "mup = { base_width = 32, base_head_dim = 8 }" } else { "" };
    let text = format!(
        "[model]\nvocab = 8\nwidth = {width}\nlayers = 2\ncontext = 4\n{mup}\nattention.heads = 4\n\
         feed_forward.hidden = {{ rule = \"multiple\", factor = 2.0 }}\n[optimizer]\n{optimizer}\n"
    );
    let config: RunConfig = Document::from_text("sized.toml", &text).unwrap().parse().unwrap_or_else(|error| panic!("{error}"));
    let spec = config.model.resolve(None).unwrap();
    let model = spec.build(seed, &DeviceName::Flex.train_device().unwrap());
    (spec, config.optimizer, model)
}

/// Inputs and targets. Few of them: what updates by different tokens have in common by chance falls as 1/√width, and would hide
/// among many what does not.
fn batch(model: &Transformer) -> [Tensor<2, Int>; 2] {
    let tokens = |offset: i32| (offset..2 * 4 + offset).map(|i| (i * 3 + i * i / 5) % 8).collect::<Vec<_>>();
    [0, 1].map(|offset| Tensor::from_data(TensorData::new(tokens(offset), [2, 4]), &model.devices()[0]))
}

fn gradients(model: &Transformer) -> GradientsParams {
    let [tokens, targets] = batch(model);
    GradientsParams::from_grads(model.loss(tokens, targets, &Pass::default()).objective.backward(), model)
}

#[test]
fn rates_and_decay_follow_the_table() {
    // Four times the base width. The first step of Adam moves every number by the rate.
    for (kind, vectors, matrices) in [("adamw", 1.0, 0.25), ("adam", 1.0, 0.25)] {
        let (spec, config, model) = sized(128, true, &format!("kind = \"{kind}\"\nlr = 0.001\nweight_decay = 0.0"), 1);
        let before = bits(&model);
        let names = parameters(&model);
        let grads = gradients(&model);
        let after = bits(&optimizer::build(&config, spec.multiple(), &model).step(0.001, model, grads));
        for (((path, old), (_, new)), (_, _, shape)) in before.iter().zip(&after).zip(&names) {
            let factor = if path.starts_with("layers.") && shape.len() == 2 { matrices } else { vectors };
            let mut moves: Vec<f64> =
                old.iter().zip(new).map(|(old, new)| f64::from((f32::from_bits(*new) - f32::from_bits(*old)).abs())).collect();
            moves.sort_by(f64::total_cmp);
            let typical = moves[moves.len() * 3 / 4];
            assert!((typical / (0.001 * factor) - 1.0).abs() < 0.02, "{kind} {path}: {typical}, factor {factor}");
        }
    }
    // What decay takes away in a step is the same for all: 0.1 · 0.5.
    let (spec, config, model) = sized(128, true, "kind = \"adamw\"\nlr = 0.1\nweight_decay = 0.5", 1);
    let before = bits(&model);
    let zeros = super::runs::zeros(&model);
    let after = bits(&optimizer::build(&config, spec.multiple(), &model).step(0.1, model, zeros));
    for ((path, old), (_, new)) in before.iter().zip(&after).filter(|((path, _), _)| path.ends_with("weight")) {
        for (old, new) in old.iter().zip(new) {
            let [old, new] = [old, new].map(|bits| f32::from_bits(*bits));
            assert!((0.95 * old - new).abs() <= 1e-6 * old.abs(), "{path}: {old} {new}");
        }
    }
}

/// How much logits and the residual stream have changed, or how large they are, after some steps.
struct Coordinates {
    /// Root mean square of the change of logits.
    logits: f64,
    /// Root mean square of the stream behind the last block.
    stream: f64,
}

fn coordinates(width: usize, mup: bool, seed: u64) -> Coordinates {
    const RATE: f64 = 0.003;
    let (spec, config, mut model) = sized(width, mup, "kind = \"adamw\"\nweight_decay = 0.0", seed);
    let logits = |model: &Transformer| -> Vec<f64> {
        let [tokens, _] = batch(model);
        model.forward(tokens, &Pass::default()).into_data().iter::<f64>().collect()
    };
    let before = logits(&model);
    let mut updates = optimizer::build(&config, spec.multiple(), &model);
    for _ in 0..4 {
        let grads = gradients(&model);
        model = updates.step(RATE, model, grads);
    }
    let change: f64 = logits(&model).iter().zip(&before).map(|(new, old)| (new - old).powi(2)).sum::<f64>();
    let [tokens, _] = batch(&model);
    let stream = model.activity(tokens, &Pass::default()).last().unwrap().stream_rms;
    Coordinates { logits: (change / before.len() as f64).sqrt(), stream }
}

/// The coordinate check of Yang et al. 2022, appendix D.1.
#[test]
fn sizes_after_some_steps_do_not_depend_on_the_width_and_without_mup_they_grow() {
    let widths = [32usize, 64, 128, 256];
    let slopes = |mup: bool| {
        let mut points = vec![];
        for width in widths {
            let (mut logits, mut stream) = (0.0, 0.0);
            for seed in 0..4 {
                let seen = coordinates(width, mup, seed);
                (logits, stream) = (logits + seen.logits.ln() / 4.0, stream + seen.stream.ln() / 4.0);
            }
            points.push(((width as f64).ln(), [logits, stream]));
        }
        let x = points.iter().map(|point| point.0).sum::<f64>() / points.len() as f64;
        let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        [0, 1].map(|which| points.iter().map(|point| (point.0 - x) * point.1[which]).sum::<f64>() / spread)
    };
    let ([logits, stream], [plain_logits, plain_stream]) = (slopes(true), slopes(false));
    let told = format!("with µP {logits} {stream}, without {plain_logits} {plain_stream}");
    assert!(logits.abs() < 0.15 && stream.abs() < 0.15, "{told}");
    assert!(plain_logits > 0.3 && plain_stream > 0.3, "{told}");
}
