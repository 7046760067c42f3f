//! Targets that count alone: losses, gradients, what is kept, how steps are cut.

use super::{corpus, writing::resolve};
use ablate::{
    data::{Dataset, synthetic::Scored},
    device::DeviceName,
    model::{ModelSpec, Pass, Transformer},
    ops::{self, Activations, Path},
    train::{Batches, Waited},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Int, Tensor, TensorData},
};

const ROWS: usize = 3;

fn ids(values: &[u32], shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values.iter().map(|id| *id as i32).collect::<Vec<_>>(), shape), device)
}

struct Numbers<'a>(&'a GradientsParams, Vec<f32>);

impl ModuleVisitor for Numbers<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.0.get::<D>(param.id).expect("every parameter has a gradient");
        self.1.extend(gradient.into_data().try_to_vec::<f32>().unwrap());
    }
}

fn numbers(model: &Transformer, gradients: &GradientsParams) -> Vec<f32> {
    let mut numbers = Numbers(gradients, vec![]);
    model.visit(&mut numbers);
    numbers.1
}

/// A model, inputs of some instances and their targets.
struct Case {
    spec: ModelSpec,
    tokens: Vec<u32>,
    scored: Scored,
}

fn case() -> Case {
    let task = corpus("task = { kind = \"dyck\", kinds = 3, depth = 3 }", 12, 1);
    let instances: Vec<_> = (0..ROWS as u64).map(|index| task.train(4, index, 12)).collect();
    let set = ["model.context=12", "data.corpus.task={kind=\"dyck\", kinds=3, depth=3}", "model.init.std=0.3"];
    let scored = Scored::of(&instances, 12);
    assert!(scored.targets.len() < ROWS * 12 / 2 && scored.targets.len() > ROWS);
    Case { spec: resolve(&set).unwrap().model, tokens: instances.into_iter().flat_map(|instance| instance.tokens).collect(), scored }
}

impl Case {
    /// Loss and gradients, the targets that count alone.
    fn masked(&self, model: &Transformer, activations: Activations) -> (f32, Vec<f32>) {
        let device = &model.devices()[0];
        let count = self.scored.targets.len();
        let pass = Pass { scored: Some(ids(&self.scored.positions, [1, count], device)), activations, ..Pass::default() };
        let recorded = model.record(ids(&self.tokens, [ROWS, 12], device), ids(&self.scored.targets, [1, count], device), &pass);
        let loss = recorded.loss.objective.clone().into_scalar();
        (loss, numbers(model, &recorded.backward(model, 1.0)))
    }
}

#[test]
fn a_masked_loss_is_the_mean_over_its_targets_and_so_are_its_gradients() {
    let case = case();
    for path in [Path::Fused, Path::Composed] {
        ops::with(path, || {
            let device = Device::flex().autodiff();
            let model = case.spec.build(1, &device);
            let (loss, gradients) = case.masked(&model, Activations::All);

            // Every position scored and most of them weighted by 0: what the definition says, by another way.
            let (mut targets, mut weights) = (vec![0; ROWS * 12], vec![0.0; ROWS * 12]);
            for (position, target) in case.scored.positions.iter().zip(&case.scored.targets) {
                targets[*position as usize] = *target;
                weights[*position as usize] = 1.0 / case.scored.targets.len() as f32;
            }
            let each = model.token_losses(ids(&case.tokens, [ROWS, 12], &device), ids(&targets, [ROWS, 12], &device), &Pass::default());
            let weights = Tensor::<2>::from_data(TensorData::new(weights, [ROWS, 12]), &device);
            let expected = (each * weights).sum();
            let value: f32 = expected.clone().into_scalar();
            assert!((loss - value).abs() < 1e-5 * value, "{path:?}: {loss} {value}");
            let wanted = numbers(&model, &GradientsParams::from_grads(expected.backward(), &model));
            let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let error = norm(&mut gradients.iter().zip(&wanted).map(|(a, b)| a - b)) / norm(&mut wanted.iter().copied());
            assert!(error < 1e-5, "{path:?}: {error}");
        });
    }
}

