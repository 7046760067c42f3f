//! The files in `configs/` against what was published of their models: sizes to the unit, and every option of their `config.json`.
//!
//! `published.json` holds both; `published.py` writes it, with `transformers` and without this program. After a change of a file, the
//! tables of `docs/presets.md` are written again by
//!
//! ```text
//! ABLATE_BLESS=1 cargo test --release presets::tables_are_current
//! ```

use ablate::{
    hub,
    model::{
        ModelSpec,
        attention::{AttentionBias, QkNormConfig, Span},
        init::InitConfig,
        norm::NormConfig,
        position::{PositionConfig, RopeScaling, Use},
        residual::ResidualKind,
    },
    settings::Document,
    train::RunConfig,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What was published of a model.
#[derive(Deserialize)]
struct Published {
    /// Parameters, tied ones once.
    parameters: u64,
    /// Its family on the hub; none if `transformers` has none.
    model_type: Option<String>,
    /// Its options there.
    config: Option<Map<String, Value>>,
}

fn published() -> BTreeMap<String, Published> {
    serde_json::from_str(include_str!("published.json")).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(format!("{name}.toml"))
}

fn read(name: &str) -> RunConfig {
    Document::load(&file(name)).and_then(|document| document.parse()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn spec(name: &str) -> ModelSpec {
    let run = read(name);
    assert_eq!(run.problems(), vec![], "{name}");
    run.model.resolve(None).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
}

/// Names of the files in `configs/`, without those that are no published model: benchmarks and the bases of experiments.
fn names() -> Vec<String> {
    let entries = fs::read_dir(file("x").parent().unwrap()).unwrap();
    let names = entries.filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_string()));
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("bench-") && !name.starts_with("tiny-") && name != "mqar").collect();
    names.sort();
    names
}

fn siblings() -> Vec<String> {
    names().into_iter().filter(|name| name.ends_with("-tiny")).collect()
}

/// The published model that a sibling is cut from.
fn original(sibling: &str) -> String {
    let text: toml::Table = fs::read_to_string(file(sibling)).unwrap().parse().unwrap();
    let first = text["extends"][0].as_str().unwrap();
    first.strip_suffix(".toml").unwrap().to_string()
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn every_preset_is_a_published_model() {
    let mut presets = names();
    presets.retain(|name| !name.ends_with("-tiny"));
    assert_eq!(presets, published().into_keys().collect::<Vec<_>>());
}

#[test]
fn presets_have_their_published_sizes() {
    for (name, published) in published() {
        let mut spec = spec(&name);
        if spec.context_limit().is_none() {
            // A table of rotations is no parameter, and takes time to make.
            spec.context = 1;
        }
        let shapes: u64 = spec.parameter_shapes().iter().map(|(_, shape)| shape.iter().map(|size| *size as u64).product::<u64>()).sum();
        assert_eq!((spec.account(1).parameters, shapes), (published.parameters, published.parameters), "{name}");
        let said = format!(": {} parameters", grouped(published.parameters));
        assert!(fs::read_to_string(file(&name)).unwrap().contains(&said), "{name}.toml does not say{said}");
    }
}

/// A preset written as its family's `config.json` reads back as the published `config.json` does: every option that the
/// file has is the published one, whatever the two call it.
#[test]
fn presets_have_their_published_options() {
    let mut compared = 0;
    for (name, published) in published() {
        let (Some(model_type), Some(config)) = (published.model_type, published.config) else { continue };
        let family = hub::family(&model_type).unwrap_or_else(|| panic!("{name}: no family {model_type}"));
        let theirs = family.config(Path::new("config.json"), &config).unwrap_or_else(|error| panic!("{name}: {error}"));
        let theirs = theirs.resolve(None).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let (_, ours) = family.covers(&spec(&name)).unwrap_or_else(|obstacles| panic!("{name} as {model_type}: {obstacles:?}"));
        assert_eq!(ours, theirs, "{name}");
        compared += 1;
    }
    assert!(compared > 90, "only {compared} were compared");
}

#[test]
fn siblings_are_small_models_of_the_same_architecture() {
    for name in siblings() {
        let (small, large) = (spec(&name), spec(&original(&name)));
        let parameters = small.account(1).parameters;
        assert!((small.layers, small.width, small.context, small.vocab) == (4, 128, 128, 1024) && parameters < 2_200_000, "{name}");
        assert_eq!(axes(&small, true), axes(&large, true), "{name}");
        let (own, other) = (&small.attention, &large.attention);
        assert_eq!(own.kv_heads == 1, other.kv_heads == 1, "{name}: one head of keys");
        assert_eq!(own.kv_heads == own.heads, other.kv_heads == other.heads, "{name}: groups");
        let scaled = |spec: &ModelSpec| spec.head.scale.map(|scale| (scale * (spec.width as f64).sqrt()).round() == 1.0);
        assert!(small.head.scale == large.head.scale || scaled(&small) == Some(true) && scaled(&large) == Some(true), "{name}: logits");
        if let Some(model_type) = &published()[&original(&name)].model_type {
            let family = hub::family(model_type).unwrap();
            assert!(family.covers(&small).is_ok(), "{name} as {model_type}: {:?}", family.covers(&small).unwrap_err());
        }
    }
}

/// Every family of the hub has a published model and a small one here.
#[test]
fn families_have_presets_and_siblings() {
    let published = published();
    let types = |names: Vec<String>| -> Vec<String> { names.iter().filter_map(|name| published[name].model_type.clone()).collect() };
    let (large, small) = (types(published.keys().cloned().collect()), types(siblings().iter().map(|name| original(name)).collect()));
    for family in hub::families().iter().map(|family| family.model_type).filter(|name| *name != "arcee") {
        assert!(large.iter().any(|name| name == family), "{family} has no preset");
        assert!(small.iter().any(|name| name == family), "{family} has no sibling for a CPU");
    }
}

/// Every row of the table of architectures has a small model.
#[test]
fn architectures_have_siblings() {
    let small: Vec<[String; 8]> = siblings().iter().map(|name| axes(&spec(&original(name)), false)).collect();
    for name in published().into_keys() {
        assert!(small.contains(&axes(&spec(&name), false)), "the architecture of {name} has no sibling for a CPU");
    }
}

#[test]
fn tables_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/presets.md");
    let text = document();
    if std::env::var_os("ABLATE_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/presets.md is out of date: see the head of tests/model/presets.rs");
}

