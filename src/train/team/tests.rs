use super::*;
use crate::{
    data::Scored,
    device::DeviceName,
    model::{ModelConfig, Noise, parameters, residual::ResidualKind},
    ops::Activations,
    ops::Neighbours,
    parallel::{Lane, LinkConfig, group::threads},
    settings::Document,
    train::{
        Batch, RunConfig, RunSpec, optimizer,
        replica::{Computed, Replica},
        step,
    },
};
use burn::{
    module::{Module, ModuleMapper, Param},
    store::ModuleRecord,
    tensor::{Bytes, FloatDType, Tensor},
    train::checkpoint::Checkpoint,
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

const CONTEXT: usize = 8;
const ROWS: usize = 8;
/// The norm that clipping goes by is in f32.
const UNCLIPPED: &str = "train.gradient_clip=0.0";
const PATIENCE: Duration = Duration::from_secs(60);

/// A run with assignments on top; what it reads is given to it elsewhere.
fn spec(set: &[&str]) -> RunSpec {
    let text = "data.corpus = { kind = \"synthetic\", task = { kind = \"induction\" } }\n\
        schedule = { kind = \"constant\" }\noptimizer = { kind = \"adamw\", lr = 0.01 }\ntrain = { steps = 6, batch = 8 }\n\
        model = { layers = 3, width = 16, context = 8 }";
    let mut document = Document::from_text("test.toml", text).unwrap();
    set.iter().for_each(|assignment| document.set(assignment, "test").unwrap());
    let config: RunConfig = document.parse().unwrap_or_else(|error| panic!("{error}"));
    config.resolve().unwrap_or_else(|problems| panic!("{}", document.locate(problems)))
}

/// Models that share parameters between blocks, between both ends, or draw noise.
fn models() -> Vec<(&'static str, ModelSpec)> {
    let config = |text: &str| -> ModelSpec {
        let base = "layers = 3\nwidth = 16\ncontext = 8\nvocab = 40\nattention.heads = 2\n";
        let config: ModelConfig = toml::from_str(&format!("{base}{text}")).unwrap();
        config.resolve(None).unwrap()
    };
    vec![
        ("plain", config("")),
        ("tied", config("embedding = { tied = true }")),
        ("learned positions, shared biases", config("position = { kind = \"t5\" }\nembedding = { tied = true }")),
        ("dropout", config("residual = { dropout = 0.2 }\nembedding = { dropout = 0.1 }\nposition = { kind = \"learned\" }")),
        ("post-norm", {
            let mut spec = config("norm = { kind = \"layer\" }");
            spec.residual.kind = ResidualKind::Post;
            spec
        }),
    ]
}

/// Every parameter in f64.
struct Widen;

impl ModuleMapper for Widen {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(FloatDType::F64).detach().require_grad())
    }
}

fn build(spec: &ModelSpec, wide: bool) -> Transformer {
    let model = spec.build(3, &DeviceName::Flex.train_device().unwrap());
    if wide { model.map(&mut Widen) } else { model }
}

/// The micro-batches of a step: of windows, or of positions that are scored.
fn step_of(spec: &RunSpec, step: usize, scored: bool) -> Vec<Batch> {
    let accumulation = spec.train.accumulation;
    let rows = ROWS / accumulation;
    let length = CONTEXT + usize::from(!scored);
    let word = |row: usize, i: usize| ((row * 7919 + i * 131 + step * 31 + row * i) % 40) as u32;
    // Not as many in each row.
    let is_scored = |row: usize, i: usize| i % 4 == 1 || row.is_multiple_of(3) && i < 3;
    let all = (0..ROWS).flat_map(|row| (0..CONTEXT).filter(move |i| is_scored(row, *i))).count();
    let of = |micro: usize| {
        let first = micro * rows;
        let places: Vec<(usize, usize)> =
            (0..rows).flat_map(|row| (0..CONTEXT).map(move |i| (row, i))).filter(|(row, i)| is_scored(first + row, *i)).collect();
        let share = if scored { places.len() as f64 / all as f64 } else { 1.0 / accumulation as f64 };
        Batch {
            tokens: (0..rows).flat_map(|row| (0..length).map(move |i| word(first + row, i))).collect(),
            context: CONTEXT,
            scored: scored.then(|| Scored {
                targets: places.iter().map(|(row, i)| word(first + row, i + 1)).collect(),
                positions: places.iter().map(|(row, i)| (row * CONTEXT + i) as u32).collect(),
            }),
            opening: Some(5),
            starts: None,
            noise: Noise { seed: 1, step: step as u64, micro: micro as u64, row: 0 },
            share,
            activations: spec.train.activations,
            precision: spec.train.precision,
        }
    };
    (0..accumulation).map(of).collect()
}

