//! Tests of `experiment` from outside.

mod designs;
mod factors;
mod fuzz;
mod matching;
mod plans;

use ablate::{
    Error,
    device::DeviceName,
    experiment::{Arm, Experiment, Overrides, Plan},
};
use assert_cmd::Command;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder with a tiny base and the given experiment.
struct Bench {
    folder: tempfile::TempDir,
}

const BASE: &str = r#"
[model]
layers = 2
width = 16
context = 8
norm = { kind = "layer", eps = 1e-6 }
attention = { heads = 2 }
position = { kind = "learned" }
feed_forward = { kind = "relu", hidden = 64 }

[data]
corpus = { kind = "text", paths = ["corpus.txt"] }
tokenizer = { kind = "bytes" }
validation_bytes = 600

[optimizer]
kind = "adamw"
lr = 3e-3

[train]
steps = 6
batch = 2
"#;

impl Bench {
    fn new(experiment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("base.toml"), BASE).unwrap();
        let text: String = (0..900).map(|i| format!("Line {i} of a text, {} words long.\n", i * i % 97)).collect();
        fs::write(folder.path().join("corpus.txt"), text).unwrap();
        let head = "name = \"e\"\nquestion = \"?\"\nbase = \"base.toml\"\n";
        fs::write(folder.path().join("e.toml"), format!("{head}{experiment}")).unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("e.toml")
    }

    fn load(&self) -> Experiment {
        self.load_with(&Overrides::default()).unwrap()
    }

    fn load_with(&self, overrides: &Overrides) -> Result<Experiment, Error> {
        Experiment::load(&self.file(), overrides)
    }

    /// The error of an experiment that must be refused.
    fn refused(&self) -> String {
        self.load_with(&Overrides::default()).unwrap_err().to_string()
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn ablate(&self, arguments: &[&str]) -> std::process::Output {
        let cache = self.folder.path().join("cache");
        let mut command = Command::cargo_bin("ablate").unwrap();
        command.current_dir(self.folder.path()).env("ABLATE_CACHE", cache).args(arguments).output().unwrap()
    }

    fn run(&self, more: &[&str]) -> std::process::Output {
        self.ablate(&[&["run", "e.toml", "--out", "out", "--json"], more].concat())
    }
}

fn arm<'a>(experiment: &'a Experiment, name: &str) -> &'a Arm {
    experiment.arms.iter().find(|arm| arm.name == name).unwrap()
}

fn json(output: &std::process::Output) -> serde_json::Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

#[test]
fn arms_of_a_list_change_the_base_and_nothing_else() {
    let bench = Bench::new(
        r#"
set = { "train.batch" = 4 }
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "gelu"
set = { model = { feed_forward = { kind = "gelu" } } }
"#,
    );
    let experiment = bench.load();
    assert_eq!(experiment.seeds, [0, 1, 2, 3, 4]);
    let rms = arm(&experiment, "rms");
    let origins: Vec<_> = rms.differences.iter().map(|d| (d.key.as_str(), d.origin.as_str())).collect();
    let derived = "derived from model.norm.kind";
    assert_eq!(origins, [("model.norm.bias", derived), ("model.norm.kind", "named"), ("model.norm.unit_offset", derived)]);
    assert_eq!(arm(&experiment, "gelu").differences.len(), 1);
    assert!(experiment.arms.iter().all(|arm| arm.spec.train.batch == 4));
    assert_eq!(rms.references, ["base"]);
    assert_eq!(rms.paired_parameters, Some(1.0));
    let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
    let runs = &plan.arm("rms").unwrap().runs;
    assert_ne!(runs[&0], runs[&1]);
}

#[test]
fn rungs_of_a_ladder_accumulate() {
    let bench = Bench::new(
        r#"
design.kind = "ladder"
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "rope"
set = { "model.position.kind" = "rope" }
[[arm]]
name = "back"
set = { "model.norm.kind" = "layer" }
"#,
    );
    let experiment = bench.load();
    let rope = arm(&experiment, "rope");
    assert_eq!(rope.references, ["rms", "base"]);
    assert_eq!(arm(&experiment, "rms").references, ["base"]);
    assert!(rope.differences.iter().any(|d| d.key == "model.norm.kind") && rope.differences.iter().any(|d| d.key == "model.position.kind"));
    assert_eq!(rope.named, ["model.position.kind"]);
    let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
    let changes = |name: &str| -> Vec<String> {
        let arm = plan.arms.iter().find(|arm| arm.name == name).unwrap();
        plan.changes(arm).into_iter().filter(|change| change.origin == "named").map(|change| change.key).collect()
    };
    assert_eq!(changes("rope"), ["model.position.kind"]);
    assert_eq!(changes("back"), ["model.norm.kind"]);
    assert!(arm(&experiment, "back").differences.iter().all(|d| !d.key.starts_with("model.norm")));
}

