//! Probes: they see what is there, and change nothing.

use super::{Bench, runs::bits};
use ablate::{
    device::DeviceName,
    model::{Pass, Transformer, parameters},
    train::{LayerProbe, Probe, checkpoint::Which, load_model},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Int, Tensor, TensorData},
};

fn probes(bench: &Bench, name: &str) -> Vec<Probe> {
    let text = std::fs::read_to_string(bench.path(name).join("probes.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_with_probes_has_the_bits_of_one_without() {
    let bench = Bench::new();
    let kinds: [&[&str]; 3] = [
        &["model.residual.dropout=0.1", "train.accumulation=2"],
        &["optimizer={ kind = \"muon\", lr = 0.003 }", "train.activations=\"recompute\"", "model.embedding.tied=true"],
        &["train.precision=\"bf16\"", "model.attention.document_mask=true", "model.residual.kind=\"parallel\""],
    ];
    for (index, set) in kinds.into_iter().enumerate() {
        let spec = |every: &str| bench.spec(&[set, &[every, "train.checkpoint_every=3"]].concat());
        let (plain, probed, parts) = (format!("plain-{index}"), format!("probed-{index}"), format!("parts-{index}"));
        let expected = bench.run(&spec("probe.every=0"), &plain).unwrap();
        assert!(!bench.path(&plain).join("probes.jsonl").exists());
        let looked = spec("probe.every=7");
        let result = bench.run(&looked, &probed).unwrap();
        // Stopped and continued, after a crash that left lines behind.
        bench.stopped(&looked, &parts, 8).unwrap();
        let path = bench.path(&parts).join("probes.jsonl");
        let kept = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, kept + "{\"step\":19}\n{\"step\":2").unwrap();
        let continued = bench.run(&looked, &parts).unwrap();

        assert_eq!(result.id, expected.id);
        for name in [&probed, &parts] {
            for key in ["step", "loss", "gradient_norm"] {
                assert_eq!(bench.column(name, key), bench.column(&plain, key), "{set:?} {name} {key}");
            }
            assert_eq!(bench.parameters(name), bench.parameters(&plain), "{set:?} {name}");
        }
        let seen = probes(&bench, &probed);
        assert_eq!(seen.iter().map(|probe| probe.step).collect::<Vec<_>>(), [0, 7, 14, 20]);
        assert_eq!(probes(&bench, &parts), seen);
        assert_eq!(continued.metrics, result.metrics);

        // The result has what was promised: all of it, but for spikes, which 20 steps are too few for.
        let promised: Vec<_> = looked.metrics().into_iter().filter(|name| !name.contains("spike")).collect();
        assert!(promised.iter().all(|name| result.metrics.contains_key(name)), "{promised:?} {:?}", result.metrics);
        assert_eq!(promised.len(), result.metrics.len());
        assert_eq!(result.metrics["probe/gradient_norm_last_block@0"], seen[0].layers[1].gradient_norm.unwrap());
        assert_eq!(result.metrics["probe/gradient_norm_last_block"], seen[3].layers[1].gradient_norm.unwrap());
        assert_eq!(spec("probe.every=0").metrics(), ["valid/bits_per_byte"]);
    }
}

/// Inputs and targets: rows of a text, evenly over all of it.
fn batch(tokens: &[u32], context: usize, rows: usize, device: &Device) -> [Tensor<2, Int>; 2] {
    let last = tokens.len() - context - 1;
    [0, 1].map(|offset| {
        let row = |row: usize| tokens[last * row / (rows - 1) + offset..][..context].iter().map(|&token| token as i32);
        Tensor::from_data(TensorData::new((0..rows).flat_map(row).collect::<Vec<i32>>(), [rows, context]), device)
    })
}

/// Sum of squares and number of elements of each parameter's gradient, by Burn's own reduction in f64.
fn squares(model: &Transformer, gradients: &GradientsParams) -> Vec<(String, f64, usize)> {
    struct Squares<'a>(&'a GradientsParams, Vec<(f64, usize)>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values: Vec<f64> = self.0.get::<D>(param.id).unwrap().into_data().iter::<f64>().collect();
            self.1.push((values.iter().map(|value| value * value).sum(), values.len()));
        }
    }
    let mut squares = Squares(gradients, vec![]);
    model.visit(&mut squares);
    parameters(model).into_iter().zip(squares.1).map(|((path, ..), (sum, count))| (path, sum, count)).collect()
}

fn close(got: Option<f64>, expected: f64) {
    let got = got.unwrap();
    assert!((got / expected - 1.0).abs() < 1e-5, "{got}, expected {expected}");
}

