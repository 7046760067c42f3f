//! What designs make of factors, arms and sizes, on a model that is resolved for real.

use super::{Bench, arm};
use ablate::{
    device::DeviceName,
    experiment::{Experiment, Plan, PlannedArm, Quantity, Role, Stage, missing},
};

fn names(experiment: &Experiment) -> Vec<&str> {
    experiment.arms.iter().map(|arm| arm.name.as_str()).collect()
}

fn plan(experiment: &Experiment) -> Plan {
    Plan::new(experiment, &DeviceName::Flex, None, &[])
}

#[test]
fn one_at_a_time_leaves_out_what_the_base_has() {
    let bench = Bench::new(
        r#"
design.kind = "one-at-a-time"
[[factor]]
name = "norm"
key = "model.norm.kind"
values = ["layer", "rms"]
[[factor]]
name = "theta"
key = "model.position.theta"
values = [500.0]
when = "model.position.kind == 'rope'"
[[factor]]
name = "feed"
[[factor.level]]
name = "wide"
set = { "model.feed_forward.hidden" = 96 }
"#,
    );
    let experiment = bench.load();
    // The base has layer norm and learned positions: the first changes nothing, the second is never asked.
    assert_eq!(names(&experiment), ["base", "norm-rms", "feed-wide"]);
    assert!(experiment.left_out.iter().any(|left| left.contains("theta")), "{:?}", experiment.left_out);
    assert_eq!(arm(&experiment, "norm-rms").levels["norm"], "rms");
    assert_eq!(arm(&experiment, "feed-wide").references, ["base"]);
}

#[test]
fn factorial_cells_have_effects_instead_of_comparisons() {
    let bench = Bench::new(
        r#"
design.kind = "factorial"
[[factor]]
name = "norm"
key = "model.norm.kind"
values = ["rms", "none"]
[[factor]]
name = "position"
key = "model.position.kind"
values = ["rope"]
"#,
    );
    let experiment = bench.load();
    assert_eq!(names(&experiment).len(), 6);
    let plan = plan(&experiment);
    assert_eq!(plan.comparisons().count(), 0);
    let effects: Vec<&str> = plan.effects.iter().map(|effect| effect.name.as_str()).collect();
    assert_eq!(effects, ["norm: rms", "norm: none", "position: rope", "norm: rms × position: rope", "norm: none × position: rope"]);
    assert!(plan.arms[1..].iter().all(|arm| arm.role == Role::Cell));
    // Every cell differs from the base in its own factors only.
    let both = arm(&experiment, "norm-rms+position-rope");
    assert!(both.differences.iter().all(|d| d.key.starts_with("model.norm") || d.key.starts_with("model.position")));
}

#[test]
fn fractions_are_smaller_and_say_what_they_confuse() {
    let factor = |name: &str, key: &str, value: &str| format!("[[factor]]\nname = \"{name}\"\nkey = \"{key}\"\nvalues = [{value}]\n");
    let text = format!(
        "design = {{ kind = \"factorial\", resolution = 4 }}\n{}{}{}{}",
        factor("norm", "model.norm.kind", "\"rms\""),
        factor("position", "model.position.kind", "\"rope\""),
        factor("feed", "model.feed_forward.kind", "\"gelu\""),
        factor("layers", "model.layers", "1"),
    );
    let experiment = Bench::new(&text).load();
    assert_eq!(experiment.arms.len(), 8);
    assert!(experiment.effects.iter().any(|effect| !effect.aliases.is_empty()));
    let three = text.replace("[\"rms\"]", "[\"rms\", \"none\"]");
    assert!(Bench::new(&three).refused().contains("two levels"));
}

#[test]
fn leaving_one_out_compares_with_all_changes() {
    let bench = Bench::new(
        r#"
design.kind = "leave-one-out"
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "rope"
set = { "model.position.kind" = "rope" }
"#,
    );
    let experiment = bench.load();
    assert_eq!(names(&experiment), ["base", "all", "without-rms", "without-rope"]);
    let without = arm(&experiment, "without-rms");
    assert_eq!((without.references.clone(), without.named.clone()), (vec!["all".to_string()], vec!["model.norm.kind".to_string()]));
    assert_eq!(without.spec.model.norm, experiment.base().spec.model.norm);
}

#[test]
fn zipped_levels_go_together() {
    let text = r#"
design.kind = "zip"
[[factor]]
name = "norm"
key = "model.norm.kind"
values = ["rms", "none"]
[[factor]]
name = "layers"
key = "model.layers"
values = [1, 3]
"#;
    let experiment = Bench::new(text).load();
    assert_eq!(names(&experiment), ["base", "norm-rms+layers-1", "norm-none+layers-3"]);
    assert_eq!(arm(&experiment, "norm-none+layers-3").spec.model.layers, 3);
    assert!(Bench::new(&text.replace("[1, 3]", "[1]")).refused().contains("different numbers of levels"));
}