/// Models that differ in what is divided where layers are, and in what stands between.
///
/// Keys have no bias: softmax takes it away, and its gradient is rounding.
fn divided_models() -> Vec<(&'static str, ModelSpec)> {
    let config = |text: &str| -> ModelSpec {
        // A vocabulary that no number of devices divides.
        let base = "layers = 2\nwidth = 16\ncontext = 8\nvocab = 43\nattention.heads = 4\nfeed_forward.hidden = 24\n";
        let config: ModelConfig = toml::from_str(&format!("{base}{text}")).unwrap_or_else(|error| panic!("{text}: {error}"));
        config.resolve(None).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
    };
    let of = |kind: &str| config(&format!("residual = {{ kind = \"{kind}\" }}"));
    vec![
        ("llama", config("attention.qk_norm = { kind = \"per_head\" }")),
        (
            "vaswani",
            config(
                "norm = { kind = \"layer\" }\nposition = { kind = \"sinusoidal\" }\nresidual = { kind = \"post\", scale = { kind = \"deepnorm\" } }\nfeed_forward.kind = \"relu\"\nfeed_forward.bias = true\nattention.bias = { query = true, value = true, output = true }",
            ),
        ),
        (
            "gpt-2",
            config(
                "norm = { kind = \"layer\" }\nposition = { kind = \"learned\" }\nresidual.dropout = 0.2\nembedding = { tied = true, dropout = 0.1 }\nfeed_forward.kind = \"gelu_tanh\"\nattention.bias = { query = true, value = true, output = true }\nfeed_forward.bias = true",
            ),
        ),
        (
            "bloom",
            config(
                "position = { kind = \"alibi\" }\nembedding = { tied = true, norm = { kind = \"layer\" } }\nfeed_forward.kind = \"gelu\"",
            ),
        ),
        (
            "t5",
            config(
                "position = { kind = \"t5\" }\nembedding = { tied = true, scale = true }\nattention.window = 3\nattention.pattern = [\"window\", \"full\"]",
            ),
        ),
        (
            "gemma",
            config(
                "residual = { kind = \"sandwich\" }\nattention.soft_cap = 5.0\nhead = { bias = true, soft_cap = 3.0, z_loss = 0.01, label_smoothing = 0.1 }",
            ),
        ),
        ("grouped heads, documents apart", config("attention.kv_heads = 2\nattention.document_mask = true")),
        ("grouped heads that are normed", config("attention.kv_heads = 2\nattention.qk_norm = { kind = \"per_head\" }")),
        ("no positions, µP", config("position = { kind = \"none\" }\nhead.scale = 0.5\nmup = { base_width = 8, base_head_dim = 4 }")),
        ("norms at the end", of("output")),
        ("both branches at once", of("parallel")),
        ("one norm for both", of("parallel_shared")),
        ("learned factors", config("residual.scale = { kind = \"learned\", initial = 0.5 }\nnorm = { kind = \"dyt\" }")),
    ]
}

/// What the ranks end up with after some steps: loss, norm and gradients of the first step, and the parameters.
type Outcome = (Vec<f64>, f64, BTreeMap<String, Vec<f64>>, BTreeMap<String, Vec<f64>>);

fn values_of(model: &Transformer) -> BTreeMap<String, Vec<f64>> {
    struct Values(BTreeMap<String, Vec<f64>>, usize);
    impl burn::module::ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.insert(format!("{:04}", self.1), param.val().into_data().iter::<f64>().collect());
            self.1 += 1;
        }
    }
    let mut values = Values(BTreeMap::new(), 0);
    model.visit(&mut values);
    values.0
}

