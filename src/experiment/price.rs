//! What a plan costs, and what one is ready to pay.

use super::{Experiment, Job, Plan, Stage, decided::TIMED_STEPS, plan::PlannedArm};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What runs cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Runs.
    pub runs: usize,
    /// Training tokens.
    pub tokens: u64,
    /// Training FLOPs.
    pub flops: f64,
    /// Seconds on this device, one run after the other; none if its speed is not known.
    pub seconds: Option<f64>,
    /// Bytes of the checkpoints that are left.
    pub disk_bytes: u64,
}

impl Price {
    /// One run of an arm, with `tokens` training tokens.
    fn run(arm: &PlannedArm, tokens: u64) -> Self {
        let flops = arm.flops_per_token * tokens as f64;
        let share = tokens as f64 / arm.tokens.max(1) as f64;
        Self { runs: 1, tokens, flops, seconds: arm.seconds_per_run.map(|seconds| seconds * share), disk_bytes: arm.checkpoint_bytes }
    }

    fn add(&mut self, other: Self, times: usize) {
        self.runs += other.runs * times;
        self.tokens += other.tokens * times as u64;
        self.flops += other.flops * times as f64;
        self.seconds = self.seconds.zip(other.seconds).map(|(all, one)| all + one * times as f64);
        self.disk_bytes += other.disk_bytes * times as u64;
    }
}

impl PlannedArm {
    /// What one of its runs costs.
    pub fn price(&self) -> Price {
        Price::run(self, self.tokens)
    }

    /// Tokens of a run of so many steps.
    fn tokens_of(&self, steps: usize) -> u64 {
        self.tokens / self.steps.max(1) as u64 * steps as u64
    }
}

impl Plan {
    /// What a run of this plan costs.
    pub fn price_of(&self, job: &Job) -> Price {
        let Some(arm) = self.arm(&job.arm) else { return Price::default() };
        let rung = |rung: usize| arm.tuning.as_ref().and_then(|tuning| tuning.rungs.get(rung)).map_or(arm.steps, |rung| rung.steps);
        match job.stage {
            Stage::Compare => arm.price(),
            Stage::Tune { rung: at, .. } => Price::run(arm, arm.tokens_of(rung(at))),
            Stage::Time => Price::run(arm, arm.tokens_of(TIMED_STEPS.min(arm.steps))),
        }
    }
}

/// What all runs of an experiment cost: of tuning every rung, of sequential seeds all that may be needed.
pub(super) fn price(experiment: &Experiment, arms: &[PlannedArm]) -> Price {
    let mut all = Price { seconds: Some(0.0), ..Price::default() };
    let timed: BTreeSet<&str> =
        arms.iter().flat_map(|arm| &arm.preparation).filter(|job| job.stage == Stage::Time).map(|job| job.arm.as_str()).collect();
    for (planned, arm) in arms.iter().zip(&experiment.arms) {
        all.add(planned.price(), experiment.seeds.len());
        if let Some(retune) = &experiment.config.retune {
            for (rung, steps) in experiment.rungs().into_iter().enumerate() {
                let tokens = arm.spec.tokens_per_step() * steps as u64;
                all.add(Price::run(planned, tokens), retune.survivors(arm.trials.len(), rung) * retune.seeds as usize);
            }
        }
        if timed.contains(planned.name.as_str()) {
            all.add(Price::run(planned, arm.spec.tokens_per_step() * TIMED_STEPS as u64), 1);
        }
    }
    all
}

/// What one is ready to pay: `4h`, `90min`, `1e18 FLOPs`, `2GB`, `1e9 tokens`, `50 runs`; several separated by commas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    limits: Vec<(Unit, f64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Flops,
    Bytes,
    Tokens,
    Runs,
}