#[test]
fn gradients_and_updates_are_those_of_the_batch_and_of_the_parameters() {
    let bench = Bench::new();
    let set = ["probe={ every = 1, batch = 3 }", "train.steps=5", "train.checkpoint_every=1", "train.keep_last=9", "model.norm.kind=layer"];
    let spec = bench.spec(&set);
    bench.run(&spec, "run").unwrap();
    let seen = probes(&bench, "run");

    let device = DeviceName::Flex.train_device().unwrap();
    let model = spec.model.build(spec.train.seed, &device);
    let [tokens, targets] = batch(&bench.data.validation().tokens, 16, 3, &device);
    let loss = model.loss(tokens, targets, &Pass::default());
    close(seen[0].loss, f64::from(loss.nats.into_scalar::<f32>()));
    let gradients = squares(&model, &GradientsParams::from_grads(loss.objective.backward(), &model));
    let sum = |prefix: &str, ending: &str| {
        let chosen = gradients.iter().filter(|(path, ..)| path.starts_with(prefix) && path.ends_with(ending));
        chosen.fold((0.0, 0), |(a, b), (_, sum, count)| (a + sum, b + count))
    };
    let norm = |(sum, _): (f64, usize)| sum.sqrt();
    let rms = |(sum, count): (f64, usize)| (sum / count as f64).sqrt();
    close(seen[0].gradient_norm, norm(sum("", "")));
    close(seen[0].embedding_gradient_norm, norm(sum("embedding.", "")));
    close(seen[0].head_gradient_norm, norm(sum("head.", "")));
    for (index, layer) in seen[0].layers.iter().enumerate() {
        let place = format!("layers.{index}.");
        close(layer.gradient_norm, norm(sum(&place, "")));
        close(layer.gradient_norm_output, norm(sum(&format!("{place}feed_forward.down.weight"), "")));
        close(layer.gradient_rms_attention, rms(sum(&format!("{place}attention."), "weight")));
        close(layer.gradient_rms_feed_forward, rms(sum(&format!("{place}feed_forward."), "weight")));
        assert_eq!((layer.update_rms, layer.relative_update_rms), (None, None), "nothing was updated yet");
    }

    let at = |step: usize| match step {
        5 => bits(&load_model(&bench.path("run"), Which::Newest, &DeviceName::Flex).unwrap().1),
        kept => bits(&load_model(&bench.path("run"), Which::Step(kept), &DeviceName::Flex).unwrap().1),
    };
    for step in [2, 5] {
        let (before, after) = (at(step - 1), at(step));
        for (index, layer) in seen[step].layers.iter().enumerate() {
            let (mut change, mut size, mut count) = (0.0, 0.0, 0);
            for ((path, old), (_, new)) in before.iter().zip(&after) {
                if path.starts_with(&format!("layers.{index}.")) && path.ends_with(".weight") {
                    for (old, new) in old.iter().zip(new) {
                        let [old, new] = [old, new].map(|bits| f64::from(f32::from_bits(*bits)));
                        (change, size, count) = (change + (new - old).powi(2), size + old * old, count + 1);
                    }
                }
            }
            close(layer.update_rms, (change / f64::from(count)).sqrt());
            close(layer.relative_update_rms, (change / size).sqrt());
        }
    }
}

/// Xiong et al. 2020, theorem 1: at initialisation by Xavier, the gradient of the last feed-forward's second matrix does not
/// depend on the number of layers with post-norm, and falls as 1/√layers with pre-norm.
#[test]
fn post_norm_keeps_the_last_gradients_large_where_pre_norm_lets_them_fall_with_depth() {
    let bench = Bench::new();
    let depths = [2usize, 4, 8, 16];
    let slope = |kind: &str| {
        let mut points = vec![];
        for layers in depths {
            let set = [
                "model.norm.kind=layer",
                "model.init={ kind = \"xavier\" }",
                "model.feed_forward={ kind = \"relu\", hidden = 64 }",
                "model.width=32",
                "train.steps=1",
                "schedule.warmup=0",
                "probe.every=1",
                &format!("model.residual.kind={kind:?}"),
                &format!("model.layers={layers}"),
            ];
            let result = bench.run(&bench.spec(&set), &format!("{kind}-{layers}")).unwrap();
            points.push(((layers as f64).ln(), result.metrics["probe/gradient_norm_last_output@0"].ln()));
        }
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
        let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
        mean(&|p| (p.0 - x) * (p.1 - y)) / mean(&|p| (p.0 - x).powi(2))
    };
    let (pre, post) = (slope("pre"), slope("post"));
    assert!((pre + 0.5).abs() < 0.15 && post.abs() < 0.1, "pre {pre}, post {post}");
}

#[test]
fn every_variant_is_seen_whole() {
    let bench = Bench::new();
    let whole = |layer: &LayerProbe| {
        let value = serde_json::to_value(layer).unwrap();
        value.as_object().unwrap().iter().filter(|(_, number)| number.is_null()).map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    for (index, set) in [
        "model.residual.kind=\"post\"",
        "model.residual.kind=\"sandwich\"",
        "model.residual.kind=\"output\"",
        "model.residual.kind=\"parallel_shared\"",
        "model.attention={ heads = 4, kv_heads = 2, head_dim = 6, soft_cap = 5.0, window = 5, pattern = [\"window\", \"full\"] }",
        "model.attention={ heads = 2, qk_norm = { kind = \"per_head\" }, document_mask = true, bias = true }",
        "model.attention={ heads = 2, qk_norm = { kind = \"full_width\" } }",
        "model.position.kind=\"alibi\"",
        "model.position.kind=\"t5\"",
        "model.position.kind=\"learned\"",
        "model.feed_forward={ kind = \"relu2\", hidden = 24 }",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("run-{index}");
        bench.run(&bench.spec(&[set, "train.steps=2", "schedule.warmup=0", "probe.every=1"]), &name).unwrap();
        for layer in &probes(&bench, &name)[2].layers {
            assert_eq!(whole(layer), Vec::<String>::new(), "{set}");
            let [entropy, least] = [layer.attention_entropy, layer.attention_entropy_min].map(Option::unwrap);
            // At most 16 tokens are seen.
            assert!(0.0 < least && least <= entropy && entropy < 16f64.ln(), "{set}: {least} {entropy}");
        }
    }
}