/// What does not depend on the size of a model, in the table's words. `loose`: without numbers that a sibling has its own of.
fn axes(spec: &ModelSpec, loose: bool) -> [String; 8] {
    let or = |words: Vec<String>| if words.is_empty() { "–".to_string() } else { words.join(", ") };
    let topology = match spec.residual.kind {
        ResidualKind::Pre => "pre",
        ResidualKind::Post => "post",
        ResidualKind::Sandwich => "sandwich",
        ResidualKind::Output => "output",
        ResidualKind::ParallelShared => "parallel, one norm",
        ResidualKind::Parallel => "parallel, two norms",
    };
    let mut topology = topology.to_string();
    if !spec.final_norm {
        topology += "; none before the head";
    }

    let attention = &spec.attention;
    let mut scores = vec![];
    match &attention.qk_norm {
        QkNormConfig::None {} => {}
        QkNormConfig::PerHead { norm } => scores.push(format!("{} per head", norm_words(norm))),
        QkNormConfig::FullWidth { norm } => scores.push(format!("{} over all heads", norm_words(norm))),
    }
    let usual = 1.0 / (attention.head_dim as f64).sqrt();
    if (attention.scale - usual).abs() > 1e-12 {
        scores.push(if attention.scale == 1.0 { "no factor".into() } else { format!("factor 1/√{:.0}", attention.scale.powi(-2)) });
    }
    scores.extend(attention.soft_cap.map(|cap| format!("cap {cap}")));
    if let Some(window) = attention.window {
        let turn: Vec<&str> = period(&attention.spans).iter().map(|span| if *span == Span::Window { "window" } else { "full" }).collect();
        scores.push(if loose { turn.join("/") } else { format!("{} of {}", turn.join("/"), grouped(window as u64)) });
    }
    if attention.document_mask {
        scores.push("documents apart".into());
    }

    let AttentionBias { query, key, value, output } = attention.bias;
    let mut biases = vec![];
    biases.extend((query && key && value).then(|| "q, k, v".to_string()));
    biases.extend(output.then(|| "o".to_string()));
    biases.extend(spec.feed_forward.bias.then(|| "feed-forward".to_string()));
    biases.extend(spec.head.bias.then(|| "head".to_string()));

    let mut embedding = vec![if spec.embedding.tied { "tied" } else { "untied" }.to_string()];
    embedding.extend(spec.embedding.scale.then(|| "× √width".to_string()));
    if !matches!(spec.embedding.norm, NormConfig::None(_)) {
        embedding.push(norm_words(&spec.embedding.norm));
    }
    let mut head = vec![];
    if let Some(scale) = spec.head.scale {
        let by_width = (scale * (spec.width as f64).sqrt() - 1.0).abs() < 1e-9;
        head.push(if by_width || loose { "logits / √width".to_string() } else { format!("logits × {scale}") });
    }
    head.extend(spec.head.soft_cap.map(|cap| format!("cap {cap}")));
    head.extend((spec.head.z_loss > 0.0).then(|| format!("z-loss {:e}", spec.head.z_loss)));
    head.extend((spec.head.label_smoothing > 0.0).then(|| format!("smoothing {}", spec.head.label_smoothing)));

    [
        topology,
        norm_words(&spec.norm),
        or(scores),
        or(biases),
        position_words(&spec.position, loose),
        serde_json::to_value(spec.feed_forward.kind).unwrap().as_str().unwrap().to_string(),
        embedding.join(", "),
        or(head),
    ]
}

