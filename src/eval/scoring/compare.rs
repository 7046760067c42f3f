//! Two models on the same questions, question by question.

use super::{Results, results::less_is_better};
use crate::{
    settings::{Error, Result},
    stats,
};
use serde::Serialize;

/// A metric of two models over the same questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The task.
    pub task: String,
    /// The metric.
    pub metric: String,
    /// Whether it is the one that the task's source reports.
    pub headline: bool,
    /// Whether a smaller value is the better one.
    pub less_is_better: bool,
    /// Questions.
    pub items: usize,
    /// The first model's value.
    pub first: f64,
    /// The second one's.
    pub second: f64,
    /// The first less the second.
    pub difference: f64,
    /// 95 % interval of the difference over questions, by the paired bootstrap; none below [`stats::FEWEST_ITEMS`].
    pub ci95: Option<[f64; 2]>,
    /// Questions that only one of the two got right, and the exact test of that, where a question is right or wrong.
    pub mcnemar: Option<stats::McNemar>,
}

/// Compares two models on a task by every metric that both have.
///
/// Both must have been asked the same questions in the same order, with the same prompts. What differs by chance among these
/// questions is told from what does not; other seeds of the same two models are another matter.
///
/// # Errors
///
/// Other questions, or other prompts.
pub fn compare_results(first: &Results, second: &Results) -> Result<Vec<Comparison>> {
    let task = &first.header.task;
    let differ = |message: String| Error::input(task, message, "ask both runs with the same files, --shots and --limit");
    let (a, b) = (&first.records, &second.records);
    if a.len() != b.len() {
        return Err(differ(format!("the first run was asked {} questions, the second {}", a.len(), b.len())));
    }
    if let Some((a, _)) = a.iter().zip(b).find(|(a, b)| a.question != b.question) {
        return Err(differ(format!("the two runs were asked different things as question {}", a.id)));
    }
    let names = a.first().into_iter().flat_map(|record| record.metrics.keys()).filter(|name| *name != "nats");
    let comparison = |metric: &String| {
        let measures = |results: &Results| results.records.iter().map(|record| record.measure(metric)).collect::<Option<Vec<_>>>();
        let (a, b) = (measures(first)?, measures(second)?);
        let sizes: Vec<f64> = a.iter().map(|(_, size)| *size).collect();
        let total: f64 = sizes.iter().sum();
        if total <= 0.0 || sizes.iter().any(|size| *size <= 0.0) {
            return None;
        }
        let value = |measures: &[(f64, f64)]| measures.iter().map(|(value, _)| value).sum::<f64>() / total;
        let differences: Vec<f64> = a.iter().zip(&b).map(|((a, _), (b, _))| a - b).collect();
        let binary = |measures: &[(f64, f64)]| measures.iter().all(|(value, size)| *size == 1.0 && (*value == 0.0 || *value == 1.0));
        let only = |sign: f64| differences.iter().filter(|difference| **difference == sign).count() as u64;
        Some(Comparison {
            task: task.clone(),
            metric: metric.clone(),
            headline: *metric == first.header.metric,
            less_is_better: less_is_better(metric),
            items: a.len(),
            first: value(&a),
            second: value(&b),
            difference: differences.iter().sum::<f64>() / total,
            ci95: stats::bootstrap(&differences, &sizes).map(|items| items.ci95),
            mcnemar: (binary(&a) && binary(&b)).then(|| stats::mcnemar(only(1.0), only(-1.0))),
        })
    };
    Ok(names.filter_map(comparison).collect())
}
