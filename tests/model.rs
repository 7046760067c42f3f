//! The whole model: every combination of its axes, published sizes, pairing.

#[path = "model/axes.rs"]
pub mod axes;
#[path = "model/covering.rs"]
pub mod covering;
#[path = "model/policies.rs"]
mod policies;
#[path = "model/presets.rs"]
mod presets;

use ablate::{
    model::{
        ModelConfig, ModelSpec, Noise, Pass, Transformer,
        attention::BiasConfig,
        feed_forward::{FeedForwardKind, Hidden, Matched},
        paired_share, parameters,
        position::{LearnedConfig, PositionConfig},
        residual::{BranchScale, ResidualKind},
    },
    ops::count_flops,
    train::RunConfig,
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Gradients, Int, Tensor, TensorData},
};
use std::collections::BTreeMap;

const BATCH: usize = 2;
const CONTEXT: usize = 8;

/// Fixed tokens without pattern, below `vocab`.
fn tokens(vocab: usize, offset: usize, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = (0..BATCH * CONTEXT).map(|i| ((i * i * 7 + 3 * i + offset) % vocab) as i32).collect();
    Tensor::from_data(TensorData::new(ids, [BATCH, CONTEXT]), device)
}

/// Whether each parameter has a gradient of finite numbers.
struct Gradient<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    wrong: Vec<String>,
}

impl ModuleVisitor for Gradient<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let finite = |gradient: Tensor<D>| gradient.into_data().try_to_vec::<f32>().unwrap().iter().all(|x| x.is_finite());
        if !param.val().grad(self.gradients).is_some_and(finite) {
            self.wrong.push(self.path.join("."));
        }
    }
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
}

/// Every parameter's numbers by path.
struct Bits {
    path: Vec<String>,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Bits {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.val().into_data().try_to_vec().unwrap());
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        if !ablate::model::transformer::is_variant(container) {
            self.path.push(name.to_string());
        }
    }
    fn exit_module(&mut self, _: &str, container: &str) {
        if !ablate::model::transformer::is_variant(container) {
            self.path.pop();
        }
    }
}

fn bits(model: &Transformer) -> BTreeMap<String, Vec<f32>> {
    let mut bits = Bits { path: vec![], found: BTreeMap::new() };
    model.visit(&mut bits);
    bits.found
}

/// Builds, runs and accounts for one model.
fn check(case: &str, config: &ModelConfig) {
    let spec = config.resolve(None).unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
    let device = Device::flex().autodiff();
    let model = spec.build(1, &device);

    let built = parameters(&model);
    let found: Vec<(String, Vec<usize>)> = built.iter().map(|(path, _, shape)| (path.clone(), shape.clone())).collect();
    assert_eq!(found, spec.parameter_shapes(), "{case}: paths and shapes");
    let size = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let account = spec.account(CONTEXT);
    assert_eq!(account.parameters, model.num_params() as u64, "{case}: parameters");
    assert_eq!(account.parameters, found.iter().map(|(_, shape)| size(shape)).sum::<u64>(), "{case}: shapes");
    for (name, part) in spec.parts(CONTEXT) {
        let own: u64 = found.iter().filter(|(path, _)| path.starts_with(&format!("{name}."))).map(|(_, shape)| size(shape)).sum();
        assert_eq!(part.parameters, own, "{case}: parameters of {name}");
        assert!(part.flops_per_token >= 0.0 && part.core_bytes_per_token >= 0.0, "{case}: {name}");
    }

    let (inputs, targets) = (tokens(spec.vocab, 0, &device), tokens(spec.vocab, 5, &device));
    let (logits, counted) = count_flops(|| model.forward(inputs.clone(), &Pass::default()));
    assert_eq!(logits.dims(), [BATCH, CONTEXT, spec.vocab], "{case}");
    let accounted = account.flops_per_token * (BATCH * CONTEXT) as f64 / 3.0;
    assert!((accounted - counted as f64).abs() < 1e-6, "{case}: {accounted} accounted, {counted} counted");

    // Causal: the last token is no business of the earlier ones.
    let changed = (inputs.clone().slice([0..BATCH, CONTEXT - 1..CONTEXT]) + 1).remainder_scalar(spec.vocab as i32);
    let changed = inputs.clone().slice_assign([0..BATCH, CONTEXT - 1..CONTEXT], changed);
    let before = |logits: Tensor<3>| logits.slice([0..BATCH, 0..CONTEXT - 1]).into_data().try_to_vec::<f32>().unwrap();
    let worst =
        before(logits).into_iter().zip(before(model.forward(changed, &Pass::default()))).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{case}: the future leaks by {worst}");

    let noise = Some(Noise { seed: 1, step: 3, micro: 0, row: 0 });
    // Documents of three tokens; only attention that keeps documents apart looks at them.
    let starts: Vec<i32> = (0..BATCH * CONTEXT).map(|index| (index % CONTEXT / 3 * 3) as i32).collect();
    let starts = Some(Tensor::from_data(TensorData::new(starts, [BATCH, CONTEXT]), &device));
    let loss = model.loss(inputs, targets, &Pass { noise, starts, ..Pass::default() });
    let (objective, nats): (f32, f32) = (loss.objective.clone().into_scalar(), loss.nats.into_scalar());
    assert!(objective.is_finite() && nats.is_finite(), "{case}: {objective} {nats}");
    let gradients = loss.objective.backward();
    let mut visitor = Gradient { gradients: &gradients, path: vec![], wrong: vec![] };
    model.visit(&mut visitor);
    assert!(visitor.wrong.is_empty(), "{case}: no finite gradient for {:?}", visitor.wrong);
}