fn norm_words(norm: &NormConfig) -> String {
    match norm {
        NormConfig::Rms(norm) => {
            let form = match (norm.gain, norm.unit_offset) {
                (false, _) => ", no gain",
                (true, true) => ", 1 + w",
                (true, false) => "",
            };
            format!("RMS{form} {:e}", norm.eps)
        }
        NormConfig::Layer(norm) => {
            let form = match (norm.gain, norm.bias) {
                (true, true) => "",
                (true, false) => ", no bias",
                (false, _) => ", nothing learned",
            };
            format!("LN{form} {:e}", norm.eps)
        }
        NormConfig::Dyt(_) => "DyT".into(),
        NormConfig::None(_) => "none".into(),
    }
}

fn position_words(position: &PositionConfig, loose: bool) -> String {
    match position {
        PositionConfig::Rope(rope) => {
            let mut words = vec![format!("RoPE {}", grouped(rope.theta.round() as u64))];
            if rope.fraction < 1.0 {
                words.push(format!("{} %", rope.fraction * 100.0));
            }
            words.push(serde_json::to_value(rope.pairing).unwrap().as_str().unwrap().to_string());
            match rope.scaling {
                RopeScaling::None {} => {}
                RopeScaling::Llama3 { factor, original_context, .. } if !loose => {
                    words.push(format!("llama3 × {factor} of {}", grouped(original_context as u64)));
                }
                RopeScaling::Llama3 { factor, .. } => words.push(format!("llama3 × {factor}")),
                _ => words.push(format!("{:?}", rope.scaling)),
            }
            if rope.pattern.contains(&Use::Off) {
                words.push(rope.pattern.iter().map(|on| if *on == Use::On { "on" } else { "off" }).collect::<Vec<_>>().join(" "));
            }
            words.join(", ")
        }
        PositionConfig::Learned(_) => "learned".into(),
        PositionConfig::Sinusoidal(_) => "sinusoidal".into(),
        PositionConfig::Alibi(alibi) => format!("ALiBi, exponent {}", alibi.max_exponent),
        PositionConfig::T5(_) => "T5".into(),
        PositionConfig::None(_) => "none".into(),
    }
}

/// The shortest pattern that repeats to these layers.
fn period(spans: &[Span]) -> &[Span] {
    let repeats = |length: &usize| spans.iter().enumerate().all(|(layer, span)| *span == spans[layer % length]);
    &spans[..(1..=spans.len()).find(repeats).unwrap_or(spans.len())]
}

