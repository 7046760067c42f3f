//! Loss curves: each run's `metrics.jsonl`, smoothed, and brought together over seeds.

mod read;
mod thin;

pub use thin::thin;

use crate::experiment::{ArmSummary, Summary};
use rayon::prelude::*;
use read::Run;
use std::path::{Component, Path};

/// Points to which a run's loss is smoothed: dense enough to lose nothing of it, see [`smooth`].
const SAMPLES: usize = 512;

/// What one arm's runs did over time.
#[derive(Clone, Debug, Default)]
pub struct ArmCurves {
    /// Training loss in nats, smoothed.
    pub training: Curve,
    /// The primary metric where it was evaluated.
    pub evaluation: Curve,
    /// Seeds whose metrics could not be read.
    pub missing: Vec<u64>,
}

/// A quantity by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Over the runs that finished, at the steps they have in common.
    pub points: Vec<Point>,
    /// Finished runs in it.
    pub seeds: usize,
    /// Runs that did not finish, each as (step, value).
    pub strays: Vec<Vec<(f64, f64)>>,
}

/// One step of a [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Step.
    pub step: f64,
    /// Mean over seeds.
    pub mean: f64,
    /// Lowest seed.
    pub low: f64,
    /// Highest seed.
    pub high: f64,
}

/// Reads the curves of every arm, in the order of the arms.
pub fn read(folder: &Path, summary: &Summary) -> Vec<ArmCurves> {
    summary.arms.par_iter().map(|arm| arm_curves(folder, arm, &summary.metric)).collect()
}

fn arm_curves(folder: &Path, arm: &ArmSummary, metric: &str) -> ArmCurves {
    let mut curves = ArmCurves::default();
    let (mut training, mut evaluation) = (Vec::new(), Vec::new());
    for (seed, run) in &arm.folders {
        let inside = Path::new(run).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let Some([losses, scores]) = read::metrics(&folder.join(run), metric).filter(|_| inside) else {
            curves.missing.push(*seed);
            continue;
        };
        let end = losses.last().copied();
        let mut losses = smooth(&losses);
        if arm.values.get(seed).copied().flatten().is_some() {
            training.push(losses);
            evaluation.push(scores);
        } else {
            // How it ended is what one wants to see of it, not an average.
            if let (Some(last), Some(end)) = (losses.last_mut(), end) {
                *last = end;
            }
            curves.training.strays.push(losses);
            curves.evaluation.strays.push(scores);
        }
    }
    curves.training = Curve { strays: curves.training.strays, ..combine(&training) };
    curves.evaluation = Curve { strays: curves.evaluation.strays, ..combine(&evaluation) };
    curves
}

/// At most [`SAMPLES`] points, the first and the last among them, each on the straight line that fits its neighbourhood
/// best: about 3 % of the run. Inside a run that is the centred moving mean; at its ends, where a mean would lean or a
/// shrinking window would not smooth, the line still follows the slope. Neighbouring windows share fifteen sixteenths of
/// what they cover, so that a longer list would tell nothing more.
fn smooth(run: &[(f64, f64)]) -> Run {
    let reach = run.len() / 64;
    let last = run.len().saturating_sub(1);
    let count = run.len().min(SAMPLES);
    (0..count)
        .map(|i| i * last / count.saturating_sub(1).max(1))
        .map(|i| {
            let (low, high) = (i.saturating_sub(reach), (i + reach).min(last));
            (run[i].0, line_at(&run[low..=high], run[i].0))
        })
        .collect()
}

/// The least-squares line through `points` (not empty, ascending), at `x`.
fn line_at(points: &[(f64, f64)], x: f64) -> f64 {
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut spread, mut slope) = (0.0, 0.0);
    for (px, py) in points {
        spread += (px - mean_x).powi(2);
        slope += (px - mean_x) * (py - mean_y);
    }
    if spread > 0.0 { mean_y + slope / spread * (x - mean_x) } else { mean_y }
}

/// Mean, lowest and highest over runs, at the steps that all of them have.
fn combine(runs: &[Run]) -> Curve {
    let Some((first, others)) = runs.split_first() else { return Curve::default() };
    let at = |run: &Run, step: f64| run.binary_search_by(|(s, _)| s.total_cmp(&step)).ok().map(|i| run[i].1);
    let points = first
        .iter()
        .filter_map(|&(step, value)| {
            let mut values = vec![value];
            for run in others {
                values.push(at(run, step)?);
            }
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Some(Point { step, mean, low, high })
        })
        .collect();
    Curve { points, seeds: runs.len(), strays: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_straight_lines_and_both_ends_and_lowers_noise_everywhere() {
        let line: Run = (0..10_001).map(|i| (f64::from(i), 3.0 - 0.0002 * f64::from(i))).collect();
        let smoothed = smooth(&line);
        assert_eq!((smoothed.len(), smoothed[0].0, smoothed[SAMPLES - 1].0), (SAMPLES, 0.0, 10_000.0));
        assert!(smoothed.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(smoothed.iter().all(|(x, y)| (3.0 - 0.0002 * x - y).abs() < 1e-9));
        let noise: Run = (0..1000).map(|i| (f64::from(i), if i % 2 == 0 { 1.0 } else { -1.0 })).collect();
        assert!(smooth(&noise).iter().all(|(_, y)| y.abs() < 0.3));
        assert_eq!(smooth(&line[..2]), line[..2]);
        assert_eq!(smooth(&line[..1]), line[..1]);
        assert!(smooth(&[]).is_empty());
    }

    #[test]
    fn seeds_meet_at_common_steps() {
        let curve = combine(&[vec![(1.0, 4.0), (2.0, 3.0), (3.0, 2.0)], vec![(1.0, 6.0), (3.0, 1.0)]]);
        let expected = [Point { step: 1.0, mean: 5.0, low: 4.0, high: 6.0 }, Point { step: 3.0, mean: 1.5, low: 1.0, high: 2.0 }];
        assert_eq!(curve.points, expected);
        assert_eq!(curve.seeds, 2);
        assert_eq!(combine(&[]), Curve::default());
    }

    #[test]
    fn folders_outside_the_experiment_are_not_read() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("metrics.jsonl"), "{\"step\":1,\"loss\":2.0}").unwrap();
        let folder = outside.path().join("experiment");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("metrics.jsonl"), "{\"step\":1,\"loss\":2.0}").unwrap();
        let mut arm = ArmSummary { folders: [(0, "..".into()), (1, ".".into())].into(), ..example() };
        let curves = arm_curves(&folder, &arm, "m");
        assert_eq!((curves.missing, curves.training.strays), (vec![0], vec![vec![(1.0, 2.0)]]));
        arm.folders = [(0, outside.path().to_string_lossy().into_owned())].into();
        assert_eq!(arm_curves(&folder, &arm, "m").missing, [0]);
    }

    fn example() -> ArmSummary {
        serde_json::from_value(serde_json::json!({
            "name": "a", "reference": null, "parameters": 1, "flops_per_token": 1.0, "seeds": 0, "mean": null, "ci95": null,
            "delta": null, "delta_ci95": null, "p": null, "p_adjusted": null, "verdict": "undecided", "verdict_text": "",
            "diverged": 0, "failed": 0, "tokens_per_second": null, "comparisons": [], "values": {}, "metrics": {},
            "differences": [], "paired_parameters": null, "folders": {},
        }))
        .unwrap()
    }
}
