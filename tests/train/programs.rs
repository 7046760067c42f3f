//! The verbs that train, sample and measure, as programs.

use super::{SMALL, write_corpus};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

fn ablate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
    command.current_dir(folder).env("ABLATE_CACHE", folder.join("cache")).stdin(Stdio::null());
    command
}

fn small(folder: &Path) {
    write_corpus(folder);
    let corpus = "data.corpus = { kind = \"text\", paths = [\"corpus.txt\"] }\ndata.validation_bytes = 2000\n";
    std::fs::write(folder.join("small.toml"), format!("{corpus}{SMALL}")).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn train_then_generate() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let train = |more: &[&str]| ablate(folder.path()).args(["train", "small.toml", "--steps", "10"]).args(more).output().unwrap();
    let result: Value = serde_json::from_str(&done(&train(&["--json"]))).unwrap();
    assert_eq!((&result["outcome"], &result["steps"]), (&"finished".into(), &10.into()));
    assert!(folder.path().join("runs/small/checkpoint/COMMIT").exists());
    assert!(folder.path().join("cache/calibration.json").exists());
    assert!(done(&train(&[])).contains("finished 10 steps"));

    let generate = |more: &[&str]| {
        let arguments = ["generate", "runs/small", "--prompt", "the model", "--tokens", "20"];
        ablate(folder.path()).args(arguments).args(more).output().unwrap()
    };
    let sample = done(&generate(&[]));
    assert!(sample.starts_with("the model"), "{sample}");
    assert_eq!(sample, done(&generate(&[])), "the same seed draws the same text");
    assert_ne!(sample, done(&generate(&["--seed", "1"])));

    let model = folder.path().join("runs/small/checkpoint/model.bpk");
    let whole = std::fs::read(&model).unwrap();
    std::fs::write(&model, &whole[..100]).unwrap();
    let broken = generate(&[]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).contains("damaged"), "{}", text(&broken.stderr));
}

#[test]
fn wrong_input_ends_with_exit_code_2_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let mut cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["train", "missing.toml"], "missing.toml"),
        (vec!["train", "small.toml", "--set", "train.accumulation=3"], "train.accumulation"),
        (vec!["train", "small.toml", "--set", "optimizer.lr=2"], "optimizer.lr"),
        (vec!["train", "small.toml", "--set", "model.context=100000"], "context"),
        (vec!["train", "small.toml", "--out", "small.toml/run"], "small.toml"),
        (vec!["train", "small.toml", "--device", "gpu"], "--device"),
        (vec!["generate", "nowhere", "--prompt", "x"], "nowhere"),
        (vec!["bench", "step", "--config", "small.toml"], "model.vocab"),
    ];
    if !cfg!(feature = "cuda") {
        cases.push((vec!["train", "small.toml", "--device", "cuda"], "--features cuda"));
    }
    for (arguments, expected) in cases {
        let output = ablate(folder.path()).args(&arguments).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected) && !message.contains("panicked"), "{arguments:?}: {message}");
        assert!(!folder.path().join("runs").exists(), "{arguments:?}");
    }
}

#[test]
fn bench_prints_its_measurements_as_json() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/bench-tiny.toml");
    let folder = tempfile::tempdir().unwrap();
    let mut command = ablate(folder.path());
    command.args(["bench", "step", "--steps", "2", "--json", "--set", "model.layers=1", "--set", "train.batch=2", "--config"]);
    let output: Value = serde_json::from_str(&done(&command.arg(config).output().unwrap())).unwrap();
    assert_eq!(output["path"], "fused-flex");
    let ms = |key: &str| output["ms_per_step"][key].as_f64().unwrap();
    assert!(ms("min") > 0.0 && ms("min") <= ms("median"));
    assert!(ms("forward") + ms("backward") + ms("optimizer") <= 1.5 * ms("median"));
    assert!((output["tokens_per_second"].as_f64().unwrap() * ms("median") / 1e3 - 256.0).abs() < 1e-6);
    assert_eq!(output["peak_rss_bytes"].as_u64().unwrap() > 1 << 20, cfg!(unix));
}

/// The shapes that published measurements are made at.
#[test]
fn bench_shapes_are_what_they_say() {
    for (name, shape, ffn, batch) in
        [("tiny", [128, 4, 4, 512, 128], 344, 16), ("small", [256, 6, 8, 4096, 256], 688, 8), ("base", [384, 6, 6, 8192, 256], 1024, 8)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/bench-{name}.toml"));
        let config: ablate::train::RunConfig = ablate::settings::Document::load(&path).unwrap().parse().unwrap();
        let model = ablate::train::bench::model(&config).unwrap();
        assert_eq!([model.width, model.layers, model.attention.heads, model.vocab, model.context], shape);
        assert_eq!((model.feed_forward.hidden, config.train.batch, model.embedding.tied), (ffn, batch, false));
    }
}

/// The short variant; the long one compares steps 200 and 2,000. What may be added is what a small process touches late:
/// pages of code, stacks of threads. A fault of a page per step would be 2 MiB.
#[test]
#[cfg(target_os = "linux")]
fn resident_memory_does_not_grow_with_steps() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    // More text than the steps can read: what of it has been read must not stay.
    let corpus = folder.path().join("corpus.txt");
    std::fs::write(&corpus, std::fs::read_to_string(&corpus).unwrap().repeat(150)).unwrap();
    let spec = super::spec(folder.path(), &["train.steps=700", "evaluation.every=100"]);
    std::fs::write(folder.path().join("spec.toml"), toml::to_string(&spec).unwrap()).unwrap();
    let mut command = ablate(folder.path());
    command.args(["worker", "--spec", "spec.toml", "--out", "run"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let resident = |pid: u32| -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let mut sizes = vec![];
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // Between steps that take long there are mere signs of life.
        let Ok(tick) = serde_json::from_str::<ablate::train::Tick>(&line.unwrap()) else { continue };
        if tick.step == 200 || tick.step == 690 {
            sizes.push(resident(child.id()));
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(sizes.len(), 2);
    assert!(sizes[1] <= 1.02 * sizes[0] + 1024.0, "{sizes:?} KiB");
}

/// What schedulers send before they take a machine away.
#[test]
#[cfg(unix)]
fn signals_end_a_run_in_order_and_it_continues_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let spec = super::spec(folder.path(), &["train.steps=400"]);
    std::fs::write(folder.path().join("spec.toml"), toml::to_string(&spec).unwrap()).unwrap();
    let worker = |out: &str| {
        let mut command = ablate(folder.path());
        command.args(["worker", "--spec", "spec.toml", "--out", out]).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    let result = |out: &str| -> ablate::train::RunResult {
        serde_json::from_slice(&std::fs::read(folder.path().join(out).join("result.json")).unwrap()).unwrap()
    };
    assert!(worker("whole").wait_with_output().unwrap().status.success());
    for (out, number) in [("term", libc::SIGTERM), ("usr1", libc::SIGUSR1)] {
        let mut child = worker(out);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        // SAFETY: a plain system call on a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, number) }, 0);
        lines.for_each(drop);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{out}");
        let stopped = result(out);
        assert_eq!(stopped.outcome, ablate::train::Outcome::Interrupted);
        assert!(stopped.steps < 400, "{}", stopped.steps);
        assert!(worker(out).wait_with_output().unwrap().status.success());
        let (parts, whole) = (result(out), result("whole"));
        assert_eq!((parts.metrics, parts.data_hash), (whole.metrics, whole.data_hash), "{out}");
    }
}
