//! How far a run is, by what it writes while it trains.

use crate::{files, train::Tick};
use serde_json::Value;
use std::{fs, path::Path};

/// The end of a run's `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Progress {
    /// Optimizer steps done, as far as they were logged.
    pub step: usize,
    /// Of how many; none where its specification cannot be read.
    pub steps: Option<usize>,
    /// Training loss in nats.
    pub loss: Option<f64>,
    /// Tokens per second of the last logged steps.
    pub tokens_per_second: Option<f64>,
    /// Milliseconds per step of the last logged steps.
    pub step_ms: Option<f64>,
}

/// Bytes that are read of the file's end, and lines that are averaged.
const END: u64 = 16 << 10;
const RECENT: usize = 20;

/// What the folder of a run tells; none before its first step.
pub(super) fn progress(run: &Path) -> Option<Progress> {
    let end = files::end(&run.join("metrics.jsonl"), END).ok()?;
    // The first line of a part, and one that is being written, are no lines.
    let lines: Vec<Value> = end.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let last = lines.iter().rfind(|line| line["step"].is_u64())?;
    let recent = |key: &str| {
        let values: Vec<f64> = lines.iter().rev().take(RECENT).filter_map(|line| line[key].as_f64()).collect();
        crate::stats::median(&values)
    };
    Some(Progress {
        step: last["step"].as_u64()? as usize,
        steps: steps(run),
        loss: last["loss"].as_f64(),
        tokens_per_second: recent("tokens_per_second"),
        step_ms: recent("step_ms"),
    })
}

fn steps(run: &Path) -> Option<usize> {
    let spec: toml::Table = toml::from_str(&fs::read_to_string(run.join("spec.toml")).ok()?).ok()?;
    usize::try_from(spec.get("train")?.get("steps")?.as_integer()?).ok()
}

impl Progress {
    /// The same as a sign of life.
    pub fn tick(&self) -> Option<Tick> {
        let (loss, tokens_per_second) = (self.loss?, self.tokens_per_second.unwrap_or(0.0));
        Some(Tick { step: self.step, steps: self.steps?, loss, tokens_per_second })
    }

    /// Seconds to its end at its recent pace.
    pub fn seconds_left(&self) -> Option<f64> {
        Some((self.steps?.saturating_sub(self.step)) as f64 * self.step_ms? / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_line_tells() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(progress(folder.path()), None);
        fs::write(folder.path().join("spec.toml"), "[train]\nsteps = 2000\n").unwrap();
        let line = |step: usize| format!("{{\"step\":{step},\"loss\":2.5,\"tokens_per_second\":100.0,\"step_ms\":{}.0}}\n", 10 + step % 3);
        let text: String = (1..=1500).map(line).collect();
        fs::write(folder.path().join("metrics.jsonl"), text + "{\"step\":1501,\"lo").unwrap();
        let found = progress(folder.path()).unwrap();
        assert_eq!((found.step, found.steps, found.loss, found.step_ms), (1500, Some(2000), Some(2.5), Some(11.0)));
        assert_eq!(found.seconds_left(), Some(5.5));
        assert_eq!(found.tick().unwrap().steps, 2000);
    }
}
