use super::*;
use crate::{
    data::Scored,
    device::DeviceName,
    model::{ModelConfig, ModelSpec, Noise, residual::ResidualKind},
    ops::Activations,
    parallel::{LinkConfig, group::threads},
    settings::Document,
    train::{Batch, RunConfig, RunSpec, optimizer, replica::Replica},
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{FloatDType, Tensor},
};
use std::{collections::BTreeMap, thread, time::Duration};

const CONTEXT: usize = 8;
const ROWS: usize = 8;
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
            opening: None,
            starts: None,
            noise: Noise { seed: 1, step: step as u64, micro: micro as u64, row: 0 },
            share,
            activations: spec.train.activations,
            precision: spec.train.precision,
        }
    };
    (0..accumulation).map(of).collect()
}

/// What the ranks end up with after some steps: loss, norm and gradients of the first step, and the parameters.
type Outcome = (Vec<f64>, f64, BTreeMap<String, Vec<f64>>, BTreeMap<String, Vec<f64>>);

fn values(model: &Transformer) -> BTreeMap<String, Vec<f64>> {
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
        first.get_or_insert_with(|| (computed.measured.gradient_norm, replica.model().gradients(computed.gradients())));
        replica.update(computed)?;
    }
    let (norm, gradients) = first.unwrap();
    Ok((losses, norm, gradients, values(&replica.whole()?)))
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
                let model = build(&model, wide);
                let team = Team::of(mesh, &model, &spec.parallel);
                work(&spec, model, team)
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
    for sharded in ["nothing", "moments", "gradients", "parameters"] {
        for fatal in 0..6 {
            let mut spec = spec(&["parallel.devices=3", "train.batch=9", &format!("parallel.sharded=\"{sharded}\"")]);
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
            assert_eq!(lost.len(), 2, "{sharded} {fatal}: {ended:?}");
            assert!(!lost.contains(&(fatal % 3)));
        }
    }
}