/// Names of units, lower case, with their size.
const UNITS: [(&[&str], Unit, f64); 12] = [
    (&["s", "sec", "seconds"], Unit::Seconds, 1.0),
    (&["m", "min", "minutes"], Unit::Seconds, 60.0),
    (&["h", "hour", "hours"], Unit::Seconds, 3600.0),
    (&["d", "day", "days"], Unit::Seconds, 86_400.0),
    (&["flop", "flops"], Unit::Flops, 1.0),
    (&["b", "bytes"], Unit::Bytes, 1.0),
    (&["kb"], Unit::Bytes, 1e3),
    (&["mb"], Unit::Bytes, 1e6),
    (&["gb"], Unit::Bytes, 1e9),
    (&["tb"], Unit::Bytes, 1e12),
    (&["token", "tokens"], Unit::Tokens, 1.0),
    (&["run", "runs"], Unit::Runs, 1.0),
];

impl std::str::FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = |part: &str| {
            let part = part.trim();
            // The longest beginning that is a number: `1e18` of `1e18 FLOPs`.
            let ends = (1..=part.len()).rev().filter(|end| part.is_char_boundary(*end));
            let found = ends.filter_map(|end| Some((part[..end].trim().parse::<f64>().ok()?, part[end..].trim()))).next();
            let (amount, letters) = found.ok_or_else(|| format!("`{part}` has no number"))?;
            let letters = letters.to_lowercase();
            let known = UNITS.iter().find(|(names, ..)| names.contains(&letters.as_str()));
            let (_, unit, size) =
                known.ok_or_else(|| format!("`{part}` has no unit: use s, min, h, d, FLOPs, MB, GB, TB, tokens or runs"))?;
            if !(amount > 0.0 && amount.is_finite()) {
                return Err(format!("`{part}` is no amount"));
            }
            Ok((*unit, amount * size, part.to_string()))
        };
        Ok(Self { limits: text.split(',').map(limit).collect::<Result<_, String>>()? })
    }
}

impl Budget {
    /// What a price is too high for, in words; empty if it can be paid.
    pub fn exceeded(&self, price: &Price) -> Vec<String> {
        let over = |(unit, limit, text): &(Unit, f64, String)| {
            let (cost, name) = match unit {
                Unit::Seconds => match price.seconds {
                    Some(seconds) => (seconds, "seconds"),
                    None => return Some(format!("how long it takes on this device is not known, and the budget is {text}")),
                },
                Unit::Flops => (price.flops, "FLOPs"),
                Unit::Bytes => (price.disk_bytes as f64, "bytes of disk"),
                Unit::Tokens => (price.tokens as f64, "tokens"),
                Unit::Runs => (price.runs as f64, "runs"),
            };
            (cost > *limit).then(|| format!("{} {name} are more than the budget of {text}", short(cost)))
        };
        self.limits.iter().filter_map(over).collect()
    }
}

fn short(number: f64) -> String {
    if number < 1e6 { format!("{number:.0}") } else { format!("{number:.2e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_and_held() {
        let price = Price { runs: 30, tokens: 5_000_000, flops: 2e15, seconds: Some(5400.0), disk_bytes: 300_000_000 };
        let over = |text: &str| text.parse::<Budget>().unwrap().exceeded(&price).len();
        for (text, exceeded) in [
            ("2h", 0),
            ("1.4 h", 1),
            ("90min", 0),
            ("89 m", 1),
            ("1e15 FLOPs", 1),
            ("2e15flops", 0),
            ("1 GB, 29 runs", 1),
            ("250MB,1h,1e6 tokens", 3),
            ("1e1 runs", 1),
        ] {
            assert_eq!(over(text), exceeded, "{text}");
        }
        let unknown = Price { seconds: None, ..price };
        assert_eq!("1 d".parse::<Budget>().unwrap().exceeded(&unknown).len(), 1, "what is not known is not paid");
        for text in ["", "4", "h", "four hours", "-1h", "4 lightyears", "inf h"] {
            assert!(text.parse::<Budget>().is_err(), "{text:?}");
        }
    }
}