#[test]
fn draws_are_the_same_every_time_and_lie_in_their_ranges() {
    for kind in ["random", "halton"] {
        let text = format!(
            "design = {{ kind = \"{kind}\", count = 8 }}\n[[factor]]\nname = \"rate\"\nkey = \"optimizer.lr\"\nmin = 1e-4\nmax = 1e-2\nscale = \"log\"\n\
             [[factor]]\nname = \"norm\"\nkey = \"model.norm.kind\"\nvalues = [\"rms\", \"none\"]\n"
        );
        let (bench, again) = (Bench::new(&text), Bench::new(&text));
        let experiment = bench.load();
        assert_eq!(experiment.arms.len(), 9, "{:?}", experiment.left_out);
        let rates = |experiment: &Experiment| -> Vec<f64> { experiment.arms[1..].iter().map(|arm| arm.spec.optimizer.lr()).collect() };
        assert_eq!(rates(&experiment), rates(&again.load()));
        assert!(rates(&experiment).iter().all(|rate| (1e-4..=1e-2).contains(rate)));
        assert!(experiment.arms[1..].iter().any(|arm| arm.levels["norm"] == "none"));
    }
}

#[test]
fn sizes_are_compared_within_each_and_matched_within_each() {
    let bench = Bench::new(
        r#"
design.kind = "ladder-of-sizes"
match = { parameters = "model.feed_forward.hidden", tolerance = 0.05 }
budgets = [3, 12]
[[size]]
name = "wide"
set = { "model.width" = 32, "model.feed_forward.hidden" = 128 }
[[arm]]
name = "swiglu"
set = { "model.feed_forward.kind" = "swiglu" }
"#,
    );
    let experiment = bench.load();
    assert_eq!(names(&experiment), ["base", "swiglu", "base.wide", "swiglu.wide", "base.steps-3", "base.steps-12"]);
    let wide = arm(&experiment, "swiglu.wide");
    assert_eq!(wide.references, ["base.wide"]);
    assert_eq!((arm(&experiment, "swiglu").spec.model.feed_forward.hidden, wide.spec.model.feed_forward.hidden), (43, 85));
    let plan = plan(&experiment);
    assert_eq!(plan.comparisons().count(), 2);
    let long = arm(&experiment, "base.steps-12");
    assert_eq!((long.spec.train.steps, long.references.len()), (12, 0));
    assert_eq!(plan.arm("base.steps-12").unwrap().role, Role::BaseOfBudget);
}

#[test]
fn requirements_leave_generated_arms_out_and_refuse_written_ones() {
    let factors = "[[factor]]\nname = \"layers\"\nkey = \"model.layers\"\nvalues = [1, 3, 9]\n";
    let experiment = Bench::new(&format!("design.kind = \"one-at-a-time\"\nrequire = [\"model.layers <= 3\"]\n{factors}")).load();
    assert_eq!(names(&experiment), ["base", "layers-1", "layers-3"]);
    assert_eq!(experiment.left_out, ["layers-9: `model.layers <= 3` does not hold"]);
    let refused = Bench::new(&format!("design.kind = \"factorial\"\nrequire = [\"model.layers <= 3\"]\n{factors}")).refused();
    assert!(refused.contains("needs all its cells"), "{refused}");
    let arm = "[[arm]]\nname = \"deep\"\nset = { \"model.layers\" = 9 }\n";
    let refused = Bench::new(&format!("require = [\"model.layers <= 3\"]\n{arm}")).refused();
    assert!(refused.contains("arm[0]") && refused.contains("does not hold of arm `deep`"), "{refused}");
    let refused = Bench::new(&format!("require = [\"model.layer <= 3\"]\n{arm}")).refused();
    assert!(refused.contains("e.toml:") && refused.contains("did you mean `model.layers`?"), "{refused}");
    let refused = Bench::new(&format!("require = [\"params < 10\"]\n{arm}")).refused();
    assert!(refused.contains("does not hold of the base"), "{refused}");
}

#[test]
fn conditions_drop_arms_and_rungs_close_ranks() {
    let bench = Bench::new(
        r#"
design.kind = "ladder"
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "theta"
set = { "model.position.theta" = 500.0 }
when = "model.position.kind == 'rope'"
[[arm]]
name = "gelu"
set = { "model.feed_forward.kind" = "gelu" }
"#,
    );
    let experiment = bench.load();
    assert_eq!(names(&experiment), ["base", "rms", "gelu"]);
    assert_eq!(arm(&experiment, "gelu").references, ["rms", "base"]);
    assert_eq!(experiment.left_out, ["theta: its condition does not hold"]);
}

