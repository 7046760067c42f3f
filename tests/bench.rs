//! What the benchmarks print, each in a process of its own, whose memory nothing else uses.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The lines of JSON that `ablate bench …` prints.
fn bench(arguments: &[&str]) -> Vec<serde_json::Value> {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
    command.env("ABLATE_CACHE", cache.path()).stdin(Stdio::null()).arg("bench").args(arguments).arg("--json");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Four times the sequence takes about four times the memory; with a matrix of scores it would take sixteen times.
#[cfg(target_os = "linux")]
#[test]
fn memory_of_attention_grows_as_its_sequence() {
    let lines = bench(&["attention", "--heads", "1", "--seq", "2048,8192", "--rounds", "1"]);
    let peak = |line: usize| lines[line]["peak_bytes"].as_u64().unwrap();
    let scores = 4 * 8192 * 8192;
    assert!(peak(1) < scores, "{} bytes, a matrix of scores has {scores}", peak(1));
    assert!(peak(1) < 8 * peak(0), "{} and {} bytes", peak(0), peak(1));
}

#[test]
fn a_window_leaves_pairs_that_grow_as_the_sequence() {
    let lines = bench(&["attention", "--heads", "1", "--head-dim", "16", "--seq", "256,512", "--window", "64", "--pass", "forward"]);
    let pairs: Vec<u64> = lines.iter().map(|line| line["pairs"].as_u64().unwrap()).collect();
    assert_eq!(pairs, [256 * 64 - 64 * 63 / 2, 512 * 64 - 64 * 63 / 2]);
}

#[test]
fn parts_of_a_profile_are_the_whole_step() {
    let config = file("configs/bench-tiny.toml");
    let mut arguments = vec!["step", "--config", config.to_str().unwrap(), "--steps", "2", "--profile"];
    for set in ["model.layers=1", "model.context=16", "train.batch=2"] {
        arguments.extend(["--set", set]);
    }
    let measured = bench(&arguments).remove(0);
    let parts = measured["profile"]["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
    for name in ["matrix products", "attention", "norms", "activations", "rotary", "loss", "optimizer", "embedding", "outside kernels"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let shares: f64 = parts.iter().map(|part| part["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    assert!(parts.iter().all(|part| part["ms"].as_f64().unwrap() >= 0.0), "{parts:?}");
    assert!(measured["peak_flops_per_second"].as_f64().unwrap() > 0.0);
}

/// The peer of the training step is the model of the configurations.
#[test]
fn shapes_of_the_peer_are_those_of_the_configurations() {
    let peer = fs::read_to_string(file("benches/peers/torch_step.py")).unwrap();
    let mut found = 0;
    for line in peer.lines() {
        let Some((name, shape)) = line.trim().strip_prefix('"').and_then(|line| line.split_once("\": Shape(")) else { continue };
        let shape = shape.trim_end_matches(&[')', ','][..]);
        let (numbers, tied) = shape.split_once(", tied=").map_or((shape, "False"), |(numbers, tied)| (numbers, tied));
        let numbers: Vec<i64> = numbers.split(", ").map(|number| number.parse().unwrap()).collect();
        let config: toml::Table = fs::read_to_string(file(&format!("configs/bench-{name}.toml"))).unwrap().parse().unwrap();
        let model = &config["model"];
        let number = |value: &toml::Value| value.as_integer().unwrap();
        let heads = &model["attention"]["heads"];
        let expected = [
            &model["width"],
            &model["layers"],
            heads,
            model["attention"].get("kv_heads").unwrap_or(heads),
            &model["feed_forward"]["hidden"],
            &model["vocab"],
            &model["context"],
            &config["train"]["batch"],
        ];
        assert_eq!(numbers, expected.map(number), "{name}");
        let tie = model.get("embedding").and_then(|embedding| embedding["tied"].as_bool()).unwrap_or(false);
        assert_eq!(tied == "True", tie, "{name}");
        found += 1;
    }
    assert_eq!(found, 6);
}
