//! What a probe saw: a line of `probes.jsonl`, and the metrics that summarise it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of `probes.jsonl`. A number is none where it is undefined or not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Optimizer steps done.
    pub step: usize,
    /// Mean cross-entropy of the probe's batch in nats.
    pub loss: Option<f64>,
    /// Norm of all gradients of the probe's batch.
    pub gradient_norm: Option<f64>,
    /// Norm of the gradients of the token embedding.
    pub embedding_gradient_norm: Option<f64>,
    /// Norm of the gradients of the head; 0 where it has no parameters of its own.
    pub head_gradient_norm: Option<f64>,
    /// Root mean square of the last update of all blocks' matrices, in shares of that of the matrices before it; none before
    /// the first update.
    pub relative_update_rms: Option<f64>,
    /// Share of steps so far whose training loss was a spike: at least seven standard deviations away from the mean of the
    /// last 1,000 before it. None until 20 steps are there to judge by.
    pub spike_score_loss: Option<f64>,
    /// The same of the norms of training gradients.
    pub spike_score_gradient_norm: Option<f64>,
    /// The blocks, from the embedding on.
    pub layers: Vec<LayerProbe>,
}

/// What a probe saw of a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerProbe {
    /// Norm of the gradients of all its parameters.
    pub gradient_norm: Option<f64>,
    /// Norm of the gradient of the feed-forward's last matrix, for which Xiong et al. 2020, theorem 1, give bounds.
    pub gradient_norm_output: Option<f64>,
    /// Root mean square of the gradients of attention's matrices.
    pub gradient_rms_attention: Option<f64>,
    /// Root mean square of the gradients of the feed-forward's matrices.
    pub gradient_rms_feed_forward: Option<f64>,
    /// Root mean square of the residual stream behind the block.
    pub activation_rms: Option<f64>,
    /// Root mean square of the last update of its matrices.
    pub update_rms: Option<f64>,
    /// The same in shares of the root mean square of the matrices before it.
    pub relative_update_rms: Option<f64>,
    /// Entropy of attention's weights in nats, the mean over heads and queries.
    pub attention_entropy: Option<f64>,
    /// The same of the head with the smallest.
    pub attention_entropy_min: Option<f64>,
    /// Largest scaled product of a query and a key that it sees, before soft cap and bias.
    pub max_attention_logit: Option<f64>,
    /// Share of hidden units of the feed-forward whose activation stays below 1e-6 in size on the whole batch.
    pub dead_units: Option<f64>,
}

/// A summary of a probe.
type Summary = fn(&Probe) -> Option<f64>;

/// The metrics that a probe gives. Those that are there at initialisation are also kept as of then, as `NAME@0`.
const SUMMARIES: [(&str, bool, Summary); 13] = [
    ("probe/loss", true, |probe| probe.loss),
    ("probe/gradient_norm", true, |probe| probe.gradient_norm),
    ("probe/gradient_norm_first_block", true, |probe| probe.layers.first()?.gradient_norm),
    ("probe/gradient_norm_last_block", true, |probe| probe.layers.last()?.gradient_norm),
    ("probe/gradient_norm_last_output", true, |probe| probe.layers.last()?.gradient_norm_output),
    ("probe/activation_rms_last_block", true, |probe| probe.layers.last()?.activation_rms),
    ("probe/attention_entropy", true, |probe| mean(probe, |layer| layer.attention_entropy)),
    ("probe/attention_entropy_min", true, |probe| extreme(probe, |layer| layer.attention_entropy_min, f64::min)),
    ("probe/max_attention_logit", true, |probe| extreme(probe, |layer| layer.max_attention_logit, f64::max)),
    ("probe/dead_units", true, |probe| mean(probe, |layer| layer.dead_units)),
    ("probe/update_rms", false, |probe| probe.relative_update_rms),
    ("probe/spike_score_loss", false, |probe| probe.spike_score_loss),
    ("probe/spike_score_gradient_norm", false, |probe| probe.spike_score_gradient_norm),
];

/// Names of all metrics that probes give: `NAME`, as of the last probe, and `NAME@0`, before the first update.
pub(in crate::train) fn metric_names() -> Vec<String> {
    let initial = SUMMARIES.iter().filter(|(_, initial, _)| *initial).map(|(name, ..)| format!("{name}@0"));
    SUMMARIES.iter().map(|(name, ..)| (*name).to_owned()).chain(initial).collect()
}

impl Probe {
    /// The metrics that summarise it, where they are defined.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        for (name, initial, summary) in SUMMARIES {
            let Some(value) = summary(self) else { continue };
            metrics.insert(name.to_owned(), value);
            if initial && self.step == 0 {
                metrics.insert(format!("{name}@0"), value);
            }
        }
        metrics
    }
}

/// The mean over layers, if all have the number.
fn mean(probe: &Probe, of: impl Fn(&LayerProbe) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = probe.layers.iter().map(of).collect::<Option<_>>()?;
    finite(values.iter().sum::<f64>() / values.len() as f64)
}

/// The smallest or largest over layers, if all have the number.
fn extreme(probe: &Probe, of: impl Fn(&LayerProbe) -> Option<f64>, better: fn(f64, f64) -> f64) -> Option<f64> {
    probe.layers.iter().map(of).collect::<Option<Vec<f64>>>()?.into_iter().reduce(better)
}

/// The number, if it is one that a file can hold.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
