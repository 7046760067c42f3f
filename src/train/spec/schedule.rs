//! Learning-rate schedules.

use super::require;
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The learning-rate schedule as written.
///
/// All kinds start with the same linear warm-up: step s (from 0) of w warm-up steps uses (s + 1)/w of the peak, so that
/// the last warm-up step uses the peak itself. Without warm-up the first step uses the peak.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Linear warm-up, then half a cosine from the peak to `floor` of it, reached at the last step: LLaMA's.
    Cosine {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Final share of the peak. LLaMA: 0.1.
        #[serde(default = "tenth")]
        floor: f64,
    },
    /// Linear warm-up, then the peak.
    Constant {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
    },
    /// Linear warm-up, the peak, then a straight line to `floor` of the peak over the last `decay` steps (MiniCPM, Hu et
    /// al. 2024; Hägele et al. 2024).
    Wsd {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Steps of decay.
        decay: usize,
        /// Final share of the peak.
        #[serde(default)]
        floor: f64,
    },
    /// Linear warm-up, then a straight line from the peak to `floor` of it, reached at the last step.
    Linear {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Final share of the peak.
        #[serde(default)]
        floor: f64,
    },
}

/// The schedule needs no second form: its steps are explicit once [`super::RunConfig::rescale`] has run.
pub type ScheduleSpec = ScheduleConfig;

fn tenth() -> f64 {
    0.1
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Cosine { warmup: 0, floor: tenth() }
    }
}

impl ScheduleConfig {
    /// Steps of warm-up.
    pub fn warmup(&self) -> usize {
        match self {
            Self::Cosine { warmup, .. } | Self::Constant { warmup } | Self::Wsd { warmup, .. } | Self::Linear { warmup, .. } => *warmup,
        }
    }

    /// Final share of the peak; 1 for a constant rate.
    pub fn floor(&self) -> f64 {
        match self {
            Self::Cosine { floor, .. } | Self::Wsd { floor, .. } | Self::Linear { floor, .. } => *floor,
            Self::Constant { .. } => 1.0,
        }
    }

    /// Learning rate of optimizer step `step` (from 0) of `steps`.
    ///
    /// With m = max(warmup, 1) - 1 the step at which warm-up reaches the peak and t = (step - m)/(steps - 1 - m):
    /// cosine: peak·(floor + (1 - floor)·(1 + cos πt)/2); linear: peak·(1 - (1 - floor)·t). WSD over its last d steps:
    /// peak·(1 - (1 - floor)·(step - (steps - d) + 1)/d). In PyTorch: `LambdaLR` with this function over the peak.
    pub fn rate(&self, peak: f64, step: usize, steps: usize) -> f64 {
        let warmup = self.warmup();
        if step < warmup {
            return peak * (step + 1) as f64 / warmup as f64;
        }
        let top = warmup.max(1) - 1;
        let last = steps.saturating_sub(1);
        let progress = if last > top { ((step - top) as f64 / (last - top) as f64).min(1.0) } else { 0.0 };
        let floor = self.floor();
        match self {
            Self::Constant { .. } => peak,
            Self::Cosine { .. } => peak * (floor + (1.0 - floor) * 0.5 * (1.0 + (PI * progress).cos())),
            Self::Linear { .. } => peak * (1.0 - (1.0 - floor) * progress),
            Self::Wsd { decay, .. } => {
                let start = steps.saturating_sub(*decay);
                if step < start { peak } else { peak * (1.0 - (1.0 - floor) * ((step - start + 1) as f64 / *decay as f64).min(1.0)) }
            }
        }
    }

    /// Applies `map` to every number of steps.
    pub(super) fn map_steps(&mut self, map: impl Fn(usize) -> usize) {
        match self {
            Self::Cosine { warmup, .. } | Self::Constant { warmup } | Self::Linear { warmup, .. } => *warmup = map(*warmup),
            Self::Wsd { warmup, decay, .. } => (*warmup, *decay) = (map(*warmup), map(*decay)),
        }
    }

