//! What is kept for the backward pass changes no bit of any gradient.

use super::{BATCH, CONTEXT, axes, covering, tokens};
use ablate::{
    model::{
        ModelConfig, ModelSpec, Noise, Pass, Transformer,
        attention::{BiasConfig, QkNormConfig, Span},
        feed_forward::{FeedForwardKind, Hidden},
        norm::{LayerNormConfig, NormConfig, RmsNormConfig},
        position::{LearnedConfig, PositionConfig, SinusoidalConfig, T5Config},
        residual::ResidualKind,
    },
    ops::{self, Activations, Path, Precision},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};

struct Bits<'a>(&'a GradientsParams, Vec<(String, Vec<u32>)>, Vec<String>);

impl ModuleVisitor for Bits<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient: Vec<f32> = self.0.get::<D>(param.id).expect("a gradient").into_data().try_to_vec().unwrap();
        self.1.push((self.2.join("."), gradient.into_iter().map(f32::to_bits).collect()));
    }
    fn enter_module(&mut self, name: &str, _: &str) {
        self.2.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.2.pop();
    }
}

/// Loss and gradients of one step.
fn step(
    spec: &ModelSpec,
    model: &Transformer,
    activations: Activations,
    precision: Precision,
    device: &Device,
) -> (u32, Vec<(String, Vec<u32>)>) {
    let (inputs, targets) = (tokens(spec.vocab, 0, device), tokens(spec.vocab, 5, device));
    let noise = Some(Noise { seed: 1, step: 3, micro: 0, row: 0 });
    let starts = spec.attention.document_mask.then(|| {
        let starts: Vec<i32> = (0..BATCH * CONTEXT).map(|i| if i % CONTEXT < 3 { 0 } else { 3 }).collect();
        Tensor::from_data(burn::tensor::TensorData::new(starts, [BATCH, CONTEXT]), device)
    });
    let recorded = model.record(inputs, targets, &Pass { noise, starts, activations, precision, ..Pass::default() });
    let loss: f32 = recorded.loss.objective.clone().into_scalar();
    let gradients = recorded.backward(model, 0.5);
    let mut bits = Bits(&gradients, vec![], vec![]);
    model.visit(&mut bits);
    (loss.to_bits(), bits.1)
}

fn check(case: &str, config: &ModelConfig) {
    let spec = config.resolve(None).unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
    let device = Device::flex().autodiff();
    let model = spec.build(1, &device);
    for (path, precision) in [(Path::Fused, Precision::F32), (Path::Composed, Precision::F32), (Path::Fused, Precision::Bf16)] {
        ops::with(path, || {
            let (loss, gradients) = step(&spec, &model, Activations::All, precision, &device);
            for activations in Activations::EACH {
                let (other_loss, others) = step(&spec, &model, activations, precision, &device);
                assert_eq!(loss, other_loss, "{path} {precision} {activations}: loss of {case}");
                for ((name, one), (_, other)) in gradients.iter().zip(&others) {
                    assert_eq!(one, other, "{path} {precision} {activations}: gradient of {name} in {case}");
                }
            }
        });
    }
}

