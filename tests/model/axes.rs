//! Every axis of the model's configuration with the values that the covering array combines.

use ablate::model::{
    ModelConfig,
    attention::{AttentionBias, BiasConfig, QkNormConfig, Span},
    feed_forward::{FeedForwardKind, Hidden, HiddenRule},
    init::InitConfig,
    norm::{DytConfig, LayerNormConfig, NoNormConfig, NormConfig, RmsNormConfig},
    position::{
        AlibiConfig, LearnedConfig, NoPositionConfig, Pairing, PositionConfig, RopeConfig, RopeScaling, SinusoidalConfig, T5Config, Use,
    },
    residual::{BranchScale, ResidualKind},
};

type Set = Box<dyn Fn(&mut ModelConfig)>;

/// A name and its values.
pub struct Axis {
    pub name: &'static str,
    pub values: Vec<Set>,
}

macro_rules! axis {
    ($name:literal, |$model:ident| $place:expr => $($value:expr),+ $(,)?) => {
        Axis { name: $name, values: vec![$(Box::new(|$model: &mut ModelConfig| { $place = $value; }) as Set),+] }
    };
}

/// For an axis that belongs to other values: the first value leaves the model alone.
fn or_nothing(mut axis: Axis) -> Axis {
    axis.values.insert(0, Box::new(|_| {}));
    axis
}

fn rope(model: &mut ModelConfig) -> &mut RopeConfig {
    match &mut model.position {
        PositionConfig::Rope(rope) => rope,
        other => panic!("not rotary: {other:?}"),
    }
}

fn pattern(model: &mut ModelConfig) -> &mut Vec<Use> {
    match &mut model.position {
        PositionConfig::Rope(RopeConfig { pattern, .. })
        | PositionConfig::Alibi(AlibiConfig { pattern, .. })
        | PositionConfig::T5(T5Config { pattern, .. }) => pattern,
        other => panic!("no pattern: {other:?}"),
    }
}