fn steps(spec: &RunSpec, model: Transformer, team: Option<Team>, count: usize, scored: bool) -> Result<Outcome, Lost> {
    let optimizer = optimizer::build(&spec.optimizer, 1.0, &model);
    let mut replica = Replica::new(spec, model, optimizer, team);
    let (mut losses, mut first) = (vec![], None);
    for step in 0..count {
        let computed = replica.compute(spec, step, step_of(spec, step, scored))?;
        losses.push(computed.measured.loss);
        if first.is_none() {
            first = Some((computed.measured.gradient_norm, gradients(&mut replica, &computed)?));
        }
        replica.update(computed)?;
    }
    let (norm, gradients) = first.unwrap();
    Ok((losses, norm, gradients, values_of(&replica.whole()?)))
}

/// The gradients, put together where layers are divided.
fn gradients(replica: &mut Replica, computed: &Computed) -> Result<BTreeMap<String, Vec<f64>>, Lost> {
    struct Instead<'a>(&'a GradientsParams);
    impl ModuleMapper for Instead<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.0.get::<D>(param.id) {
                Some(gradient) => param.map(|old| values::instead_of(&old, Tensor::from_inner(gradient))),
                None => param,
            }
        }
    }
    let divided = replica.team().is_some_and(|team| team.division.is_some());
    if !divided {
        return Ok(replica.model().gradients(computed.gradients()));
    }
    let model = replica.model().clone().map(&mut Instead(computed.gradients()));
    let whole = replica.team_mut().expect("it has one").whole(&model)?;
    let names = parameters(&whole).into_iter().map(|(name, ..)| name);
    Ok(names.zip(values_of(&whole).into_values()).collect())
}

/// What each rank makes of a model of its own: clones would be on one tape.
fn ranks<T: Send + 'static>(
    spec: &RunSpec,
    model: &ModelSpec,
    wide: bool,
    work: impl Fn(&RunSpec, Transformer, Team) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let ranks: Vec<_> = threads(spec.parallel.devices, spec.parallel.link(), PATIENCE)
        .into_iter()
        .map(|mesh| {
            let (spec, model, work) = (spec.clone(), model.clone(), work.clone());
            thread::spawn(move || {
                let built = build(&model, wide);
                let team = Team::new(mesh.groups(spec.parallel.tensor), &model, &built, &spec.parallel, vec![]);
                work(&spec, built, team)
            })
        })
        .collect();
    ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
}

fn together(spec: &RunSpec, model: &ModelSpec, wide: bool, count: usize, scored: bool) -> Vec<Outcome> {
    ranks(spec, model, wide, move |spec, model, team| steps(spec, model, Some(team), count, scored).unwrap())
}

/// The largest difference, as a share of the largest value of each parameter.
fn difference(a: &BTreeMap<String, Vec<f64>>, b: &BTreeMap<String, Vec<f64>>) -> f64 {
    assert!(a.keys().eq(b.keys()));
    let of = |(x, y): (&Vec<f64>, &Vec<f64>)| {
        let largest = x.iter().fold(1e-30f64, |largest, value| largest.max(value.abs()));
        x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / largest
    };
    a.values().zip(b.values()).map(of).fold(0.0, f64::max)
}