#[test]
fn no_policy_changes_a_bit_of_a_gradient() {
    let axes = axes::axes();
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let (rows, _) = covering::pairwise(&sizes, &|row| axes::valid(&axes, row));
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

/// Bytes that the operators keep in a forward pass over `rows` sequences, bytes that they keep on top of it in the backward
/// pass, and matrix products that the backward pass repeats.
fn measure(spec: &ModelSpec, activations: Activations, precision: Precision, rows: usize) -> [u64; 3] {
    let device = Device::flex().autodiff();
    let model = spec.build(1, &device);
    let ids = |offset: usize| -> Tensor<2, burn::tensor::Int> {
        let ids: Vec<i32> = (0..rows * spec.context).map(|i| ((i * i * 7 + 3 * i + offset) % spec.vocab) as i32).collect();
        Tensor::from_data(burn::tensor::TensorData::new(ids, [rows, spec.context]), &device)
    };
    let pass = Pass { activations, precision, ..Pass::default() };
    let (recorded, kept) = ops::count_kept(|| model.record(ids(0), ids(5), &pass));
    let ((_, flops), again) = ops::count_kept(|| ops::count_flops(|| recorded.backward(&model, 1.0)));
    [kept, again, flops]
}

/// Predicted and measured, per token of a context long enough that nothing hides in rounding. What does not depend on the
/// number of sequences (parameters, the gradient that the loss makes of its matrix) cancels in a difference.
fn compare(name: &str, config: &ModelConfig) {
    let spec = config.resolve(None).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    let parameters = spec.account(spec.context).parameters as f64;
    // What is rounded for a product is kept as it was.
    let precisions = [Precision::F32, Precision::Bf16];
    for (activations, precision) in Activations::EACH.into_iter().flat_map(|policy| precisions.map(|precision| (policy, precision))) {
        let [one, three] = [1, 3].map(|rows| measure(&spec, activations, precision, rows));
        let [kept, flops] = [0, 2].map(|i| (three[i] - one[i]) as f64 / (2 * spec.context) as f64);
        let predicted = spec.kept(spec.context, activations);
        assert_eq!(predicted.bytes_per_token, kept, "{name}: bytes kept by {activations}");
        let repeated = predicted.recomputed_flops_per_token;
        assert!((repeated - flops).abs() <= 1e-12 * flops, "{name}: products repeated by {activations}: {repeated}, measured {flops}");
        if activations == Activations::Recompute {
            // Memory that blocks use one after the other may be the same: what is counted is at most the sum over blocks,
            // and the parameters, which do not grow with the sequences.
            let most = (3 * spec.context * spec.layers) as f64 * predicted.passing_bytes_per_token + 4.0 * parameters;
            assert!(three[1] > 0 && three[1] as f64 <= most, "{name}: {} of {most}", three[1]);
        }
    }
    let [all, linear, selective, recompute] = Activations::EACH.map(|policy| spec.kept(spec.context, policy).bytes_per_token);
    assert!(recompute < linear && linear < all && selective < all, "{name}: {all} {linear} {selective} {recompute}");
}

#[test]
fn predicted_memory_and_work_are_what_is_measured() {
    let base = |change: fn(&mut ModelConfig)| {
        let mut config = ModelConfig { layers: 3, width: 32, context: 12, vocab: Some(41), ..Default::default() };
        config.attention.heads = 4;
        config.feed_forward.hidden = Hidden::Size(72);
        change(&mut config);
        config
    };
    compare("llama", &base(|_| {}));
    compare(
        "grouped heads, a window",
        &base(|config| {
            config.attention.kv_heads = Some(2);
            config.attention.window = Some(5);
            config.attention.pattern = vec![Span::Window, Span::Full];
        }),
    );
    compare(
        "gpt2",
        &base(|config| {
            config.norm = NormConfig::Layer(LayerNormConfig::default());
            config.position = PositionConfig::Learned(LearnedConfig {});
            config.attention.bias = BiasConfig::All(true);
            config.feed_forward.kind = FeedForwardKind::GeluTanh;
            config.feed_forward.bias = true;
            config.embedding.tied = true;
        }),
    );
    compare(
        "vaswani",
        &base(|config| {
            config.residual.kind = ResidualKind::Post;
            config.norm = NormConfig::Layer(LayerNormConfig::default());
            config.position = PositionConfig::Sinusoidal(SinusoidalConfig::default());
            config.feed_forward.kind = FeedForwardKind::Relu;
        }),
    );
    compare(
        "t5 bias, embedding norm",
        &base(|config| {
            config.position = PositionConfig::T5(T5Config { buckets: 4, max_distance: 6, ..Default::default() });
            config.embedding.norm = NormConfig::default();
        }),
    );
    compare(
        "olmo2",
        &base(|config| {
            config.residual.kind = ResidualKind::Output;
            config.attention.qk_norm = QkNormConfig::FullWidth { norm: NormConfig::default() };
        }),
    );
    compare(
        "gemma2",
        &base(|config| {
            config.residual.kind = ResidualKind::Sandwich;
            config.attention.soft_cap = Some(50.0);
            config.feed_forward.kind = FeedForwardKind::GegluTanh;
            config.head.soft_cap = Some(30.0);
            config.embedding.tied = true;
        }),
    );
    compare(
        "palm",
        &base(|config| {
            config.residual.kind = ResidualKind::ParallelShared;
            config.attention.kv_heads = Some(1);
        }),
    );
    compare(
        "neox, norms of heads",
        &base(|config| {
            config.residual.kind = ResidualKind::Parallel;
            config.attention.qk_norm = QkNormConfig::PerHead { norm: NormConfig::default() };
        }),
    );
    compare(
        "scaled by depth",
        &base(|config| {
            config.norm = NormConfig::Rms(RmsNormConfig { depth_scale: true, ..Default::default() });
        }),
    );
}
