//! How many targets of a synthetic task a model gets right.

use super::{Evaluation, Scores, Together};
use crate::{
    data::synthetic::{Instance, Scored, Synthetic},
    model::{Pass, Transformer},
    ops::{CrossEntropyOptions, cross_entropy},
    pulse,
};
use burn::{
    module::Module,
    tensor::{Device, Int, Tensor, TensorData},
};

/// Accuracies and loss on all validation instances, of each length.
pub(super) fn evaluate(model: &Transformer, task: &Synthetic, evaluation: &Evaluation, all: &dyn Together) -> Scores {
    let mut scores = Scores::default();
    let mut add = |count: Count, suffix: &str| {
        let values = [
            ("accuracy", count.right / count.targets),
            ("sequence_accuracy", count.whole / count.instances),
            ("loss", count.nats / count.targets),
        ];
        scores.0.extend(values.map(|(name, value)| (format!("valid/{name}{suffix}"), value)));
    };
    let trained = count(model, task, evaluation, 1, all);
    add(trained, "");
    for multiple in reached(evaluation) {
        // The baseline was just counted.
        add(if multiple == 1 { trained } else { count(model, task, evaluation, multiple, all) }, &format!("@{multiple}x"));
    }
    scores
}

/// The context multiples for which the positions of the model are defined.
pub(super) fn reached(evaluation: &Evaluation) -> impl Iterator<Item = usize> {
    evaluation.context_multiples.iter().copied().filter(|multiple| evaluation.reaches(*multiple))
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    instances: f64,
    targets: f64,
    /// Targets whose most likely token is the right one.
    right: f64,
    /// Instances whose targets are all right.
    whole: f64,
    nats: f64,
}

fn count(model: &Transformer, task: &Synthetic, how: &Evaluation, multiple: usize, all: &dyn Together) -> Count {
    let mut count = Count::default();
    ask(model, task, how, multiple, all, &mut |instance, answers| {
        for answer in answers {
            count.right += f64::from(answer.right);
            count.nats += f64::from(answer.nats);
        }
        count.targets += instance.targets.len() as f64;
        count.whole += f64::from(answers.iter().all(|answer| answer.right));
        count.instances += 1.0;
    });
    count
}

/// What a model says to a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// Whether its most likely token is the right one.
    pub right: bool,
    /// How unlikely the right one is.
    pub nats: f32,
}

/// Asks for all validation instances of a length, in order, and tells of each what was said to its targets.
pub(super) fn ask(
    model: &Transformer,
    task: &Synthetic,
    how: &Evaluation,
    multiple: usize,
    all: &dyn Together,
    told: &mut dyn FnMut(&Instance, &[Answer]),
) {
    let device = &model.devices()[0];
    let asked: Vec<Instance> = (0..task.validation_instances()).map(|index| task.validation(index, how.context, multiple)).collect();
    // Of every target whether it was right, and its nats.
    let (mut right, mut nats) = (vec![], vec![]);
    for (batch, instances) in asked.chunks((how.batch / multiple).max(1)).enumerate() {
        let targets = || instances.iter().flat_map(|instance| &instance.targets);
        if !all.is_mine(batch) {
            right.extend(targets().map(|_| 0.0));
            nats.extend(targets().map(|_| 0.0));
            continue;
        }
        pulse::beat();
        let (best, found) = answers(model, instances, how, device);
        right.extend(best.into_iter().zip(targets()).map(|(best, target)| f32::from(u8::from(best == i64::from(target.token)))));
        nats.extend(found);
    }
    let (right, nats) = (all.combined(right), all.combined(nats));
    let mut found = right.into_iter().zip(nats).map(|(right, nats)| Answer { right: right == 1.0, nats });
    for instance in &asked {
        let answers: Vec<Answer> = found.by_ref().take(instance.targets.len()).collect();
        told(instance, &answers);
    }
}

/// The most likely token at every target, the first of equals, and the nats of the right one.
fn answers(model: &Transformer, instances: &[Instance], how: &Evaluation, device: &Device) -> (Vec<i64>, Vec<f32>) {
    let context = instances[0].tokens.len();
    let ids = |values: Vec<i32>, rows: usize| -> Tensor<2, Int> {
        let length = values.len() / rows;
        Tensor::from_data(TensorData::new(values, [rows, length]), device)
    };
    let tokens = instances.iter().flat_map(|instance| instance.tokens.iter().map(|token| *token as i32)).collect();
    let Scored { positions, targets } = Scored::of(instances, context);
    let count = targets.len();
    let [positions, right] = [positions, targets].map(|values| values.into_iter().map(|value| value as i32).collect());

    let pass = Pass { scored: Some(ids(positions, 1)), precision: how.precision, ..Pass::default() };
    let logits = model.forward(ids(tokens, instances.len()), &pass);
    let vocab = logits.dims()[2];
    let logits = logits.reshape([count, vocab]);
    let nats = cross_entropy(logits.clone(), ids(right, 1).reshape([count]), CrossEntropyOptions::default()).nats;
    let nats = nats.into_data().convert::<f32>();
    let best = logits.argmax(1).into_data();
    (best.iter::<i64>().collect(), nats.as_slice::<f32>().expect("losses were converted to f32").to_vec())
}
