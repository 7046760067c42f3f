//! A thousand runs on disk: what `ablate report` takes for them.

use super::{designs, example};
use ablate::{
    device::DeviceName,
    experiment::{Experiment, Overrides, Plan, PlanFile},
};
use assert_cmd::Command;
use std::{fs, path::Path, time::Instant};

const BASE: &str = r#"
[model]
layers = 2
width = 16
context = 8
norm = { kind = "layer" }
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
steps = 4000
batch = 2
"#;

const EXPERIMENT: &str = r#"
name     = "search"
question = "What do two hundred draws of learning rate and norm say?"
base     = "base.toml"
seeds    = 5
design   = { kind = "random", count = 200 } # two are the same to the digits that are drawn
[[factor]]
name  = "rate"
key   = "optimizer.lr"
min   = 1e-4
max   = 1e-2
scale = "log"
[[factor]]
name   = "norm"
key    = "model.norm.kind"
values = ["rms", "none"]
"#;

/// Plans a random design of 200 arms for real, and writes what their 1,000 runs would leave: 2,000 lines of metrics each.
pub fn write(folder: &Path) -> std::path::PathBuf {
    let text: String = (0..900).map(|i| format!("Line {i} of a text, {} words long.\n", i * i % 97)).collect();
    for (name, text) in [("base.toml", BASE), ("e.toml", EXPERIMENT), ("corpus.txt", text.as_str())] {
        fs::write(folder.join(name), text).unwrap();
    }
    let experiment = Experiment::load(&folder.join("e.toml"), &Overrides::default()).unwrap();
    let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
    assert_eq!(plan.arms.len(), 200);
    let mut summary = designs::many(200);
    summary.metric = plan.metric.clone();
    for (arm, planned) in summary.arms.iter_mut().zip(&plan.arms) {
        arm.folders = arm.folders.keys().map(|seed| (*seed, format!("{}/{seed}", planned.name))).collect();
        arm.name = planned.name.clone();
    }
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    example::write_records(&out, &summary, 4000, |arm, seed| plan.arms[arm].runs[&seed].clone());
    fs::write(out.join("plan.json"), serde_json::to_string_pretty(&PlanFile::update(None, plan, false)).unwrap()).unwrap();
    out
}

#[test]
#[ignore = "measures: ablate report of 1,000 runs, five times; --nocapture shows the seconds"]
fn thousand_runs() {
    let folder = tempfile::tempdir().unwrap();
    let out = write(folder.path());
    for _ in 0..5 {
        let start = Instant::now();
        let output = Command::cargo_bin("ablate").unwrap().arg("report").arg(&out).output().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bytes = fs::metadata(out.join("report.html")).unwrap().len();
        println!("{seconds:.2} s, report.html {bytes} bytes");
    }
    let summary = fs::read_to_string(out.join("summary.json")).unwrap();
    let summary: ablate::experiment::Summary = serde_json::from_str(&summary).unwrap();
    assert!(summary.arms.iter().all(|arm| arm.seeds == 5), "every run counts");
    if let Some(keep) = std::env::var_os("ABLATE_EXAMPLES") {
        fs::copy(out.join("report.html"), Path::new(&keep).join("search.html")).unwrap();
    }
}
