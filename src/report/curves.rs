//! Loss curves: each run's `metrics.jsonl`, smoothed, and brought together over seeds.

use crate::experiment::{ArmSummary, Summary};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Component, Path},
};

/// Most points that a drawn line has.
const POINTS: usize = 240;

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

type Run = Vec<(f64, f64)>;

/// Reads the curves of every arm, in the order of the arms.
pub fn read(folder: &Path, summary: &Summary) -> Vec<ArmCurves> {
    summary.arms.iter().map(|arm| arm_curves(folder, arm, &summary.metric)).collect()
}

fn arm_curves(folder: &Path, arm: &ArmSummary, metric: &str) -> ArmCurves {
    let mut curves = ArmCurves::default();
    let (mut training, mut evaluation) = (Vec::new(), Vec::new());
    for (seed, run) in &arm.folders {
        let Some([losses, scores]) = metrics(&folder.join(run), run, metric) else {
            curves.missing.push(*seed);
            continue;
        };
        let losses = smooth(&losses);
        if arm.values.get(seed).copied().flatten().is_some() {
            training.push(losses);
            evaluation.push(scores);
        } else {
            curves.training.strays.push(losses);
            curves.evaluation.strays.push(scores);
        }
    }
    curves.training = Curve { strays: curves.training.strays, ..combine(&training) };
    curves.evaluation = Curve { strays: curves.evaluation.strays, ..combine(&evaluation) };
    curves
}

/// Loss and metric by step; none if there is no file or its name leads out of the experiment's folder.
fn metrics(run: &Path, name: &str, metric: &str) -> Option<[Run; 2]> {
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let file = fs::File::open(run.join("metrics.jsonl")).ok()?;
    let mut runs = [Run::new(), Run::new()];
    for line in BufReader::new(file).lines() {
        // A line that a crash cut short ends nothing but itself.
        let Ok(line) = line else { break };
        let Ok(values) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let Some(step) = values["step"].as_f64() else { continue };
        for (run, key) in runs.iter_mut().zip(["loss", metric]) {
            if let Some(value) = values[key].as_f64().filter(|value| value.is_finite()) {
                run.push((step, value));
            }
        }
    }
    Some(runs)
}

/// At most [`POINTS`] points, the first and the last among them, each on the straight line that fits its neighbourhood
/// best: about 3 % of the run. Inside a run that is the centred moving mean; at its ends, where a mean would lean or a
/// shrinking window would not smooth, the line still follows the slope.
fn smooth(run: &[(f64, f64)]) -> Run {
    let reach = run.len() / 64;
    let last = run.len().saturating_sub(1);
    let count = run.len().min(POINTS);
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
        assert_eq!((smoothed.len(), smoothed[0].0, smoothed[POINTS - 1].0), (POINTS, 0.0, 10_000.0));
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
    fn broken_lines_and_foreign_folders_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("a");
        fs::create_dir(&run).unwrap();
        fs::write(
            run.join("metrics.jsonl"),
            "{\"step\":1,\"loss\":2.0}\nnoise\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"loss\":1.5,\"m\":0.5}\n{\"step\":4,\"lo",
        )
        .unwrap();
        let [losses, scores] = metrics(&run, "a", "m").unwrap();
        assert_eq!((losses, scores), (vec![(1.0, 2.0), (3.0, 1.5)], vec![(3.0, 0.5)]));
        assert!(metrics(&run, "../a", "m").is_none());
        assert!(metrics(folder.path(), ".", "m").is_none());
    }
}