#[test]
fn parameters_are_matched() {
    let bench = Bench::new(
        r#"
match = { parameters = "model.feed_forward.hidden", tolerance = 0.01 }
[[arm]]
name = "swiglu"
set = { "model.feed_forward.kind" = "swiglu" }
[[arm]]
name = "rope"
set = { "model.position.kind" = "rope" }
"#,
    );
    let experiment = bench.load();
    let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
    let swiglu = arm(&experiment, "swiglu");
    // 3·h = 2·64 within half a unit, so the mismatch is below half the parameters of a unit: 48 of each layer.
    assert_eq!(swiglu.spec.model.feed_forward.hidden, 43);
    let solved = &swiglu.solved[0];
    let counts: Vec<u64> = plan.arms.iter().map(|arm| arm.parameters).collect();
    assert_eq!((solved.achieved, solved.target), (counts[1] as f64, counts[0] as f64));
    assert!((solved.residual - (counts[1] as f64 / counts[0] as f64 - 1.0)).abs() < 1e-12);
    assert!(swiglu.differences.iter().any(|d| d.key == "model.feed_forward.hidden" && d.origin == "matched"));
    // Learned positions leave 128 of 12,704 parameters: more than a unit of 66, so one or two are added.
    assert!(arm(&experiment, "rope").solved[0].residual.abs() <= 0.01);
}

#[test]
fn an_arm_that_cannot_be_matched_is_refused_with_what_could_be_had() {
    let coarse =
        Bench::new("match.parameters = \"model.layers\"\n[[arm]]\nname = \"a\"\nset = { \"model.feed_forward.kind\" = \"swiglu\" }\n");
    let error = coarse.refused();
    assert!(error.contains("model.layers = 2") && error.contains("tolerance 0.5 %") && error.contains("e.toml"), "{error}");
    let set = Bench::new(
        "match.parameters = \"model.feed_forward.hidden\"\n[[arm]]\nname = \"a\"\nset = { \"model.feed_forward.hidden\" = 10 }\n",
    );
    assert!(set.refused().contains("which [match] solves"), "{}", set.refused());
    let word = Bench::new("match.parameters = \"model.norm.eps\"\n[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n");
    assert!(word.refused().contains("is no size of the model"), "{}", word.refused());
}

#[test]
fn what_experiments_are_refused_for() {
    let arm = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n";
    for (experiment, expected) in [
        (format!("seeds = 0\n{arm}"), "e.toml:4: seeds = 0"),
        (format!("{arm}{arm}"), "e.toml:8: arm[1].name"),
        (format!("{arm}{}", arm.replace("\"a\"", "\"b\"")), "arm `b` is the same run as `a`"),
        ("[[arm]]\nname = \"a\"\n".into(), "sets nothing"),
        ("[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"layer\" }\n".into(), "changes nothing"),
        ("[[arm]]\nname = \"a\"\nset = { \"model.norm.knd\" = \"rms\" }\n".into(), "e.toml:6"),
        ("[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rsm\" }\n".into(), "rms"),
        ("[[arm]]\nname = \"a\"\nset = { \"model.attention.heads\" = 3 }\n".into(), "model.attention.heads"),
        (format!("metric = \"valid/accuracy\"\n{arm}"), "e.toml:4: metric"),
        (format!("metrics = [\"valid/bits_per_byte@2x\"]\n{arm}"), "evaluation.context_multiples"),
        (format!("sede = 3\n{arm}"), "seeds"),
        (format!("set = {{ train = {{ seed = 3 }} }}\n{arm}"), "every arm runs with the experiment's seeds"),
    ] {
        let error = Bench::new(&experiment).refused();
        assert!(error.contains(expected), "{experiment}\n{error}");
    }
    let bench = Bench::new(arm);
    let only = bench.load_with(&Overrides { only: vec!["b".into()], ..Overrides::default() }).unwrap_err().to_string();
    assert!(only.contains("--only b") && only.contains("base, a"), "{only}");
    let seeds = bench.load_with(&Overrides { seeds: Some(0), ..Overrides::default() }).unwrap_err().to_string();
    assert!(seeds.contains("--seeds 0"), "{seeds}");
    let steps = bench.load_with(&Overrides { steps: Some(0), ..Overrides::default() }).unwrap_err().to_string();
    assert!(steps.contains("--steps 0: zero steps train nothing"), "{steps}");
    fs::remove_file(bench.folder.path().join("base.toml")).unwrap();
    let missing = bench.refused();
    assert!(missing.contains("e.toml:3: base = \"base.toml\""), "{missing}");
}