#[test]
fn flops_are_matched_by_steps_with_a_schedule_of_their_own() {
    let bench = Bench::new(
        r#"
match = { flops = "train.steps", tolerance = 0.1 }
set = { "train.steps" = 100, "schedule.warmup" = 10 }
[[arm]]
name = "shallow"
set = { "model.layers" = 1 }
"#,
    );
    let experiment = bench.load();
    let shallow = arm(&experiment, "shallow");
    let solved = &shallow.solved[0];
    assert_eq!((solved.quantity, solved.value), (Quantity::Flops, shallow.spec.train.steps as u64));
    assert!(shallow.spec.train.steps > 110 && solved.residual.abs() < 0.01, "{solved:?}");
    let total = |arm: &PlannedArm| arm.flops_per_token * arm.tokens as f64;
    let plan = plan(&experiment);
    assert!((total(&plan.arms[1]) / total(&plan.arms[0]) - 1.0).abs() < 0.01);
    // Warm-up grows with the steps, and both are told as matched or derived.
    assert!(shallow.spec.schedule.warmup() > 10);
    assert!(shallow.differences.iter().any(|d| d.key == "schedule.warmup" && d.origin == "derived from train.steps"));
}

#[test]
fn time_is_matched_by_a_measured_run_of_each_arm() {
    // Six steps match no time finely.
    let bench =
        Bench::new("match = { time = \"train.steps\", tolerance = 0.5 }\n[[arm]]\nname = \"shallow\"\nset = { \"model.layers\" = 1 }\n");
    let experiment = bench.load();
    let before = plan(&experiment);
    let jobs = missing(&before, &[], &[]);
    // The base is not matched to itself; what it takes is measured all the same.
    let timed: Vec<(&str, Stage)> =
        jobs.iter().filter(|job| job.stage != Stage::Compare).map(|job| (job.arm.as_str(), job.stage)).collect();
    assert_eq!(timed, [("shallow", Stage::Time), ("base", Stage::Time)]);
    assert!(before.arm("shallow").unwrap().runs.is_empty());
    let output = bench.run(&["--seeds", "2"]);
    let summary = super::json(&output);
    let arm = &summary["arms"][1];
    assert_eq!(arm["seeds"], 2, "{summary:#}");
    assert_eq!(arm["cost"]["tuning_runs"], 1);
    let plan: serde_json::Value = serde_json::from_slice(&std::fs::read(bench.out().join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["current"]["arms"][1]["match"][0]["quantity"], "time");
}

/// What the plan says of the disk, against what runs leave on it.
#[test]
fn checkpoints_take_what_was_planned() {
    let keep = "[set]\n\"train.keep_last\" = 3\n\"train.keep_best\" = true\n\"train.checkpoint_every\" = 2\n\"evaluation.every\" = 3\n\
                \"model.width\" = 128\n";
    let bench = Bench::new(&format!("seeds = 1\n{keep}[[arm]]\nname = \"sgd\"\nset = {{ \"optimizer.kind\" = \"sgd\" }}\n"));
    let planned = plan(&bench.load());
    bench.run(&[]);
    for arm in &planned.arms {
        let run = bench.out().join(&arm.name).join("seed-0");
        let folders = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap());
        let checkpoints = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("checkpoint"));
        let files = checkpoints.flat_map(|folder| ["model.bpk", "optimizer.bpk"].map(|file| folder.path().join(file)));
        let bytes: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        let ratio = bytes as f64 / arm.checkpoint_bytes as f64;
        assert!((1.0..1.1).contains(&ratio), "{}: {bytes} bytes, planned {}", arm.name, arm.checkpoint_bytes);
    }
}