    /// The broken rules of this section in a run of `steps`.
    pub fn problems(&self, steps: usize) -> Vec<Problem> {
        let mut problems = vec![];
        let (warmup, floor) = (self.warmup(), self.floor());
        require(&mut problems, warmup < steps.max(1), "schedule.warmup", || {
            format!("{warmup} warm-up steps must be fewer than train.steps ({steps})")
        });
        require(&mut problems, (0.0..=1.0).contains(&floor), "schedule.floor", || "must lie between 0 and 1".into());
        if let Self::Wsd { decay, .. } = self {
            require(&mut problems, warmup.saturating_add(*decay) <= steps.max(1), "schedule.decay", || {
                format!("{decay} steps of decay and {warmup} of warm-up are more than train.steps ({steps})")
            });
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEAK: f64 = 3e-4;

    fn kinds(warmup: usize) -> [ScheduleConfig; 4] {
        [
            ScheduleConfig::Cosine { warmup, floor: 0.1 },
            ScheduleConfig::Constant { warmup },
            ScheduleConfig::Wsd { warmup, decay: 20, floor: 0.2 },
            ScheduleConfig::Linear { warmup, floor: 0.0 },
        ]
    }

    #[test]
    fn all_kinds_warm_up_to_the_peak_and_end_at_the_floor() {
        for warmup in [0, 1, 10] {
            for kind in kinds(warmup) {
                for step in 0..warmup {
                    let expected = PEAK * (step + 1) as f64 / warmup as f64;
                    assert!((kind.rate(PEAK, step, 100) - expected).abs() < 1e-18);
                }
                assert_eq!(kind.rate(PEAK, warmup.max(1) - 1, 100), PEAK, "{kind:?}");
                assert!((kind.rate(PEAK, 99, 100) - PEAK * kind.floor()).abs() < 1e-18, "{kind:?}");
                for step in warmup.max(1)..100 {
                    assert!(kind.rate(PEAK, step, 100) <= kind.rate(PEAK, step - 1, 100), "{kind:?} rises at {step}");
                }
            }
        }
    }

    #[test]
    fn cosine_and_linear_pass_halfway_between_peak_and_floor() {
        // 101 steps without warm-up: step 50 is the middle.
        let middle = |kind: ScheduleConfig| kind.rate(1.0, 50, 101);
        assert!((middle(ScheduleConfig::Cosine { warmup: 0, floor: 0.1 }) - 0.55).abs() < 1e-12);
        assert!((middle(ScheduleConfig::Linear { warmup: 0, floor: 0.1 }) - 0.55).abs() < 1e-12);
        // A quarter of the way the cosine is above the line.
        let quarter = ScheduleConfig::Cosine { warmup: 0, floor: 0.0 }.rate(1.0, 25, 101);
        assert!((quarter - (1.0 + (PI / 4.0).cos()) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn wsd_stays_at_the_peak_until_its_decay() {
        let kind = ScheduleConfig::Wsd { warmup: 10, decay: 20, floor: 0.0 };
        assert_eq!(kind.rate(PEAK, 79, 100), PEAK);
        assert!((kind.rate(PEAK, 80, 100) - PEAK * 0.95).abs() < 1e-18);
        assert_eq!(kind.rate(PEAK, 99, 100), 0.0);
    }

    #[test]
    fn a_run_of_one_step_uses_the_peak() {
        for kind in [ScheduleConfig::default(), ScheduleConfig::Constant { warmup: 0 }, ScheduleConfig::Linear { warmup: 0, floor: 0.0 }] {
            assert_eq!(kind.rate(PEAK, 0, 1), PEAK);
        }
    }

    #[test]
    fn rules() {
        assert!(ScheduleConfig::Cosine { warmup: 9, floor: 0.0 }.problems(10).is_empty());
        assert_eq!(ScheduleConfig::Cosine { warmup: 10, floor: 0.0 }.problems(10)[0].key, "schedule.warmup");
        assert!(ScheduleConfig::Wsd { warmup: 4, decay: 6, floor: 0.0 }.problems(10).is_empty());
        assert_eq!(ScheduleConfig::Wsd { warmup: 4, decay: 7, floor: 0.0 }.problems(10)[0].key, "schedule.decay");
        assert_eq!(ScheduleConfig::Linear { warmup: 0, floor: f64::NAN }.problems(10)[0].key, "schedule.floor");
    }
}