#[test]
fn the_command_line_is_a_layer_below_the_arms() {
    let bench = Bench::new("seeds = [7, 3]\n[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n");
    let overrides = Overrides {
        set: vec!["model.norm.kind=dyt".into(), "schedule.warmup=3".into(), "schedule.kind=cosine".into()],
        steps: Some(12),
        seeds: Some(1),
        only: vec![],
    };
    let experiment = bench.load_with(&overrides).unwrap();
    let kinds: Vec<String> =
        experiment.arms.iter().map(|arm| serde_json::to_value(&arm.spec.model.norm).unwrap()["kind"].to_string()).collect();
    assert_eq!(kinds, ["\"dyt\"", "\"rms\""]);
    assert_eq!(experiment.seeds, [7]);
    assert_eq!(experiment.arms[1].spec.train.steps, 12);
    let schedule = serde_json::to_value(&experiment.arms[1].spec.schedule).unwrap();
    assert_eq!(schedule["warmup"], 6, "three of six steps are six of twelve");
    let command = Plan::new(&experiment, &DeviceName::Flex, None, &[]).command;
    assert!(
        command.ends_with("--set model.norm.kind=dyt --set schedule.warmup=3 --set schedule.kind=cosine --steps 12 --seeds 1"),
        "{command}"
    );
}

#[test]
fn shipped_experiments_plan_and_say_where_they_come_from() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut names = vec![];
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let experiment = Experiment::load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        assert_eq!(experiment.config.name, name);
        assert!(experiment.config.source.is_some() && experiment.config.expected.is_some(), "{name}");
        assert!(experiment.seeds.len() >= 5, "{name}");
        let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
        let base = plan.arms[0].parameters as f64;
        for arm in &plan.arms {
            let tolerance = if experiment.config.matching.is_some() { 0.02 } else { 0.005 };
            assert!((arm.parameters as f64 / base - 1.0).abs() < tolerance, "{name}: {} has {} of {base}", arm.name, arm.parameters);
        }
        names.push(name);
    }
    names.sort();
    let shipped = [
        "data-mixture",
        "dedup",
        "feed-forward",
        "init",
        "kv-heads",
        "llama-ladder",
        "llama-leave-one-out",
        "mqar",
        "norm-placement",
        "positions",
        "quickstart",
    ];
    assert_eq!(names, shipped);
}

#[test]
fn every_tensor_but_the_norms_is_paired_in_norm_placement() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/norm-placement.toml");
    let experiment = Experiment::load(&path, &Overrides::default()).unwrap();
    let shapes =
        |arm: &Arm| -> Vec<_> { arm.spec.model.parameter_shapes().into_iter().filter(|(path, _)| !path.contains("norm")).collect() };
    for arm in &experiment.arms {
        assert_eq!(shapes(arm), shapes(&experiment.arms[0]), "{}", arm.name);
    }
}