#[test]
fn what_has_no_target_changes_nothing() {
    let mut case = case();
    let model = case.spec.build(1, &Device::flex().autodiff());
    let before = case.masked(&model, Activations::All);
    // The last token of a row is followed by nothing: as an input it may be anything where it is not asked about.
    let last = (0..ROWS).map(|row| row * 12 + 11).filter(|place| !case.scored.positions.contains(&(*place as u32)));
    let last: Vec<usize> = last.collect();
    assert!(!last.is_empty());
    last.into_iter().for_each(|place| case.tokens[place] = (case.tokens[place] + 1) % 9);
    let after = case.masked(&model, Activations::All);
    assert_eq!(before.0.to_bits(), after.0.to_bits());
}

#[test]
fn every_policy_gives_the_same_bits() {
    let case = case();
    let model = case.spec.build(1, &Device::flex().autodiff());
    let bits = |activations| {
        let (loss, gradients) = case.masked(&model, activations);
        (loss.to_bits(), gradients.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let all = bits(Activations::All);
    for policy in [Activations::LinearOutputs, Activations::Selective, Activations::Recompute] {
        assert!(bits(policy) == all, "{policy:?}");
    }
}

#[test]
fn every_position_scored_is_no_mask_at_all() {
    let case = case();
    let device = Device::flex().autodiff();
    let model = case.spec.build(1, &device);
    let targets: Vec<u32> = case.tokens.iter().map(|token| (token + 1) % 9).collect();
    let (tokens, targets) = (ids(&case.tokens, [ROWS, 12], &device), ids(&targets, [ROWS, 12], &device));
    let positions: Vec<u32> = (0..ROWS as u32 * 12).collect();
    let pass = Pass { scored: Some(ids(&positions, [1, ROWS * 12], &device)), ..Pass::default() };
    let bits = |targets: Tensor<2, Int>, pass: &Pass| {
        let recorded = model.record(tokens.clone(), targets, pass);
        let loss: f32 = recorded.loss.objective.clone().into_scalar();
        (loss.to_bits(), numbers(&model, &recorded.backward(&model, 1.0)).into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    assert!(bits(targets.clone(), &Pass::default()) == bits(targets.reshape([1, ROWS * 12]), &pass));
}

#[test]
fn a_step_is_the_mean_over_its_targets_however_it_is_cut() {
    let spec = resolve(&["data.corpus.task={kind=\"dyck\"}"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dataset = Dataset::prepare(&spec.data, folder.path(), &|_, _, _| {}).unwrap();
    let model = spec.model.build(1, &DeviceName::Flex.train_device().unwrap());
    let device = &model.devices()[0];
    let cut = |accumulation: usize| {
        let batches = Batches {
            dataset: dataset.clone(),
            seed: 2,
            context: 32,
            opening: None,
            batch: 8,
            accumulation,
            activations: Activations::All,
            precision: Default::default(),
            steps: 5,
            first: 0,
            waited: Waited::default(),
        };
        let micro: Vec<_> = (0..accumulation).map(|micro| batches.read(3, micro)).collect();
        let shares: Vec<f64> = micro.iter().map(|batch| batch.share).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let losses = micro.iter().map(|batch| {
            let (tokens, targets) = batch.tensors(device);
            let loss: f32 = model.loss(tokens, targets, &batch.pass(device)).nats.into_scalar();
            f64::from(loss) * batch.share
        });
        (losses.sum::<f64>(), shares)
    };
    let (whole, _) = cut(1);
    for accumulation in [2, 4, 8] {
        let (sum, shares) = cut(accumulation);
        assert!((sum - whole).abs() < 1e-5 * whole, "{accumulation}: {sum} {whole}");
        let uneven = shares.iter().any(|share| (share - 1.0 / accumulation as f64).abs() > 1e-3);
        assert!(uneven || accumulation < 8, "the case has rows of different numbers of targets: {shares:?}");
    }
}
