//! A synthetic task instance by instance, so that two models can be compared on it.

use super::{Header, Record, Results};
use crate::{
    data::{hex, synthetic::Synthetic},
    eval::{
        Alone, Evaluation,
        synthetic::{ask, reached},
    },
    model::Transformer,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Scores the validation instances of the task that a model was trained on, by the metrics that training reports: a task for the
/// training context, and one for each longer context, `name@2x`.
pub fn evaluate_synthetic(name: &str, model: &Transformer, task: &Synthetic, how: &Evaluation) -> Vec<Results> {
    let longer = reached(how).filter(|multiple| *multiple > 1).map(|multiple| (multiple, format!("@{multiple}x")));
    let lengths = std::iter::once((1, String::new())).chain(longer);
    lengths.map(|(multiple, suffix)| of_length(name, model, task, how, multiple, &suffix)).collect()
}

fn of_length(name: &str, model: &Transformer, task: &Synthetic, how: &Evaluation, multiple: usize, suffix: &str) -> Results {
    let [accuracy, whole, loss] = ["accuracy", "sequence_accuracy", "loss"].map(|metric| format!("valid/{metric}{suffix}"));
    let mut records: Vec<Record> = vec![];
    ask(model, task, how, multiple, &Alone, &mut |instance, answers| {
        let (targets, right) = (answers.len() as f64, answers.iter().filter(|answer| answer.right).count());
        let nats: f64 = answers.iter().map(|answer| f64::from(answer.nats)).sum();
        records.push(Record {
            id: records.len().to_string(),
            group: None,
            question: hex(&Sha256::digest(format!("{instance:?}"))[..8]),
            metrics: [(&accuracy, right as f64), (&whole, f64::from(right == answers.len())), (&loss, nats)]
                .map(|(name, value)| (name.clone(), value))
                .into(),
            sizes: [(accuracy.clone(), targets), (loss.clone(), targets)].into(),
            detail: Value::Null,
        });
    });
    let header =
        Header { task: format!("{name}{suffix}"), layout: "synthetic".into(), metric: accuracy, chance: 0.0, shots: 0, model: None };
    Results { header, records }
}