#[test]
fn plan_prints_arms_as_json_and_trains_nothing() {
    let bench = Bench::new("[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n");
    let output = bench.ablate(&["plan", "e.toml", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let plan = json(&output);
    assert_eq!(plan.as_object().unwrap().keys().collect::<Vec<_>>(), ["arms", "effects", "left_out", "price", "runs", "reach", "warnings"]);
    let arms = plan["arms"].as_array().unwrap();
    assert_eq!(arms.iter().map(|arm| arm["name"].as_str().unwrap()).collect::<Vec<_>>(), ["base", "a"]);
    for arm in arms {
        assert!(arm["parameters"].as_u64().unwrap() > 0 && arm["flops_per_token"].as_f64().unwrap() > 0.0);
    }
    let table = String::from_utf8(bench.ablate(&["plan", "e.toml"]).stdout).unwrap();
    assert!(table.contains("model.norm.kind: layer → rms") && table.contains("unknown"), "{table}");
    assert!(!bench.folder.path().join("runs").exists());
    assert_eq!(bench.ablate(&["plan", "missing.toml"]).status.code(), Some(2));
}

/// An A/A control: the same run under two names, and two seeds. Then more seeds, a crash in the middle of a record, a
/// change of mind.
#[test]
fn an_experiment_from_start_to_post_hoc() {
    let bench = Bench::new(
        "seeds = 2\n[[arm]]\nname = \"aa\"\nset = { \"train.log_every\" = 2 }\n[[arm]]\nname = \"rms\"\nset = { \"model.norm.kind\" = \"rms\" }\n",
    );
    let first = bench.run(&["--jobs", "2"]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let summary = json(&first);
    let control = &summary["arms"][1];
    assert_eq!((&control["name"], &control["delta"], &control["p"]), (&"aa".into(), &0.0.into(), &1.0.into()));
    assert_eq!((&control["delta_ci95"], &control["verdict"]), (&serde_json::json!([0.0, 0.0]), &"no difference found".into()));
    assert_eq!(summary["post_hoc"], serde_json::json!([]));
    assert_eq!(summary["arms"][2]["seeds"], 2);
    for file in ["plan.json", "records.jsonl", "summary.json", "summary.csv", "report.html", "rms/seed-1/metrics.jsonl"] {
        assert!(bench.out().join(file).is_file(), "{file}");
    }
    let from_file: serde_json::Value = serde_json::from_slice(&fs::read(bench.out().join("summary.json")).unwrap()).unwrap();
    assert_eq!(from_file, summary);

    // Nothing is done twice, whatever the number of jobs.
    let records = fs::read_to_string(bench.out().join("records.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 6);
    assert_eq!(json(&bench.run(&["--jobs", "1"])), summary);
    assert_eq!(fs::read_to_string(bench.out().join("records.jsonl")).unwrap(), records);

    // A crash tears the last record; its run is there, and is taken as it is.
    fs::write(bench.out().join("records.jsonl"), &records[..records.len() - 30]).unwrap();
    let again = json(&bench.run(&[]));
    assert_eq!(again["arms"], summary["arms"]);

    // A rebuild from the files alone.
    let report = bench.ablate(&["report", "out"]);
    assert_eq!(report.status.code(), Some(0), "{}", String::from_utf8_lossy(&report.stderr));
    let rebuilt: serde_json::Value = serde_json::from_slice(&fs::read(bench.out().join("summary.json")).unwrap()).unwrap();
    assert_eq!(rebuilt, again);

    // More seeds after looking at the result.
    let more = json(&bench.run(&["--seeds", "3", "--only", "aa"]));
    assert_eq!(more["post_hoc"], serde_json::json!(["the seeds were [0, 1], are [0, 1, 2]"]));
    assert!(more["warnings"].to_string().contains("1 of 9 runs are missing"), "{}", more["warnings"]);
}

#[test]
fn a_run_that_diverges_is_counted_and_the_rest_goes_on() {
    let bench = Bench::new(
        "seeds = 2\nset = { \"train.gradient_clip\" = 0.0 }\n[[arm]]\nname = \"wild\"\nset = { \"optimizer.lr\" = 1.0, \"model.norm.kind\" = \"none\" }\n",
    );
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = json(&output);
    let wild = &summary["arms"][1];
    assert_eq!((&wild["diverged"], &wild["failed"], &wild["verdict"]), (&2.into(), &0.into(), &"undecided".into()));
    assert_eq!(summary["arms"][0]["seeds"], 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("wild seed 0 diverged"));
    // Diverged runs would diverge again: nothing is missing.
    let records = fs::read(bench.out().join("records.jsonl")).unwrap();
    assert_eq!(bench.run(&[]).status.code(), Some(3));
    assert_eq!(fs::read(bench.out().join("records.jsonl")).unwrap(), records);
}

#[test]
fn wrong_input_is_found_before_anything_trains() {
    let arm = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"rms\" }\n";
    let bench = Bench::new(arm);
    fs::write(bench.folder.path().join("file"), "").unwrap();
    let unwritable = bench.ablate(&["run", "e.toml", "--out", "file/out"]);
    assert_eq!(unwritable.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unwritable.stderr).contains("file/out"));
    assert_eq!(bench.run(&["--device", "cuda:99"]).status.code(), Some(2));
    fs::write(bench.folder.path().join("corpus.txt"), "").unwrap();
    assert_eq!(bench.run(&[]).status.code(), Some(2));
    assert!(!bench.out().exists(), "nothing half-written");
    assert_eq!(Bench::new(&format!("seeds = 0\n{arm}")).run(&[]).status.code(), Some(2));
}

/// Ctrl-C: exit code 130, a hint, and the same command continues.
#[cfg(unix)]
#[test]
fn an_interrupted_experiment_continues() {
    use std::{process::Stdio, time::Duration};
    let bench =
        Bench::new("seeds = 2\nset = { \"train.steps\" = 3000 }\n[[arm]]\nname = \"rms\"\nset = { \"model.norm.kind\" = \"rms\" }\n");
    let program = assert_cmd::cargo::cargo_bin("ablate");
    let child = std::process::Command::new(program)
        .args(["run", "e.toml", "--out", "out", "--json", "--jobs", "2"])
        .current_dir(bench.folder.path())
        .env("ABLATE_CACHE", bench.folder.path().join("cache"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = bench.out().join("base/seed-0/metrics.jsonl");
    for _ in 0..600 {
        if fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 20) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // SAFETY: a plain system call on a child that has not been waited for.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("the same command continues"), "{errors}");
    assert!(bench.out().join("base/seed-0/checkpoint").is_dir());
    let steps = fs::read_to_string(&metrics).unwrap().lines().count();
    assert!(steps > 20 && steps < 3000);

    let summary = json(&bench.run(&["--jobs", "2"]));
    assert_eq!(summary["arms"][0]["seeds"], 2);
    let lines = fs::read_to_string(&metrics).unwrap();
    assert_eq!(lines.lines().count(), 3000, "every step is there exactly once");
    assert_eq!(summary["warnings"].as_array().unwrap().len(), 1, "few seeds only: {}", summary["warnings"]);
}

#[test]
fn arms_on_another_path_are_flagged_before_anything_trains() {
    let norm = |kind: &str| format!("[[arm]]\nname = \"a\"\nset = {{ \"model.norm.kind\" = \"{kind}\" }}\n");
    let plan = |kind: &str| Plan::new(&Bench::new(&norm(kind)).load(), &DeviceName::Flex, None, &[]);
    let same = plan("rms");
    assert_eq!(same.warnings(), Vec::<String>::new());
    let paths: Vec<&str> = same.arms.iter().flat_map(|arm| &arm.operators).map(|row| row.path.as_str()).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| *path == "fused-flex"), "{paths:?}");
    // Dynamic tanh has no kernel, the norm in its place has.
    let warnings = plan("dyt").warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("tokens/s of a cannot be compared with base: dynamic_tanh runs composed there, because"));

    let bench = Bench::new(&norm("dyt"));
    let output = Command::cargo_bin("ablate").unwrap().arg("plan").arg(bench.file()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("warning: tokens/s of a cannot be compared") && text.contains("dynamic_tanh"), "{text}");
    let composed = Command::cargo_bin("ablate").unwrap().args(["--ops", "composed", "plan"]).arg(bench.file()).output().unwrap();
    let text = String::from_utf8(composed.stdout).unwrap();
    assert!(text.contains("operators of all arms: composed") && !text.contains("warning"), "{text}");
}

#[test]
fn records_of_versions_without_the_matrix_are_still_read() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/results");
    let mut read = 0;
    for entry in fs::read_dir(&results).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("records.jsonl").exists() && folder.join("plan.json").exists() {
            let summary = ablate::experiment::summarise(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            assert!(!summary.arms.is_empty());
            read += 1;
        }
    }
    assert!(read > 0, "no results under {}", results.display());
}
