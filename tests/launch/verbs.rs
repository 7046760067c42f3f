//! `status`, `diff`, `rm`, `gc`.

use super::Bench;
use serde_json::Value;
use std::fs;

fn json(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.ablate(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn text(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.ablate(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn status_while_it_runs_and_afterwards() {
    let bench = Bench::new(1, 1500);
    let child = bench.start("out", &["--only", "layer", "--jobs", "1"]);
    bench.wait_for_steps("out/base/seed-0", 10);
    let status = json(&bench, &["status", "out", "--json"]);
    assert_eq!((&status["conducted"], status["runs"].as_array().unwrap().len()), (&true.into(), 4));
    let base = &status["runs"][0];
    assert_eq!((&base["arm"], &base["state"], &base["steps"]), (&"base".into(), &"running".into(), &1500.into()));
    assert!(base["step"].as_u64().unwrap() >= 10 && base["seconds_left"].as_f64().unwrap() > 0.0 && base["loss"].is_f64());
    assert_eq!(status["runs"][1]["state"], "waiting");
    let shown = text(&bench, &["status", "out"]);
    assert!(shown.contains("0 of 4 runs done, going on") && shown.contains("base seed 0, step"), "{shown}");
    // Watching ends with the command that is watched.
    let watched = text(&bench, &["status", "out", "--watch", "--json"]);
    assert!(watched.lines().count() >= 1);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    let shown = text(&bench, &["status", "out"]);
    assert!(shown.contains("2 of 4 runs done, nobody trains it") && shown.contains("undecided: 1 pair"), "{shown}");
    assert_eq!(bench.ablate(&["status", "nowhere"]).status.code(), Some(2));
}

#[test]
fn diff_finds_what_differs_and_where_losses_part() {
    let bench = Bench::new(2, 10);
    bench.run("out", &[], 0);
    let arms = json(&bench, &["diff", "out/base/seed-0", "out/layer/seed-0", "--json"]);
    assert!(arms["spec"].as_array().unwrap().iter().any(|change| change["key"] == "model.norm.kind"));
    assert_eq!((&arms["same_id"], &arms["same_data"], &arms["common_steps"]), (&false.into(), &true.into(), &10.into()));
    let seeds = json(&bench, &["diff", "out/base/seed-0", "out/base/seed-1", "--json"]);
    assert_eq!((&seeds["same_data"], &seeds["parted"]["step"]), (&false.into(), &1.into()));
    bench.run("again", &["--only", "layer", "--seeds", "1"], 0);
    let same = text(&bench, &["diff", "out/base/seed-0", "again/base/seed-0"]);
    assert!(same.contains("the same specification") && same.contains("equal, bit for bit, at all 10 steps"), "{same}");
    assert_eq!(bench.ablate(&["diff", "out/base/seed-0", "out"]).status.code(), Some(2));
}

#[test]
fn removed_runs_are_trained_again_and_cleaned_ones_are_not() {
    let bench = Bench::new(2, 10);
    bench.run("out", &[], 0);
    let expected = bench.outcome("out");
    let asked = text(&bench, &["rm", "out", "layer", "--seed", "1"]);
    assert!(asked.contains("layer/seed-1") && asked.contains("--yes"), "{asked}");
    assert!(bench.path("out/layer/seed-1").is_dir());
    let kept = text(&bench, &["gc", "out", "--dry-run"]);
    assert!(kept.contains("base/seed-0/checkpoint") && kept.contains("would be"), "{kept}");
    text(&bench, &["gc", "out"]);
    assert!(!bench.path("out/base/seed-0/checkpoint").exists());

    text(&bench, &["rm", "out", "layer", "--seed", "1", "--yes"]);
    assert!(!bench.path("out/layer/seed-1").exists());
    let status = json(&bench, &["status", "out", "--json"]);
    let states: Vec<&str> = status["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "waiting").count(), 1, "{states:?}");
    text(&bench, &["report", "out"]);
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    let runs = page.split("Runs</dt>").nth(1).unwrap_or(&page);
    assert!(runs.trim_start().starts_with("<dd>7</dd>"), "a removed run is told of: {}", &runs[..200.min(runs.len())]);
    bench.run("out", &[], 0);
    let lines = fs::read_to_string(bench.path("out/records.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 10, "eight runs, a removal, and one of them again");
    let kept: String = lines.lines().filter(|line| !line.contains("\"removed\"")).map(|line| format!("{line}\n")).collect();
    fs::write(bench.path("out/records.jsonl"), kept).unwrap();
    let again: Vec<_> = bench.records("out");
    assert_eq!(again.len(), 9);
    let last = again.last().unwrap();
    assert_eq!((last.arm.as_str(), last.seed, last.attempt), ("layer", 1, 1));
    let before = &expected[&("layer".to_string(), 1)].1;
    assert_eq!(&super::steps(&bench.path("out/layer/seed-1")), before, "trained again, to the same bits");
}