/// All axes, those that constrain others first.
pub fn axes() -> Vec<Axis> {
    use FeedForwardKind::*;
    use ResidualKind::*;
    let rms = |f: fn(&mut RmsNormConfig)| {
        let mut config = RmsNormConfig::default();
        f(&mut config);
        NormConfig::Rms(config)
    };
    let layer = |f: fn(&mut LayerNormConfig)| {
        let mut config = LayerNormConfig::default();
        f(&mut config);
        NormConfig::Layer(config)
    };
    let norms = vec![
        rms(|_| {}),
        rms(|c| c.eps = 1e-6),
        rms(|c| c.unit_offset = true),
        rms(|c| c.gain = false),
        rms(|c| c.depth_scale = true),
        layer(|_| {}),
        layer(|c| c.bias = false),
        layer(|c| (c.gain, c.bias) = (false, false)),
        layer(|c| c.depth_scale = true),
        NormConfig::Dyt(DytConfig::default()),
        NormConfig::Dyt(DytConfig { alpha: 0.8, depth_scale: true }),
        NormConfig::None(NoNormConfig {}),
        layer(|c| c.gain = false),
    ];
    let norm_values = |set: fn(&mut ModelConfig, NormConfig), norms: &[NormConfig]| {
        let one = |norm: &NormConfig| {
            let norm = norm.clone();
            Box::new(move |model: &mut ModelConfig| set(model, norm.clone())) as Set
        };
        norms.iter().map(one).collect::<Vec<_>>()
    };
    vec![
        axis!("position", |m| m.position =>
            PositionConfig::Rope(RopeConfig::default()),
            PositionConfig::Learned(LearnedConfig {}),
            PositionConfig::Sinusoidal(SinusoidalConfig::default()),
            PositionConfig::Alibi(AlibiConfig::default()),
            PositionConfig::T5(T5Config { buckets: 4, max_distance: 6, ..Default::default() }),
            PositionConfig::None(NoPositionConfig {}),
        ),
        axis!("residual.kind", |m| m.residual.kind => Pre, Post, Sandwich, Output, ParallelShared, Parallel),
        axis!("document_mask", |m| m.attention.document_mask => false, true),
        axis!("width", |m| m.width => 16, 8),
        axis!("heads", |m| (m.attention.heads, m.attention.kv_heads) => (2, None), (4, None), (4, Some(2)), (4, Some(1))),
        axis!("head_dim", |m| m.attention.head_dim => None, Some(8), Some(12)),
        or_nothing(axis!("rope.fraction", |m| rope(m).fraction => 1.0, 0.5)),
        or_nothing(axis!("rope.pairing", |m| rope(m).pairing => Pairing::Interleaved, Pairing::Half)),
        or_nothing(axis!("rope.scaling", |m| rope(m).scaling =>
            RopeScaling::None {},
            RopeScaling::Linear { factor: 2.0 },
            RopeScaling::Ntk { factor: 2.0 },
            RopeScaling::Llama3 { factor: 8.0, low_frequency: 1.0, high_frequency: 4.0, original_context: 16 },
            RopeScaling::Yarn { factor: 4.0, original_context: 8, beta_fast: 32.0, beta_slow: 1.0, attention_factor: None, truncate: true },
        )),
        or_nothing(axis!("position.pattern", |m| *pattern(m) => vec![Use::On], vec![Use::On, Use::Off])),
        axis!("residual.scale", |m| m.residual.scale =>
            BranchScale::None {},
            BranchScale::Depth {},
            BranchScale::Learned { initial: 0.0 },
            BranchScale::Learned { initial: 0.5 },
            BranchScale::Deepnorm {},
        ),
        Axis { name: "norm", values: norm_values(|m, norm| m.norm = norm, &norms) },
        axis!("feed_forward.kind", |m| m.feed_forward.kind =>
            Relu, Gelu, GeluTanh, Silu, Relu2, Glu, Bilinear, Reglu, Geglu, GegluTanh, Swiglu,
        ),
        axis!("init", |m| m.init =>
            InitConfig::Normal { std: 0.05 },
            InitConfig::Gpt2 { std: 0.02 },
            InitConfig::Mitchell {},
            InitConfig::Small {},
            InitConfig::Xavier { gain: 1.0 },
            InitConfig::Truncated { std: 0.1, cutoff: 2.0 },
        ),
        axis!("attention.qk_norm", |m| m.attention.qk_norm =>
            QkNormConfig::None {},
            QkNormConfig::PerHead { norm: NormConfig::default() },
            QkNormConfig::PerHead { norm: NormConfig::Layer(LayerNormConfig::default()) },
            QkNormConfig::FullWidth { norm: NormConfig::default() },
            QkNormConfig::FullWidth { norm: NormConfig::Dyt(DytConfig::default()) },
        ),
        axis!("attention.bias", |m| m.attention.bias =>
            BiasConfig::All(false),
            BiasConfig::All(true),
            BiasConfig::Each(AttentionBias { query: true, key: true, value: true, output: false }),
            BiasConfig::Each(AttentionBias { output: true, ..Default::default() }),
        ),
        axis!("attention.pattern", |m| (m.attention.window, m.attention.pattern) =>
            (None, vec![Span::Full]),
            (Some(3), vec![Span::Window]),
            (Some(2), vec![Span::Window, Span::Full]),
            (Some(8), vec![Span::Full, Span::Window]),
        ),
        axis!("attention.scale", |m| m.attention.scale => None, Some(0.2)),
        axis!("attention.soft_cap", |m| m.attention.soft_cap => None, Some(2.0)),
        axis!("feed_forward.hidden", |m| m.feed_forward.hidden =>
            Hidden::Size(12),
            Hidden::Rule(HiddenRule::Multiple { factor: 2.5 }),
            Hidden::Rule(HiddenRule::Llama { multiple_of: 8 }),
        ),
        axis!("feed_forward.bias", |m| m.feed_forward.bias => false, true),
        axis!("residual.dropout", |m| m.residual.dropout => 0.0, 0.2),
        axis!("final_norm", |m| m.final_norm => None, Some(true), Some(false)),
        Axis {
            name: "embedding.norm",
            values: norm_values(|m, norm| m.embedding.norm = norm, &[norms[11].clone(), norms[0].clone(), norms[5].clone()]),
        },
        axis!("embedding.tied", |m| m.embedding.tied => false, true),
        axis!("embedding.scale", |m| m.embedding.scale => false, true),
        axis!("embedding.dropout", |m| m.embedding.dropout => 0.0, 0.2),
        axis!("head.bias", |m| m.head.bias => false, true),
        axis!("head.soft_cap", |m| m.head.soft_cap => None, Some(3.0)),
        axis!("head.z_loss", |m| m.head.z_loss => 0.0, 1e-2),
        axis!("head.label_smoothing", |m| m.head.label_smoothing => 0.0, 0.1),
        axis!("layers", |m| m.layers => 2, 3),
        axis!("vocab", |m| m.vocab => Some(17), Some(23)),
    ]
}

/// Whether the chosen values can stand together; gaps are taken to fit.
pub fn valid(axes: &[Axis], row: &[Option<usize>]) -> bool {
    let at = |name: &str| row[axes.iter().position(|axis| axis.name == name).expect(name)];
    let position = at("position");
    let belongs = |axis: &str, positions: &[usize]| match (position, at(axis)) {
        (Some(position), Some(value)) => positions.contains(&position) == (value != 0),
        _ => true,
    };
    let own_axes = belongs("rope.fraction", &[0])
        && belongs("rope.pairing", &[0])
        && belongs("rope.scaling", &[0])
        && belongs("position.pattern", &[0, 3, 4]);
    let deepnorm = !matches!((at("residual.kind"), at("residual.scale")), (Some(kind), Some(4)) if kind != 1);
    // The rotated channels of a head come in pairs, and the NTK rule needs two of these.
    let pairs = match (at("width"), at("heads"), at("head_dim"), at("rope.fraction")) {
        (Some(width), Some(heads), Some(head_dim), Some(fraction @ 1..)) => {
            let head_dim = [[16, 8][width] / [2, 4, 4, 4][heads], 8, 12][head_dim];
            let rotated = head_dim / fraction;
            rotated % 2 == 0 && (rotated > 2 || at("rope.scaling") != Some(3))
        }
        _ => true,
    };
    own_axes && deepnorm && pairs
}
