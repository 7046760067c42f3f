//! Exports read back by the programs they are for.
//!
//! `ABLATE_TRACKERS_PYTHON` names a Python that has them (`.ci/full` installs one); else `python3` is asked, and what it
//! has not is skipped with a message.

use ablate::{
    report::{Format, track},
    train::RunConfig,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A run of its own that finished: 40 steps, one of them evaluated.
fn run(folder: &Path) -> PathBuf {
    let run = folder.join("tiny");
    fs::create_dir(&run).unwrap();
    let spec = RunConfig::default().resolve().unwrap();
    fs::write(run.join("spec.toml"), toml::to_string(&spec).unwrap()).unwrap();
    let score = |step| if step == 40 { ",\"valid/bits_per_byte\":2.25" } else { "" };
    let line = |step| format!("{{\"step\":{step},\"loss\":{:?},\"step_ms\":500.0{}}}\n", 8.0 / f64::from(step), score(step));
    fs::write(run.join("metrics.jsonl"), (1..=40).map(line).collect::<String>()).unwrap();
    fs::write(run.join("result.json"), "{\"outcome\":\"finished\"}").unwrap();
    run
}

/// Runs a script of `tests/report/` on an export; none, with a message, where Python has not that module.
fn python(module: &str, script: &str, export: &Path) -> Option<serde_json::Value> {
    let named = std::env::var_os("ABLATE_TRACKERS_PYTHON");
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output().is_ok_and(|output| output.status.success());
    if !has {
        assert!(named.is_none(), "{} has no {module}", python.display());
        eprintln!("skipped: python3 has no {module}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(script);
    let output = Command::new(&python).arg(script).arg(export).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn tensorboard_reads_its_event_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path());
    let tracked = track(&run, Format::TensorBoard, None).unwrap();
    assert!((tracked.runs, tracked.goes_on) == (1, false));
    let Some(read) = python("tensorboard", "tensorboard.py", &tracked.path) else { return };
    let read = &read["tiny"];
    let losses: Vec<(u64, f64)> = serde_json::from_value(read["scalars"]["loss"].clone()).unwrap();
    let expected: Vec<(u64, f64)> = (1..=40).map(|step| (step, f64::from(8.0f32 / step as f32))).collect();
    assert_eq!(losses, expected);
    assert_eq!(read["scalars"]["valid/bits_per_byte"], serde_json::json!([[40, 2.25]]));
    let elapsed = read["last"].as_f64().unwrap() - read["first"].as_f64().unwrap();
    assert!((elapsed - 19.5).abs() < 1e-3, "39 steps of half a second: {elapsed}");
    let (settings, status) = (&read["settings"], &read["status"]);
    assert_eq!((&settings["arm"], &settings["train.steps"]), (&"tiny".into(), &serde_json::json!(spec_steps(&run))));
    assert_eq!(status, "STATUS_SUCCESS");
}

fn spec_steps(run: &Path) -> f64 {
    let spec: toml::Table = toml::from_str(&fs::read_to_string(run.join("spec.toml")).unwrap()).unwrap();
    spec["train"]["steps"].as_integer().unwrap() as f64
}