#[test]
fn budgets_and_prices() {
    let bench = Bench::new("seeds = 3\n[[arm]]\nname = \"rms\"\nset = { \"model.norm.kind\" = \"rms\" }\n");
    let plan = plan(&bench.load());
    assert_eq!((plan.price.runs, plan.price.tokens), (6, 6 * 6 * 2 * 8));
    assert!(plan.price.seconds.is_none() && plan.price.disk_bytes > 0);
    let refused = bench.ablate(&["plan", "e.toml", "--budget", "5 runs"]);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && errors.contains("6 runs are more than the budget of 5 runs"), "{errors}");
    let refused = bench.ablate(&["run", "e.toml", "--out", "out", "--budget", "5 runs"]);
    assert!(refused.status.code() == Some(2) && !bench.out().exists());
    let listed = bench.ablate(&["plan", "e.toml", "--budget", "6 runs"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let id = &plan.arms[1].runs[&2];
    assert!(listed.status.success() && text.contains(id.as_str()) && text.contains("standard deviations"), "{text}");
    assert!(bench.ablate(&["plan", "e.toml", "--budget", "many"]).status.code() == Some(2));
}

#[test]
fn every_arm_is_tuned_with_the_same_budget_before_it_is_compared() {
    let bench = Bench::new(
        r#"
seeds = 2
[retune]
values = { "optimizer.lr" = [1e-5, 1e-3, 3e-2] }
rungs = [2, 4]
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
"#,
    );
    let experiment = bench.load();
    let before = plan(&experiment);
    let jobs = missing(&before, &[], &[]);
    assert_eq!(jobs.len(), 6, "three trials of each arm, and no comparison yet: {jobs:?}");
    // 2 arms x (3 + 2 trials + 2 seeds).
    assert_eq!(before.price.runs, 14);
    let summary = super::json(&bench.run(&[]));
    let tuning = summary["tuning"].as_array().unwrap();
    assert_eq!(tuning.len(), 2);
    for arm in tuning {
        assert_eq!((arm["rungs"][0]["trials"].as_array().unwrap().len(), arm["rungs"][1]["trials"].as_array().unwrap().len()), (3, 2));
        assert!(arm["chosen"].is_u64());
        // The best of the last rung is the one that runs.
        let trials = arm["rungs"][1]["trials"].as_array().unwrap();
        let best = trials.iter().min_by(|a, b| a["mean"].as_f64().unwrap().total_cmp(&b["mean"].as_f64().unwrap())).unwrap();
        assert_eq!(best["trial"], arm["chosen"]);
        let spec = std::fs::read_to_string(bench.out().join(arm["arm"].as_str().unwrap()).join("seed-0/spec.toml")).unwrap();
        let spec: ablate::train::RunSpec = toml::from_str(&spec).unwrap();
        assert_eq!(Some(spec.optimizer.lr()), best["settings"]["optimizer.lr"].as_f64());
        assert_eq!(spec.train.steps, 6, "comparisons are as long as the experiment says");
        // Trials of a rung are complete schedules of its length, with seeds of their own.
        let trial =
            std::fs::read_to_string(bench.out().join(arm["arm"].as_str().unwrap()).join("tune/rung-0/trial-0/seed-1000000000/spec.toml"))
                .unwrap();
        let trial: ablate::train::RunSpec = toml::from_str(&trial).unwrap();
        assert_eq!((trial.train.steps, trial.train.seed), (2, 1_000_000_000));
    }
    let warnings = summary["warnings"].to_string();
    assert!(warnings.contains("conditional on the tuned values"), "{warnings}");
    // Asked again, nothing is missing.
    let again = super::json(&bench.run(&[]));
    assert_eq!(again["arms"], summary["arms"]);
}

#[test]
fn what_is_wrong_with_tuning_is_refused() {
    let arm = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n";
    for (retune, part) in [
        ("values = { \"model.width\" = [16, 32] }", "number of parameters"),
        ("values = { \"train.seed\" = [1, 2] }", "seed"),
        ("values = { \"optimizer.lrr\" = [1e-3, 2e-3] }", "optimizer.lr"),
        ("values = { \"optimizer.lr\" = [1e-3] }", "fewer than two"),
        ("values = { \"train.steps\" = [3, 6] }", "the budget"),
        ("values = { \"optimizer.lr\" = [1e-3, -1.0] }", "lr"),
        ("values = { \"optimizer.lr\" = [1e-3, 2e-3] }\nrungs = [6, 2]", "ascend"),
        ("values = { \"optimizer.lr\" = [1e-3, 2e-3] }\nrungs = [2, 100]", "100 steps are more than the 6 of the comparison"),
    ] {
        let refused = Bench::new(&format!("[retune]\n{retune}\n{arm}")).refused();
        assert!(refused.contains(part) && refused.contains("e.toml:"), "{retune}: {refused}");
    }
}

#[test]
fn sequential_seeds_stop_when_decided() {
    let bench = Bench::new("seeds = { min = 3, max = 5 }\n[[arm]]\nname = \"same\"\nset = { \"train.log_every\" = 2 }\n");
    let summary = super::json(&bench.run(&[]));
    // A control never differs, and no margin lets it be called equivalent: all five seeds are needed.
    assert_eq!(summary["arms"][1]["seeds"], 5);
    let bench = Bench::new("margin = 0.01\nseeds = { min = 3, max = 5 }\n[[arm]]\nname = \"same\"\nset = { \"train.log_every\" = 2 }\n");
    let summary = super::json(&bench.run(&[]));
    assert_eq!((summary["arms"][1]["seeds"].as_u64(), summary["arms"][1]["verdict"].as_str()), (Some(3), Some("equivalent")));
    assert_eq!(summary["seeds"].as_array().unwrap().len(), 3);
    assert!(summary["warnings"].as_array().unwrap().iter().all(|w| !w.as_str().unwrap().contains("missing")), "{}", summary["warnings"]);
}