fn start(init: &InitConfig) -> String {
    match init {
        InitConfig::Normal { std } => format!("normal {std}"),
        InitConfig::Gpt2 { std } if std.fract() != 0.0 && std.to_string().len() > 6 => format!("gpt2 {std:.4}"),
        InitConfig::Gpt2 { std } => format!("gpt2 {std}"),
        InitConfig::Mitchell {} => "mitchell".into(),
        InitConfig::Small {} => "small".into(),
        InitConfig::Xavier { .. } => "xavier".into(),
        InitConfig::Truncated { std, .. } => format!("truncated {std}"),
    }
}

/// `docs/presets.md`.
fn document() -> String {
    let mut published: Vec<(String, Published)> = published().into_iter().collect();
    let series = |name: &str| name.split('-').next().unwrap().to_string();
    published.sort_by_key(|(name, entry)| (series(name), entry.parameters, name.clone()));
    let mut rows: Vec<(Vec<String>, [String; 8])> = vec![];
    let mut sizes = String::new();
    for (name, entry) in &published {
        let spec = spec(name);
        let attention = &spec.attention;
        let heads = match attention.kv_heads {
            kv if kv == attention.heads => format!("{} × {}", attention.heads, attention.head_dim),
            kv => format!("{} → {kv} × {}", attention.heads, attention.head_dim),
        };
        sizes += &format!(
            "| `{name}` | {} | {} | {} | {heads} | {} | {} | {} | {} | {} |\n",
            grouped(entry.parameters),
            spec.layers,
            grouped(spec.width as u64),
            grouped(spec.feed_forward.hidden as u64),
            grouped(spec.vocab as u64),
            grouped(spec.context as u64),
            start(&spec.init),
            entry.model_type.as_ref().map_or("–".into(), |name| format!("`{name}`")),
        );
        let axes = axes(&spec, false);
        match rows.iter_mut().find(|row| row.1 == axes) {
            Some(row) => row.0.push(name.clone()),
            None => rows.push((vec![name.clone()], axes)),
        }
    }
    let axes: String = rows.iter().map(|(names, axes)| format!("| {} | {} |\n", ticked(names), axes.join(" | "))).collect();
    let small: String = siblings()
        .iter()
        .map(|name| format!("| `{name}` | `{}` | {} |\n", original(name), grouped(spec(name).account(1).parameters)))
        .collect();
    format!(
        "{HEAD}\n\
         | files | topology | norm | scores | biases | positions | feed-forward | embedding | head |\n|---|---|---|---|---|---|---|---|---|\n{axes}\n\
         ## Sizes\n\n{SIZES}\n\
         | file | parameters | layers | width | heads | hidden | vocabulary | context | start | family |\n|---|--:|--:|--:|---|--:|--:|--:|---|---|\n{sizes}\n\
         ## Siblings for a CPU\n\n{SIBLINGS}\n\
         | file | cut from | parameters |\n|---|---|--:|\n{small}"
    )
}

fn ticked(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

const HEAD: &str = "\
# Published models

<!-- Written by tests/model/presets.rs from the files in configs/: change those. -->

Each file in `configs/` is a published model with its recipe, as far as that is published, and says in comments where its values
come from and, where sources conflict, which was taken. What it shares with another it takes from there by `extends`. Sizes and
options are held against the published ones by `tests/model/presets.rs`: the parameters to the unit, counted by `transformers` from
the published `config.json` (`tests/model/published.py`), and every option of that file. OPT's count is without the two positions
that no token reads; GPT-3, PaLM and the original Transformer, which `transformers` does not have, are summed by hand.

## Architectures

Files in one row differ in sizes and recipes alone. *scores*: norms of queries and keys, factors on the scores other than 1/√head,
caps, windows by layer in turn and the keys that a query sees there. *positions*: the base, the share of a head that rotates, which channels pair.
";

const SIZES: &str = "\
*heads*: of queries → of keys and values × channels. *start*: the initialisation; `gpt2` where nothing is published. *family*: the
`model_type` that `ablate export` and `ablate import` know it by.
";

const SIBLINGS: &str = "\
The same components and options with 4 layers of 128 channels, 128 tokens and a vocabulary of 1,024 (`configs/recipes/tiny.toml`): for
ablations that train in minutes. Each is a base for an experiment: `base = \"../configs/gemma2-tiny.toml\"`.
";