#[test]
fn several_devices_have_the_gradients_of_one() {
    for (name, model) in models() {
        for (wide, tolerance) in [(true, 1e-12), (false, 1e-5)] {
            for scored in [false, true] {
                let alone = steps(&spec(&["train.accumulation=2"]), build(&model, wide), None, 1, scored).unwrap();
                for (devices, accumulation) in [(2, 1), (4, 1), (2, 2), (4, 2)] {
                    let set = [format!("parallel.devices={devices}"), format!("train.accumulation={accumulation}")];
                    let set = [&set[0], &set[1], "parallel.bucket_megabytes=0.004"];
                    for outcome in together(&spec(&set), &model, wide, 1, scored) {
                        let case = format!("{name}, f64 {wide}, scored {scored}, {devices} devices, {accumulation} micro-batches");
                        // Noise is drawn by the micro-batch: other cuts, other masks.
                        if name == "dropout" && accumulation == 1 {
                            continue;
                        }
                        assert!(difference(&alone.2, &outcome.2) <= tolerance, "{case}: {:e}", difference(&alone.2, &outcome.2));
                        assert!((alone.0[0] / outcome.0[0] - 1.0).abs() <= tolerance.max(1e-7), "{case}: {} {}", alone.0[0], outcome.0[0]);
                        assert!((alone.1 / outcome.1 - 1.0).abs() <= tolerance.max(1e-6), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn devices_that_divide_layers_have_the_gradients_of_one() {
    for (name, model) in divided_models() {
        for (wide, tolerance) in [(true, 1e-12), (false, 1e-5)] {
            for scored in [false, true] {
                let alone = steps(&spec(&["train.accumulation=2", UNCLIPPED]), build(&model, wide), None, 1, scored).unwrap();
                for (devices, tensor) in [(2, 2), (4, 4), (4, 2), (8, 2)] {
                    if model.divided().iter().any(|(_, size)| size % tensor != 0) {
                        continue;
                    }
                    let set = [format!("parallel.devices={devices}"), format!("parallel.tensor={tensor}")];
                    let set = [&set[0], &set[1], "train.accumulation=2", "parallel.bucket_megabytes=0.004", UNCLIPPED];
                    let outcome = together(&spec(&set), &model, wide, 1, scored).swap_remove(0);
                    let case = format!("{name}, f64 {wide}, scored {scored}, {devices} devices, {tensor} divide layers");
                    assert!(difference(&alone.2, &outcome.2) <= tolerance, "{case}: {:e}", difference(&alone.2, &outcome.2));
                    assert!((alone.0[0] / outcome.0[0] - 1.0).abs() <= tolerance.max(1e-7), "{case}: {} {}", alone.0[0], outcome.0[0]);
                    assert!((alone.1 / outcome.1 - 1.0).abs() <= tolerance.max(1e-6), "{case}: {} {}", alone.1, outcome.1);
                }
            }
        }
    }
}

#[test]
fn where_layers_are_divided_what_is_kept_changes_no_bit_and_bf16_little() {
    for (name, model) in divided_models() {
        let base = ["parallel.devices=2", "parallel.tensor=2"];
        let run = |more: &[&str]| together(&spec(&[&base, more].concat()), &model, false, 2, true).swap_remove(0);
        let all = run(&["train.activations=\"all\""]);
        for activations in ["selective", "linear-outputs", "recompute"] {
            assert!(run(&[&format!("train.activations=\"{activations}\"")]) == all, "{name} {activations}");
        }
        let alone = steps(&spec(&["train.precision=\"bf16\"", UNCLIPPED]), build(&model, false), None, 1, true).unwrap();
        let bf16 = together(&spec(&[base[0], base[1], "train.precision=\"bf16\"", UNCLIPPED]), &model, false, 1, true).swap_remove(0);
        // Parts of a sum are rounded to 8 bits where one device rounds the whole: a few roundings of the largest.
        assert!(difference(&alone.2, &bf16.2) < 0.05, "{name}: {}", difference(&alone.2, &bf16.2));
    }
}

#[test]
fn whoever_leaves_amid_a_pass_is_missed_at_once() {
    let (_, model) = divided_models().swap_remove(0);
    let spec = spec(&["parallel.devices=2", "parallel.tensor=2"]);
    let ended = ranks(&spec, &model, false, |spec, model, team| {
        let (rank, started) = (team.rank(), Instant::now());
        let ring = team.neighbours().map(|ring| ring as Arc<dyn Neighbours>);
        let optimizer = optimizer::build(&spec.optimizer, 1.0, &model);
        let mut replica = Replica::new(spec, model, optimizer, Some(team));
        if rank == 1 {
            // Behind the first block, whose steps stay on a tape that nobody runs.
            let hand_out = &mut |index: usize, _| if index == 0 { Ok(replica.model().layers()[0].clone()) } else { Err(()) };
            let ended = step::forward_in_parts(replica.model(), &step_of(spec, 0, false)[0], ring, hand_out);
            assert!(ended.is_err());
            return None;
        }
        let lost = replica.compute(spec, 0, step_of(spec, 0, false)).err();
        assert!(started.elapsed() < PATIENCE / 2);
        lost
    });
    assert!(matches!(ended[0], Some(Lost::Left { rank: 1, .. })), "{ended:?}");
}

#[test]
fn nothing_in_a_step_takes_less_than_no_time() {
    let (_, model) = divided_models().swap_remove(0);
    let spec = spec(&["parallel.devices=4", "parallel.tensor=2", "parallel.sharded=\"parameters\""]);
    let steps = ranks(&spec, &model, false, |spec, model, team| {
        let optimizer = optimizer::build(&spec.optimizer, 1.0, &model);
        let mut replica = Replica::new(spec, model, optimizer, Some(team));
        let computed = replica.compute(spec, 0, step_of(spec, 0, false)).unwrap();
        replica.update(computed).unwrap();
        replica.team().unwrap().exchange.last_step().clone()
    });
    for step in steps {
        assert!(step.events.iter().all(|event| event.seconds >= 0.0), "{step:?}");
        let rows = step.trace()["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "M").count();
        assert_eq!(rows, 4, "computation, gradients, parameters, tokens");
        let mut computed: Vec<_> = step.events.iter().filter(|event| event.lane == Lane::Compute).collect();
        computed.sort_by(|a, b| a.start.total_cmp(&b.start));
        assert!(computed.windows(2).all(|pair| pair[0].start + pair[0].seconds <= pair[1].start + 1e-9), "one thing at a time");
    }
}

#[test]
fn where_layers_are_divided_what_is_sharded_and_when_it_is_sent_changes_no_bit() {
    let (_, model) = divided_models().swap_remove(2);
    for optimizer in ["{ kind = \"adamw\", lr = 0.01 }", "{ kind = \"lion\", lr = 0.01 }", "{ kind = \"sgd\", lr = 0.1, momentum = 0.9 }"] {
        let optimizer = format!("optimizer={optimizer}");
        let base = ["parallel.devices=4", "parallel.tensor=2", &optimizer];
        let first = together(&spec(&base), &model, false, 4, true);
        for more in [
            ["parallel.overlap=false", "parallel.bucket_megabytes=0.001"],
            ["parallel.sharded=\"moments\"", "train.activations=\"all\""],
            ["parallel.sharded=\"gradients\"", "train.activations=\"selective\""],
            ["parallel.sharded=\"parameters\"", "train.activations=\"recompute\""],
        ] {
            let outcomes = together(&spec(&[base[0], base[1], base[2], more[0], more[1]]), &model, false, 4, true);
            for (rank, (outcome, first)) in outcomes.iter().zip(&first).enumerate() {
                assert_eq!((&outcome.0, outcome.1), (&first.0, first.1), "{more:?} {optimizer} rank {rank}");
            }
            assert!(outcomes[0].3 == first[0].3, "{more:?} {optimizer}: {:e}", difference(&outcomes[0].3, &first[0].3));
        }
    }
}

#[test]
fn the_state_of_one_device_is_taken_apart_and_put_together_again() {
    let (_, model) = divided_models().swap_remove(0);
    for sharded in ["nothing", "moments"] {
        let spec = spec(&["parallel.devices=4", "parallel.tensor=2", &format!("parallel.sharded=\"{sharded}\"")]);
        let alone = |spec: &RunSpec| {
            let built = build(&model, false);
            let optimizer = optimizer::build(&spec.optimizer, 1.0, &built);
            let mut replica = Replica::new(spec, built, optimizer, None);
            let computed = replica.compute(spec, 0, step_of(spec, 0, false)).unwrap();
            replica.update(computed).unwrap();
            (
                replica.model().clone().into_record().checkpoint_into_bytes().unwrap().to_vec(),
                replica.own_state().into_bytes().unwrap().to_vec(),
            )
        };
        let (record, state) = alone(&spec);
        let expected = states::sorted(state.clone());
        let meshes = threads(4, None, PATIENCE);
        let threads: Vec<_> = meshes
            .into_iter()
            .map(|mesh| {
                let (spec, model, record, state) = (spec.clone(), model.clone(), record.clone(), state.clone());
                thread::spawn(move || {
                    let record = ModuleRecord::checkpoint_from_bytes(Bytes::from_bytes_vec(record)).unwrap();
                    let built = build(&model, false).try_load_record(record).unwrap();
                    let team = Team::new(mesh.groups(2), &model, &built, &spec.parallel, vec![]);
                    let optimizer = team.load(optimizer::build(&spec.optimizer, 1.0, &built), state).unwrap();
                    let replica = Replica::new(&spec, built, optimizer, Some(team));
                    replica.optimizer().unwrap().map(|state| state.into_bytes().unwrap().to_vec())
                })
            })
            .collect();
        let whole: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(whole[1..].iter().all(Option::is_none));
        assert_eq!(states::sorted(whole[0].clone().unwrap()), expected, "{sharded}");
    }
}

#[test]
fn as_many_devices_as_micro_batches_give_the_bits_of_one_device() {
    for (name, model) in models().into_iter().filter(|(name, _)| *name != "dropout") {
        for activations in [Activations::All, Activations::Selective, Activations::Recompute] {
            let kept = format!("train.activations=\"{activations}\"");
            let alone = steps(&spec(&["train.accumulation=4", &kept]), build(&model, false), None, 3, false).unwrap();
            for outcome in together(&spec(&["parallel.devices=4", &kept]), &model, false, 3, false) {
                assert!(outcome == alone, "{name} {activations}: {:e}", difference(&outcome.3, &alone.3));
            }
        }
    }
}

#[test]
fn what_is_sharded_when_it_is_sent_and_how_much_at_once_changes_no_bit() {
    let (_, model) = models().swap_remove(2);
    for optimizer in ["{ kind = \"adamw\", lr = 0.01 }", "{ kind = \"muon\", lr = 0.01 }", "{ kind = \"sgd\", lr = 0.1, momentum = 0.9 }"] {
        let optimizer = format!("optimizer={optimizer}");
        let alone = steps(&spec(&["train.accumulation=4", &optimizer]), build(&model, false), None, 4, true).unwrap();
        for more in [
            ["parallel.sharded=\"nothing\"", "parallel.overlap=false"],
            ["parallel.sharded=\"moments\"", "parallel.overlap=true"],
            ["parallel.sharded=\"gradients\"", "parallel.overlap=true"],
            ["parallel.sharded=\"gradients\"", "parallel.bucket_megabytes=0.001"],
            ["parallel.sharded=\"moments\"", "parallel.bucket_megabytes=0.001"],
            ["parallel.sharded=\"parameters\"", "train.activations=\"recompute\""],
            ["parallel.sharded=\"parameters\"", "train.activations=\"all\""],
        ] {
            let spec = spec(&["parallel.devices=4", &optimizer, more[0], more[1]]);
            for (rank, outcome) in together(&spec, &model, false, 4, true).into_iter().enumerate() {
                assert_eq!((&outcome.0, outcome.1), (&alone.0, alone.1), "{more:?} {optimizer} rank {rank}");
                // Parameters that are shared out come together with the first alone.
                let whole = rank == 0 || !more[0].contains("parameters");
                assert!(!whole || outcome.3 == alone.3, "{more:?} {optimizer} rank {rank}");
            }
        }
    }
}

#[test]
fn each_device_has_moments_of_its_part_alone_and_the_parts_make_the_whole() {
    let (_, model) = models().swap_remove(0);
    let spec = spec(&["parallel.devices=2", "parallel.sharded=\"moments\""]);
    let states = ranks(&spec, &model, false, |spec, model, team| {
        let optimizer = optimizer::build(&spec.optimizer, 1.0, &model);
        let mut replica = Replica::new(spec, model, optimizer, Some(team));
        let computed = replica.compute(spec, 0, step_of(spec, 0, false)).unwrap();
        replica.update(computed).unwrap();
        (replica.own_state().len(), replica.optimizer().unwrap().map(|whole| whole.len()))
    });
    let [first, second]: [_; 2] = states.try_into().unwrap();
    let whole = 2 * model.parameter_shapes().len();
    assert_eq!((first.0 + second.0, first.1, second.1), (whole, Some(whole), None));
    assert!(first.0 > 0 && second.0 > 0);
}

#[test]
fn over_a_slow_link_sending_beside_the_backward_pass_is_faster_than_after_it() {
    // Blocks large enough to take longer than a thread needs to wake up, links slow enough to take as long.
    let config: ModelConfig =
        toml::from_str("layers = 6\nwidth = 128\ncontext = 64\nvocab = 40\nattention.heads = 2\nfeed_forward.hidden = 256").unwrap();
    let model = config.resolve(None).unwrap();
    let time = |overlap: bool| {
        let mut spec = spec(&["parallel.devices=2", "parallel.bucket_megabytes=0.5"]);
        spec.parallel.overlap = overlap;
        spec.parallel.link = Some(LinkConfig { megabytes_per_second: 200.0, latency_microseconds: 0.0 });
        let results = ranks(&spec, &model, false, |spec, model, team| {
            let optimizer = optimizer::build(&spec.optimizer, 1.0, &model);
            let mut replica = Replica::new(spec, model, optimizer, Some(team));
            for step in 0..3 {
                let mut batch = step_of(spec, step, false);
                batch[0].context = 64;
                batch[0].tokens = (0..ROWS * 65).map(|i| (i % 40) as u32).collect();
                let computed = replica.compute(spec, step, batch).unwrap();
                replica.update(computed).unwrap();
            }
            replica.team().unwrap().result()
        });
        results.into_iter().next().unwrap().expect("steps were taken")
    };
    let (beside, after) = (time(true), time(false));
    // By the shares, not by the clock of a busy machine: what is sent after the backward pass is beside nothing.
    assert!(beside.hidden().unwrap() > 0.1, "{beside:?}");
    assert!(after.hidden().unwrap() < 1e-6, "{after:?}");
    assert_eq!(beside.bytes_per_step, after.bytes_per_step);
}

#[test]
fn whoever_loses_another_says_which_and_nobody_waits_for_ever() {
    let (_, model) = models().swap_remove(0);
    for (sharded, tensor) in [("nothing", 1), ("moments", 1), ("gradients", 1), ("parameters", 1), ("nothing", 2), ("parameters", 2)] {
        for fatal in 0..6 {
            let devices = 3 * tensor;
            let set =
                [format!("parallel.devices={devices}"), format!("parallel.tensor={tensor}"), format!("parallel.sharded=\"{sharded}\"")];
            let mut spec = spec(&["train.batch=9", &set[0], &set[1], &set[2]]);
            spec.parallel.link = Some(LinkConfig { megabytes_per_second: 1e3, latency_microseconds: 100.0 });
            let ended = ranks(&spec, &model, false, move |spec, model, team| {
                let (rank, optimizer) = (team.rank(), optimizer::build(&spec.optimizer, 1.0, &model));
                let mut replica = Replica::new(spec, model, optimizer, Some(team));
                for step in 0..6 {
                    let mut batch = step_of(spec, step, false);
                    batch[0].tokens.extend(0..9);
                    // Before a step, or between its gradients and its update.
                    let dies = rank == fatal % 3 && step == 1;
                    if dies && fatal < 3 {
                        return Ok(());
                    }
                    let computed = replica.compute(spec, step, batch)?;
                    if dies {
                        return Ok(());
                    }
                    let updated = replica.update(computed);
                    // Whoever is lost, there is a model.
                    replica.model();
                    updated?;
                }
                Ok::<_, Lost>(())
            });
            let lost: Vec<usize> = ended
                .iter()
                .enumerate()
                .filter_map(|(rank, end)| match end {
                    Ok(()) => None,
                    Err(Lost::Left { rank: named, .. }) => Some((rank, *named)),
                    Err(other) => panic!("{other}"),
                })
                .map(|(rank, named)| {
                    assert_ne!(rank, named);
                    rank
                })
                .collect();
            assert_eq!(lost.len(), devices - 1, "{sharded} {fatal}: {ended:?}");
            assert!(!lost.contains(&(fatal % 3)));
        }
    }
}
