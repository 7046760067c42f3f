//! What `plan` says before anything trains, and what it refuses.

use super::Bench;
use ablate::{
    device::DeviceName,
    experiment::{Experiment, Job, Plan, Record, Stage, TuningSummary, missing},
    train::RunResult,
};
use serde_json::json;

const RMS: &str = "[[arm]]\nname = \"rms\"\nset = { \"model.norm.kind\" = \"rms\" }\n";

fn plan(experiment: &Experiment, records: &[Record]) -> Plan {
    Plan::new(experiment, &DeviceName::Flex, None, records)
}

/// What `ablate plan` prints.
fn printed(experiment: &str) -> String {
    let output = Bench::new(experiment).ablate(&["plan", "e.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A run that finished with a value of the metric, or diverged, at so many tokens a second.
fn ended(job: Job, value: Option<f64>, speed: f64) -> Record {
    let metrics = value.map_or(json!({}), |value| json!({ "valid/bits_per_byte": value }));
    let result = json!({
        "id": job.id, "outcome": if value.is_some() { "finished" } else { "diverged" }, "reason": null, "steps": 6, "tokens": 96,
        "metrics": metrics, "tokens_per_second": speed, "seconds": 1.0, "device": "flex", "path": "composed", "threads": 1,
        "version": "0", "data_hash": "",
    });
    Record::new(&job, serde_json::from_value::<RunResult>(result).unwrap())
}

/// The runs that time the arms of an experiment, as if the base made so many times the steps of the others in a second.
fn timings(experiment: &Experiment, base: f64) -> Vec<Record> {
    let timed = missing(&plan(experiment, &[]), &[], &[]).into_iter().filter(|job| job.stage == Stage::Time);
    let speed = |job: &Job| if job.arm == "base" { 1000.0 * base } else { 1000.0 };
    timed.map(|job| (speed(&job), job)).map(|(speed, job)| ended(job, Some(2.0), speed)).collect()
}

/// Whole steps seldom give the base's time: what is further off than the tolerance is refused, as it is for sizes.
#[test]
fn a_time_that_no_number_of_steps_has_is_refused() {
    let arm = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n";
    let bench = |tolerance: f64| Bench::new(&format!("match = {{ time = \"train.steps\", tolerance = {tolerance} }}\n{arm}"));
    // The base takes 6 steps in the time of 4.8 steps of the arm: five are 4 % more.
    let benches = [bench(0.05), bench(0.03)];
    let [coarse, fine] = [benches[0].load(), benches[1].load()];
    let accepted = plan(&coarse, &timings(&coarse, 1.25));
    accepted.check_time().unwrap();
    let solved = &accepted.arm("a").unwrap().solved[0];
    assert_eq!((solved.value, (solved.residual * 1000.0).round()), (5, 42.0));
    assert_eq!(accepted.arm("a").unwrap().runs.len(), 5);
    assert_eq!(accepted.matched_within(), ["training time, by train.steps, within 4.17 % (most: a +4.17 %)"]);
    let refused = plan(&fine, &timings(&fine, 1.25));
    let error = refused.check_time().unwrap_err().to_string();
    for part in ["arm `a`", "the nearest is train.steps = 5", "+4.17 %, tolerance 3 %"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(refused.arm("a").unwrap().runs.is_empty(), "what is refused does not run");
    plan(&fine, &timings(&fine, 1.0)).check_time().unwrap();
}

#[test]
fn runs_that_are_not_known_yet_are_announced() {
    let fixed = printed(&format!("seeds = 2\n{RMS}"));
    assert!(!fixed.contains("more follow"), "{fixed}");
    assert!(fixed.contains("1 comparison of valid/bits_per_byte (lower is better) at α = 0.05"), "{fixed}");
    // A row of the table of runs names what the run changes.
    let row = fixed.lines().find(|line| line.contains("comparison") && line.contains("norm.kind"));
    assert!(row.is_some_and(|row| row.contains("rms")), "{fixed}");
    let tuned = printed(&format!("seeds = 2\n[retune]\nvalues = {{ \"optimizer.lr\" = [1e-5, 1e-3, 3e-2] }}\nrungs = [2, 4]\n{RMS}"));
    // Six trials of the first rung are known of 14 runs.
    assert!(tuned.contains("\n8 more follow: decided by tuning\n"), "{tuned}");
    let timed = printed(&format!("seeds = 2\nmatch.time = \"train.steps\"\n{RMS}"));
    // Two timings and the base's two runs are known of six.
    assert!(timed.contains("\n2 more follow: decided by timing\n"), "{timed}");
    let looking = printed(&format!("seeds = {{ min = 3, max = 5 }}\n{RMS}"));
    assert!(looking.contains("\nat most 4 more follow: decided by looks at the results\n"), "{looking}");
}

/// Two budgets make no curve and two sizes no fit: that is said before they are paid for.
#[test]
fn curves_that_cannot_be_are_announced() {
    let warnings = |text: &str| plan(&Bench::new(text).load(), &[]).warnings().join("\n");
    let few = warnings(&format!("budgets = [3]\n{RMS}"));
    assert!(few.contains("the base has 2 budgets, its own included: it takes 3"), "{few}");
    assert_eq!(warnings(&format!("budgets = [3, 12]\n{RMS}")), "");
    let size = |name: &str, width: usize| format!("[[size]]\nname = \"{name}\"\nset = {{ \"model.width\" = {width} }}\n");
    let ladder = format!("design.kind = \"ladder-of-sizes\"\n{RMS}{}", size("m", 32));
    let few = warnings(&ladder);
    assert!(few.contains("the ladder has 2 sizes, the base's own included: a fit of loss against size takes 3"), "{few}");
    assert_eq!(warnings(&format!("{ladder}{}", size("l", 64))), "");
}

/// The plan knows which tensors of equal name have another shape, and so noise of their own.
#[test]
fn tensors_of_another_shape_are_told() {
    let experiment = Bench::new(&format!("{RMS}[[arm]]\nname = \"wide\"\nset = {{ \"model.feed_forward.hidden\" = 32 }}\n")).load();
    let plan = plan(&experiment, &[]);
    let reshaped = |arm: &str| plan.arm(arm).unwrap().reshaped.clone().unwrap();
    assert!(reshaped("rms").is_empty());
    let paths = &reshaped("wide")["base"];
    assert!(!paths.is_empty() && paths.iter().all(|path| path.contains("feed_forward")), "{paths:?}");
}

/// A best value at an end of the range is told as such; of trials that all diverged none is the best.
#[test]
fn tuning_tells_edges_and_takes_no_diverged_trial_for_a_result() {
    let bench = Bench::new(&format!("seeds = 2\n[retune]\nvalues = {{ \"optimizer.lr\" = [1e-5, 1e-3, 3e-2] }}\n{RMS}"));
    let experiment = bench.load();
    // Values of the three trials of `rms`.
    let tuned = |values: [Option<f64>; 3]| -> TuningSummary {
        let value = |job: &Job| match job.stage {
            Stage::Tune { trial, .. } if job.arm == "rms" => values[trial],
            _ => Some(2.0),
        };
        let trials = missing(&plan(&experiment, &[]), &[], &[]);
        let records: Vec<Record> = trials.into_iter().map(|job| (value(&job), job)).map(|(value, job)| ended(job, value, 1.0)).collect();
        let plan = plan(&experiment, &records);
        assert_eq!(plan.arm("rms").unwrap().runs.len(), 2, "it is compared then");
        plan.arm("rms").unwrap().tuning.clone().unwrap()
    };
    let inside = tuned([Some(2.3), Some(2.1), Some(2.2)]);
    assert_eq!((inside.chosen, inside.edges), (Some(1), vec![]));
    let highest = tuned([Some(2.3), Some(2.2), Some(2.1)]);
    assert_eq!((highest.chosen, highest.edges), (Some(2), vec!["optimizer.lr = 0.03 is the highest value tried".to_string()]));
    let lowest = tuned([Some(2.1), Some(2.2), None]);
    assert!(lowest.chosen == Some(0) && lowest.edges[0].ends_with("is the lowest value tried"), "{:?}", lowest.edges);
    assert_eq!(lowest.rungs[0].trials[2].mean, None);
    // What diverged is behind all that did not, whatever it had reached.
    assert_eq!(tuned([None, Some(9.0), None]).chosen, Some(1));
    let none = tuned([None; 3]);
    assert_eq!((none.chosen, none.edges), (Some(0), vec![]), "the first that was tried, and no edge");
}
