//! A renderer of burn-train's kind that shows nothing: it forwards signs of life.

use super::Tick;
use burn::train::{
    logger::{EvaluationProgressLogger, TrainingProgressLogger},
    metric::MetricDefinition,
    renderer::{EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::mpsc::Sender,
};

/// Recent speeds that a sign of life averages.
const RECENT: usize = 10;

/// Sends a [`Tick`] after each optimizer step.
pub(super) struct Forwarder {
    sender: Sender<Tick>,
    steps: usize,
    names: HashMap<burn::train::metric::MetricId, String>,
    /// Loss of a step that has not been forwarded yet: evaluations report progress too.
    loss: Option<f64>,
    speeds: VecDeque<f64>,
}

impl Forwarder {
    pub(super) fn new(sender: Sender<Tick>, steps: usize) -> Self {
        Self { sender, steps, names: HashMap::new(), loss: None, speeds: VecDeque::new() }
    }
}

impl MetricsRendererTraining for Forwarder {
    fn update_train(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        match self.names.get(&entry.metric_id).map(String::as_str) {
            Some("loss") => self.loss = Some(value.current()),
            Some("tokens_per_second") => {
                self.speeds.push_back(value.current());
                if self.speeds.len() > RECENT {
                    self.speeds.pop_front();
                }
            }
            _ => {}
        }
    }

    fn update_valid(&mut self, _state: MetricState) {}
}

impl TrainingProgressLogger for Forwarder {
    fn update_split(&mut self, step: usize) {
        let Some(loss) = self.loss.take() else { return };
        let tokens_per_second = self.speeds.iter().sum::<f64>() / self.speeds.len().max(1) as f64;
        // Nobody listens any more when the run is over.
        let _ = self.sender.send(Tick { step, steps: self.steps, loss, tokens_per_second });
    }

    fn start(&mut self, _epochs: usize, _first: usize, _items: Option<usize>, _label: Option<&str>) {}
    fn update_epoch(&mut self, _epoch: usize) {}
    fn start_split(&mut self, _split: &str, _items: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRenderer for Forwarder {
    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn manual_close(&mut self) {}
}

impl MetricsRendererEvaluation for Forwarder {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Forwarder {
    fn start_global_progress(&mut self, _tests: usize) {}
    fn start_test(&mut self, _name: &str, _items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}