#[test]
fn every_pair_of_choices_builds_runs_and_accounts_for_itself() {
    let axes = axes::axes();
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let (rows, pairs) = covering::pairwise(&sizes, &|row| axes::valid(&axes, row));
    println!("covering array: {} axes, {pairs} pairs of values, {} models", axes.len(), rows.len());
    for row in &rows {
        let mut config = ModelConfig { context: CONTEXT, ..Default::default() };
        let mut case = String::new();
        for (axis, &value) in axes.iter().zip(row) {
            (axis.values[value])(&mut config);
            case += &format!("{}={value} ", axis.name);
        }
        check(&case, &config);
    }
}

fn read(name: &str) -> RunConfig {
    let path = format!("{}/configs/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn published_models_have_their_published_sizes() {
    for (name, parameters, without_embeddings) in [
        ("llama-7b", 6_738_415_616, 6_476_271_616),
        ("llama-13b", 13_015_864_320, 12_688_184_320),
        ("llama-33b", 32_528_943_616, 32_102_959_616),
        ("llama-65b", 65_285_660_672, 64_761_372_672),
        // Without the 50,257 × 768 embedding and the 1,024 × 768 positions.
        ("gpt2-124m", 124_439_808, 124_439_808 - 51_281 * 768),
    ] {
        let spec = read(name).model.resolve(None).unwrap();
        assert_eq!(spec.account(spec.context).parameters, parameters, "{name}");
        assert_eq!(spec.non_embedding_parameters(), without_embeddings, "{name}");
        let shapes: usize = spec.parameter_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(shapes as u64, parameters, "{name}");
    }
}

#[test]
fn the_small_vaswani_decoder_is_what_it_says() {
    let run = read("tiny-vaswani");
    let spec = run.model.resolve(Some(1024)).unwrap();
    assert!(!spec.final_norm);
    let attention = 4 * (128 * 128 + 128);
    let feed_forward = 2 * 128 * 512 + 512 + 128;
    let norms = 2 * 2 * 128;
    assert_eq!(spec.account(128).parameters, 1024 * 128 + 4 * (attention + feed_forward + norms));
}

#[test]
fn llama_runs_see_their_published_tokens() {
    for (name, tokens) in [("llama-7b", 1.0e12), ("llama-13b", 1.0e12), ("llama-33b", 1.4e12), ("llama-65b", 1.4e12)] {
        let run = read(name);
        let step = (run.train.batch * run.model.context) as f64;
        assert_eq!(step, 4_194_304.0, "{name}");
        assert!((run.train.steps as f64 * step - tokens).abs() <= step, "{name}");
    }
}

#[test]
fn llama_flops_are_six_per_weight_and_the_visible_half_of_attention() {
    let spec = read("llama-7b").model.resolve(None).unwrap();
    // Weights in products: all but the embedding and the 65 gains; keys seen: (context + 1) / 2 on average; scores and
    // values, a multiply-add each, three times over for forward and backward.
    let weights = 6_738_415_616u64 - 32_000 * 4096 - 65 * 4096;
    let attention = 3.0 * 32.0 * 2.0 * 2.0 * 4096.0 * 2049.0 / 2.0;
    assert_eq!(spec.account(2048).flops_per_token, 6.0 * weights as f64 + attention);
}

fn tiny(change: impl FnOnce(&mut ModelConfig)) -> ModelSpec {
    let mut config = ModelConfig { layers: 2, width: 16, context: CONTEXT, vocab: Some(17), ..Default::default() };
    config.attention.heads = 2;
    config.feed_forward.hidden = Hidden::Size(24);
    change(&mut config);
    config.resolve(None).unwrap()
}

fn with_kind(kind: ResidualKind) -> ModelSpec {
    tiny(|config| config.residual.kind = kind)
}

#[test]
fn topologies_share_every_bit_that_is_not_a_norm() {
    let device = Device::flex();
    let pre = bits(&with_kind(ResidualKind::Pre).build(7, &device));
    for kind in [ResidualKind::Post, ResidualKind::Sandwich, ResidualKind::Output, ResidualKind::ParallelShared, ResidualKind::Parallel] {
        let other = bits(&with_kind(kind).build(7, &device));
        let weights = |model: &BTreeMap<String, Vec<f32>>| -> BTreeMap<String, Vec<u32>> {
            let of_norm = |path: &String| path.contains("norm");
            let bits = |numbers: &Vec<f32>| numbers.iter().map(|x| x.to_bits()).collect();
            model.iter().filter(|(path, _)| !of_norm(path)).map(|(path, numbers)| (path.clone(), bits(numbers))).collect()
        };
        assert!(weights(&pre).len() >= 2 * 7 + 2);
        assert_eq!(weights(&pre), weights(&other), "{kind:?}");
    }
}

#[test]
fn feed_forward_kinds_share_the_attention() {
    let device = Device::flex();
    let build = |kind| bits(&tiny(|config| config.feed_forward.kind = kind).build(7, &device));
    let (swiglu, relu) = (build(FeedForwardKind::Swiglu), build(FeedForwardKind::Relu));
    let mut shared = 0;
    for (path, numbers) in relu.iter().filter(|(path, _)| path.contains(".attention.")) {
        assert_eq!(Some(numbers), swiglu.get(path), "{path}");
        shared += 1;
    }
    assert_eq!(shared, 2 * 4);
    assert!(swiglu.contains_key("layers.0.feed_forward.gate.weight") && !relu.contains_key("layers.0.feed_forward.gate.weight"));
}

#[test]
fn a_seed_is_its_bits() {
    let device = Device::flex();
    let spec = with_kind(ResidualKind::Pre);
    assert_eq!(bits(&spec.build(7, &device)), bits(&spec.build(7, &device)));
    let (one, other) = (bits(&spec.build(7, &device)), bits(&spec.build(8, &device)));
    for (path, numbers) in one.iter().filter(|(path, _)| !path.contains("norm")) {
        assert_ne!(Some(numbers), other.get(path), "{path}");
    }
    // No two tensors of one model share their noise.
    let mut firsts: Vec<u32> = one.iter().filter(|(path, _)| !path.contains("norm")).map(|(_, numbers)| numbers[0].to_bits()).collect();
    firsts.sort();
    let all = firsts.len();
    firsts.dedup();
    assert_eq!(firsts.len(), all);
}

#[test]
fn deepnorm_shrinks_what_it_should() {
    let device = Device::flex();
    let plain = bits(&with_kind(ResidualKind::Post).build(7, &device));
    let deep = tiny(|config| {
        config.residual.kind = ResidualKind::Post;
        config.residual.scale = BranchScale::Deepnorm {};
    });
    let beta = deep.residual.weight_shrink(2) as f32;
    assert!((beta - 0.5).abs() < 1e-6); // (8·2)^-¼
    for (path, numbers) in bits(&deep.build(7, &device)) {
        let shrunk = ["value.weight", "output.weight", "gate.weight", "up.weight", "down.weight"].iter().any(|end| path.ends_with(end));
        let factor = if shrunk { beta } else { 1.0 };
        for (a, b) in numbers.iter().zip(&plain[&path]) {
            assert!((a - factor * b).abs() <= 1e-6 * b.abs(), "{path}: {a} {b}");
        }
    }
}

#[test]
fn the_paired_share_counts_numbers() {
    let pre = with_kind(ResidualKind::Pre);
    assert_eq!(paired_share(&pre, &pre), 1.0);
    // Post has no final norm: its 16 gains are all that pre has alone.
    let post = with_kind(ResidualKind::Post);
    let all = pre.account(CONTEXT).parameters as f64;
    assert_eq!(paired_share(&pre, &post), (all - 16.0) / all);
    assert_eq!(paired_share(&post, &pre), 1.0);
    // Another width shares no tensor at all.
    let wide = tiny(|config| config.width = 32);
    assert_eq!(paired_share(&pre, &wide), 0.0);
}

#[test]
fn the_loss_is_the_mean_of_the_token_losses() {
    let device = Device::flex();
    let spec = tiny(|config| {
        config.head.z_loss = 0.1;
        config.head.label_smoothing = 0.1;
        config.head.soft_cap = Some(3.0);
    });
    let model = spec.build(7, &device);
    let (inputs, targets) = (tokens(17, 0, &device), tokens(17, 5, &device));
    let loss = model.loss(inputs.clone(), targets.clone(), &Pass::default());
    let (objective, nats): (f32, f32) = (loss.objective.into_scalar(), loss.nats.into_scalar());
    let each = model.token_losses(inputs.clone(), targets.clone(), &Pass::default()).into_data().try_to_vec::<f32>().unwrap();
    assert!((nats - each.iter().sum::<f32>() / each.len() as f32).abs() < 1e-5);
    // log Z of nearly equal logits is ln 17, so the z-loss is near 0.1 · (ln 17)².
    assert!((objective - nats - 0.1 * 17f32.ln().powi(2)).abs() < 0.1, "{objective} {nats}");
    // Against the definition, from the capped logits.
    let logits = model.forward(inputs, &Pass::default()).into_data().try_to_vec::<f32>().unwrap();
    assert!(logits.iter().all(|x| x.abs() < 3.0));
    let targets = targets.into_data().iter::<i64>().collect::<Vec<_>>();
    for ((row, target), loss) in logits.chunks(17).zip(targets).zip(each) {
        let expected = row.iter().map(|x| x.exp()).sum::<f32>().ln() - row[target as usize];
        assert!((expected - loss).abs() < 1e-5, "{expected} {loss}");
    }
}

#[test]
fn the_context_is_limited_by_learned_positions_only() {
    assert_eq!(with_kind(ResidualKind::Pre).context_limit(), None);
    assert_eq!(tiny(|config| config.position = PositionConfig::Learned(LearnedConfig {})).context_limit(), Some(CONTEXT));
}

#[test]
fn the_topology_decides_on_the_final_norm() {
    assert!(with_kind(ResidualKind::Pre).final_norm);
    assert!(!with_kind(ResidualKind::Post).final_norm);
    assert!(tiny(|config| (config.residual.kind, config.final_norm) = (ResidualKind::Post, Some(true))).final_norm);
}

#[test]
fn all_broken_rules_are_told_at_once() {
    let mut config = ModelConfig { width: 30, ..Default::default() };
    config.residual.dropout = 1.0;
    config.residual.scale = BranchScale::Deepnorm {};
    config.embedding.dropout = -0.1;
    config.head.soft_cap = Some(-1.0);
    config.head.label_smoothing = f64::NAN;
    config.feed_forward.hidden = Hidden::Matched(Matched::Matched);
    config.attention.bias = BiasConfig::All(true);
    let keys: Vec<String> = config.resolve(None).unwrap_err().into_iter().map(|problem| problem.key).collect();
    for key in [
        "model.vocab",
        "model.residual.dropout",
        "model.residual.scale",
        "model.embedding.dropout",
        "model.head.soft_cap",
        "model.head.label_smoothing",
        "model.feed_forward.hidden",
        "model.attention.heads",
    ] {
        assert!(keys.iter().any(|found| found == key), "{key} is not among {keys:?}");
    }
}

#[test]
fn sizes_of_nothing_are_problems_not_panics() {
    let changes: [fn(&mut ModelConfig); 5] =
        [|c| c.width = 0, |c| c.layers = 0, |c| c.context = 0, |c| c.vocab = Some(0), |c| c.attention.heads = 0];
    for change in changes {
        let mut config = ModelConfig { vocab: Some(17), ..Default::default() };
        change(&mut config);
        assert!(!config.resolve(None).unwrap_err().is_empty());
    }
}

#[test]
fn the_vocabulary_holds_the_tokenizer() {
    let vocab =
        |model: Option<usize>, tokenizer| ModelConfig { vocab: model, ..Default::default() }.resolve(tokenizer).map(|spec| spec.vocab);
    assert_eq!(vocab(None, Some(300)), Ok(300));
    assert_eq!(vocab(Some(320), Some(300)), Ok(320));
    assert_eq!(vocab(Some(320), None), Ok(320));
    assert_eq!(vocab(Some(299), Some(300)).unwrap_err()[0].key, "model.vocab");
    assert_eq!(vocab(None, None).unwrap_err()[0].key, "model.vocab");
}
