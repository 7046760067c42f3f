//! Runs on several devices: threads, and processes that find each other.

use super::{Bench, SMALL, write_corpus};
use ablate::{
    device::DeviceName,
    train::{Outcome, RunResult},
};
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A model that draws no noise by micro-batch, on `more`.
fn devices(count: usize, more: &[&str]) -> Vec<String> {
    let mut set = vec![format!("parallel.devices={count}"), "train.checkpoint_every=4".into()];
    set.extend(more.iter().map(ToString::to_string));
    set
}

fn spec(bench: &Bench, set: &[String]) -> ablate::train::RunSpec {
    bench.spec(&set.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Largest relative difference of a column.
fn apart(bench: &Bench, a: &str, b: &str, key: &str) -> f64 {
    let (a, b) = (bench.column(a, key), bench.column(b, key));
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max)
}

#[test]
fn the_number_of_devices_changes_rounding_alone() {
    let bench = Bench::new();
    let one = bench.run(&bench.spec(&["train.checkpoint_every=4"]), "1").unwrap();
    for (count, tensor, sharded) in [(2, 1, "parameters"), (4, 1, "gradients"), (2, 2, "nothing"), (8, 2, "parameters")] {
        let name = if tensor == 1 { count.to_string() } else { format!("{count}-{tensor}") };
        let more = [format!("parallel.tensor={tensor}"), format!("parallel.sharded=\"{sharded}\"")];
        let more = [more[0].as_str(), &more[1]];
        let result = bench.run(&spec(&bench, &devices(count, &more)), &name).unwrap();
        assert_eq!((result.outcome, &result.id, &result.data_hash), (Outcome::Finished, &one.id, &one.data_hash));
        assert_eq!(result.noise, one.noise);
        for key in ["loss", "gradient_norm"] {
            assert!(apart(&bench, "1", &name, key) < 1e-4, "{count} {key}: {}", apart(&bench, "1", &name, key));
        }
        let parallel = result.parallel.expect("what it took is told");
        assert_eq!((parallel.devices, parallel.tensor), (count, tensor));
        assert!(parallel.bytes_per_step > 0 && parallel.hidden().is_some_and(|hidden| (0.0..=1.0).contains(&hidden)), "{parallel:?}");
        assert!(bench.path(&name).join("trace.json").exists());
    }
    assert_eq!(one.parallel, None);
    // As many devices as micro-batches: the same additions in the same order.
    let micro = bench.spec(&["train.accumulation=4", "train.checkpoint_every=4"]);
    bench.run(&micro, "micro").unwrap();
    assert_eq!(bench.parameters("micro"), bench.parameters("4"));
}

#[test]
fn a_checkpoint_of_some_devices_goes_on_with_any_other_number() {
    let bench = Bench::new();
    let kinds = ["{ kind = \"adamw\", lr = 0.003 }", "{ kind = \"muon\", lr = 0.003 }"];
    for (index, kind) in kinds.iter().enumerate() {
        let optimizer = format!("optimizer={kind}");
        // Long enough to be stopped amid them on a machine that has other things to do.
        let of = |count: usize, sharded: &str| {
            spec(&bench, &devices(count, &[&format!("parallel.sharded=\"{sharded}\""), &optimizer, "train.steps=60"]))
        };
        let name = |text: &str| format!("{text}-{index}");
        // The same number: the same bits, however it is sharded.
        bench.run(&of(2, "nothing"), &name("whole")).unwrap();
        assert_eq!(bench.stopped(&of(2, "moments"), &name("same"), 6).unwrap().outcome, Outcome::Interrupted);
        assert_eq!(bench.stopped(&of(2, "gradients"), &name("same"), 12).unwrap().outcome, Outcome::Interrupted);
        let result = bench.run(&of(2, "parameters"), &name("same")).unwrap();
        assert_eq!(result.outcome, Outcome::Finished);
        assert_eq!(bench.parameters(&name("same")), bench.parameters(&name("whole")), "{kind}");
        // Others: the same losses.
        for (from, to) in [(2, 4), (4, 1), (1, 2)] {
            let parts = name(&format!("{from}-{to}"));
            assert_eq!(bench.stopped(&of(from, "moments"), &parts, 6).unwrap().outcome, Outcome::Interrupted);
            assert_eq!(bench.run(&of(to, "gradients"), &parts).unwrap().outcome, Outcome::Finished);
            assert!(apart(&bench, &parts, &name("whole"), "loss") < 1e-3, "{kind} {from} {to}");
        }
    }
    // Layers that are divided, or not any more.
    let of = |count: usize, tensor: usize, sharded: &str| {
        let more = [format!("parallel.tensor={tensor}"), format!("parallel.sharded=\"{sharded}\"")];
        spec(&bench, &devices(count, &[&more[0], &more[1], &format!("optimizer={}", kinds[0]), "train.steps=60"]))
    };
    bench.run(&of(4, 2, "nothing"), "divided").unwrap();
    assert_eq!(bench.stopped(&of(4, 2, "moments"), "divided-same", 6).unwrap().outcome, Outcome::Interrupted);
    assert_eq!(bench.run(&of(4, 2, "parameters"), "divided-same").unwrap().outcome, Outcome::Finished);
    assert_eq!(bench.parameters("divided-same"), bench.parameters("divided"));
    for (from, to) in [((1, 1), (2, 2)), ((2, 2), (1, 1)), ((4, 2), (2, 1))] {
        let parts = format!("divided-{}-{}", from.0, to.0);
        assert_eq!(bench.stopped(&of(from.0, from.1, "moments"), &parts, 6).unwrap().outcome, Outcome::Interrupted);
        assert_eq!(bench.run(&of(to.0, to.1, "gradients"), &parts).unwrap().outcome, Outcome::Finished);
        assert!(apart(&bench, &parts, "whole-0", "loss") < 1e-3, "{from:?} {to:?}: {}", apart(&bench, &parts, "whole-0", "loss"));
    }
}

#[test]
fn what_cannot_be_divided_is_refused() {
    let bench = Bench::new();
    let refused = |set: &[&str]| {
        let document = super::document(bench.folder.path(), set);
        let config: ablate::train::RunConfig = document.parse().unwrap();
        config.resolve().unwrap_err().into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        refused(&["parallel.devices=3"]),
        ["parallel.devices: 3 must divide the 4 rows of a micro-batch (train.batch / train.accumulation)"]
    );
    assert_eq!(refused(&["parallel={ devices = 0, bucket_megabytes = 0, timeout_seconds = 0 }"]).len(), 3);
    assert!(refused(&["parallel.link={ megabytes_per_second = 0 }"])[0].starts_with("parallel.link.megabytes_per_second"));
    assert_eq!(refused(&["parallel={ devices = 3, tensor = 2 }"]), ["parallel.tensor: 2 must divide the 3 devices (parallel.devices)"]);
    let named = |set: &[&str]| refused(&[&["parallel={ devices = 2, tensor = 2 }"], set].concat());
    for (set, what) in [
        (vec!["model.attention.kv_heads=1"], "1 heads of keys cannot be divided by 2"),
        (vec!["model.feed_forward.hidden=25"], "25 hidden channels cannot be divided by 2"),
        (vec!["model.context=15"], "15 tokens of a sequence cannot be divided by 2"),
        (vec!["model.attention.qk_norm={ kind = \"full_width\" }"], "a norm over all heads (model.attention.qk_norm) cannot be divided"),
        (vec!["optimizer={ kind = \"muon\", lr = 0.01 }"], "a matrix that the optimizer muon updates as a whole cannot be divided"),
        (
            vec!["optimizer={ kind = \"adafactor\", lr = 0.01 }"],
            "a matrix that the optimizer adafactor updates as a whole cannot be divided",
        ),
    ] {
        assert_eq!(named(&set), [format!("parallel.tensor: {what}")]);
    }
}

#[test]
fn all_devices_evaluate_and_find_the_bits_of_one() {
    let bench = Bench::new();
    let text = |more: &[&str]| spec(&bench, &devices(4, more));
    let task = "data.corpus = { kind = \"synthetic\", task = { kind = \"induction\" }, validation = 50 }
        model = { layers = 2, width = 16, context = 16, attention = { heads = 2 } }
        optimizer = { kind = \"adamw\", lr = 0.003 }
        train = { steps = 10, batch = 4 }
        evaluation = { every = 7, batch = 3 }
        parallel = { devices = 4 }";
    let config: ablate::train::RunConfig = ablate::settings::Document::from_text("task.toml", task).unwrap().parse().unwrap();
    let task = config.resolve().unwrap();
    let instances = ablate::data::Dataset::prepare(&task.data, &bench.folder.path().join("cache"), &|_, _, _| {}).unwrap();
    let longer = ["evaluation={ every = 7, batch = 3, context_multiples = [1, 2] }"];
    for (name, spec, data) in [
        ("text", text(&longer), &bench.data),
        ("divided", text(&["parallel.tensor=2"]), &bench.data),
        ("sharded", text(&["parallel.sharded=\"parameters\""]), &bench.data),
        ("task", task, &instances),
    ] {
        let result = ablate::train::run(&spec, data, &bench.path(name), &DeviceName::Flex, &mut |_| {}).unwrap();
        let (_, model) = ablate::train::load_model(&bench.path(name), Default::default(), &DeviceName::Flex).unwrap();
        let alone = ablate::eval::evaluate(&model, data, &spec.examined());
        assert!(!alone.0.is_empty(), "{name}");
        assert_eq!(alone.0, result.metrics, "{name}");
    }
}

/// Processes of one run, as a launcher starts them.
struct Ranks {
    folder: tempfile::TempDir,
    count: usize,
    set: Vec<String>,
}

impl Ranks {
    fn new(count: usize, set: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_corpus(folder.path());
        let corpus = "data.corpus = { kind = \"text\", paths = [\"corpus.txt\"] }\ndata.validation_bytes = 2000\n";
        std::fs::write(folder.path().join("small.toml"), format!("{corpus}{SMALL}")).unwrap();
        // The text is cut into tokens once, not by all at the same time.
        let set = set.iter().flat_map(|key| ["--set".to_string(), key.to_string()]).collect();
        let ranks = Self { folder, count, set: vec![] };
        ranks.start("prepared", 1, &["--steps", "1"]).into_iter().for_each(|mut rank| assert!(rank.wait().unwrap().success()));
        Self { set, ..ranks }
    }

    /// Starts a process for each rank.
    fn start(&self, out: &str, count: usize, more: &[&str]) -> Vec<Child> {
        self.start_each(out, count, |_| more.iter().map(ToString::to_string).collect())
    }

    /// Starts a process for each rank, with something of its own.
    fn start_each(&self, out: &str, count: usize, more: impl Fn(usize) -> Vec<String>) -> Vec<Child> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let start = |rank: usize| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
            command.current_dir(self.folder.path()).env("ABLATE_CACHE", self.folder.path().join("cache")).stdin(Stdio::null());
            command.args(["train", "small.toml", "--distributed", "--out", out]).args(&self.set).args(more(rank));
            command.env("RANK", rank.to_string()).env("WORLD_SIZE", count.to_string());
            command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        (0..count).map(start).collect()
    }

    fn result(&self, out: &str) -> RunResult {
        serde_json::from_slice(&std::fs::read(self.path(out).join("result.json")).unwrap()).unwrap()
    }

    fn path(&self, out: &str) -> std::path::PathBuf {
        self.folder.path().join(out)
    }

    /// Runs to the end.
    fn finish(&self, out: &str) {
        for (rank, child) in self.start(out, self.count, &[]).into_iter().enumerate() {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "rank {rank}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

fn model(folder: &Path) -> Vec<(String, Vec<u32>)> {
    let (_, model) = ablate::train::load_model(folder, Default::default(), &DeviceName::Flex).unwrap();
    super::runs::bits(&model)
}

/// Waits for all, at most so long; those that are still there are killed, and counted.
fn all_end(ranks: &mut [Child], patience: Duration) -> usize {
    let until = Instant::now() + patience;
    let mut left = 0;
    for rank in ranks {
        while rank.try_wait().unwrap().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        if rank.try_wait().unwrap().is_none() {
            left += 1;
            rank.kill().unwrap();
            rank.wait().unwrap();
        }
    }
    left
}

#[test]
fn processes_that_divide_layers_give_the_bits_of_threads() {
    let ranks = Ranks::new(4, &["parallel.tensor=2", "parallel.sharded=\"moments\""]);
    ranks.finish("processes");
    let output = Command::new(env!("CARGO_BIN_EXE_ablate"))
        .current_dir(ranks.folder.path())
        .env("ABLATE_CACHE", ranks.folder.path().join("cache"))
        .args(["train", "small.toml", "--devices", "4", "--tensor", "2", "--out", "threads"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("on 4 devices, layers divided by 2"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(model(&ranks.path("processes")), model(&ranks.path("threads")));
    assert_eq!(ranks.result("processes").metrics, ranks.result("threads").metrics);
}

#[test]
fn processes_give_the_bits_of_threads() {
    let ranks = Ranks::new(2, &["parallel.sharded=\"gradients\""]);
    ranks.finish("processes");
    let output = Command::new(env!("CARGO_BIN_EXE_ablate"))
        .current_dir(ranks.folder.path())
        .env("ABLATE_CACHE", ranks.folder.path().join("cache"))
        .args([
            "train",
            "small.toml",
            "--devices",
            "2",
            "--out",
            "threads",
            "--trace",
            "trace.json",
            "--set",
            "parallel.sharded=\"gradients\"",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(model(&ranks.path("processes")), model(&ranks.path("threads")));
    assert_eq!(ranks.result("processes").metrics, ranks.result("threads").metrics);
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(ranks.path("trace.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|event| event["name"] == "layers.1" && event["tid"] == 0), "{trace}");
    assert!(events.iter().any(|event| event["tid"] == 1 && event["dur"].is_number()), "{trace}");
    // One that is over is not repeated, and nobody waits.
    ranks.finish("processes");
}

/// How often a rank is killed: more often where there is time.
fn kills() -> usize {
    std::env::var("ABLATE_TEST_KILLS").ok().map_or(4, |kills| kills.parse().expect("ABLATE_TEST_KILLS is a number"))
}

#[test]
#[cfg(unix)]
fn a_rank_that_is_killed_ends_the_run_and_it_continues_to_the_same_bits() {
    kill_ranks("sharded = \"moments\"", kills());
}

#[test]
#[cfg(unix)]
fn a_neighbour_that_is_killed_ends_the_run_and_it_continues_to_the_same_bits() {
    kill_ranks("tensor = 2", kills());
}

/// Kills ranks of runs at moments of all kinds.
#[cfg(unix)]
fn kill_ranks(parallel: &str, kills: usize) {
    let ranks = Ranks::new(2, &["train.checkpoint_every=5", &format!("parallel={{ {parallel}, timeout_seconds = 20 }}")]);
    ranks.finish("whole");
    let started = Instant::now();
    ranks.finish("timed");
    let whole = started.elapsed();
    for kill in 0..kills {
        let out = format!("killed-{}", kill / 4);
        let mut children = ranks.start(&out, 2, &[]);
        // At any moment, by a fixed rule.
        std::thread::sleep(whole.mul_f64(((kill * 37 + 11) % 100) as f64 / 100.0));
        let victim = kill % 2;
        children[victim].kill().unwrap();
        assert_eq!(all_end(&mut children, Duration::from_secs(30)), 0, "somebody waits for the dead one");
        let finished = ranks.path(&out).join("result.json").exists() && ranks.result(&out).outcome == Outcome::Finished;
        for (rank, child) in children.into_iter().enumerate().filter(|(rank, _)| *rank != victim) {
            let output = child.wait_with_output().unwrap();
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            // One whose leader was killed behind the last step has done all that it had to.
            let done = finished || rank > 0 && output.status.success();
            assert!(done || output.status.code() == Some(3), "rank {rank}: {said}");
            assert!(done || said.contains("rank ") || said.contains("ranks did not come in time"), "rank {rank}: {said}");
        }
    }
    for run in 0..kills.div_ceil(4) {
        let out = format!("killed-{run}");
        ranks.finish(&out);
        assert_eq!(ranks.result(&out).outcome, Outcome::Finished);
        assert_eq!(model(&ranks.path(&out)), model(&ranks.path("whole")), "{out}");
    }
}

#[test]
#[cfg(unix)]
fn a_rank_that_hangs_is_missed_in_time() {
    for (count, tensor, victim, watched) in [(2, 1, 0, 1), (2, 1, 1, 0), (4, 2, 3, 0)] {
        let ranks = Ranks::new(count, &["parallel.timeout_seconds=8", &format!("parallel.tensor={tensor}")]);
        let out = format!("hangs-{victim}");
        let mut children = ranks.start(&out, count, &["--steps", "4000"]);
        let metrics = ranks.path(&out).join("metrics.jsonl");
        let until = Instant::now() + Duration::from_secs(60);
        while std::fs::metadata(&metrics).map_or(0, |found| found.len()) < 2000 {
            assert!(Instant::now() < until, "no steps are taken");
            std::thread::sleep(Duration::from_millis(5));
        }
        // SAFETY: a plain system call on a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(children[victim].id() as libc::pid_t, libc::SIGSTOP) }, 0);
        let mut stopped = children.remove(victim);
        assert_eq!(all_end(&mut children, Duration::from_secs(60)), 0);
        let output = children.remove(watched - usize::from(watched > victim)).wait_with_output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(&format!("rank {victim} has not answered for 8 s")), "{said}");
        stopped.kill().unwrap();
        stopped.wait().unwrap();
    }
}

#[test]
fn who_is_started_alone_or_with_other_settings_is_told() {
    let ranks = Ranks::new(2, &["parallel.timeout_seconds=1"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
    command.current_dir(ranks.folder.path()).env("ABLATE_CACHE", ranks.folder.path().join("cache"));
    for name in ["RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"] {
        command.env_remove(name);
    }
    let output = command.args(["train", "small.toml", "--distributed", "--out", "x"]).args(&ranks.set).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("RANK and WORLD_SIZE"), "{said}");
    command.env("RANK", "0").env("WORLD_SIZE", "2").env("MASTER_PORT", "0");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 of 2 ranks did not come in time") && output.status.code() == Some(3), "{said}");
    assert!(!ranks.path("x").exists());
    let own = |rank: usize| vec!["--set".to_string(), format!("parallel.bucket_megabytes={}", 1 + rank)];
    for (rank, child) in Ranks::new(2, &[]).start_each("other", 2, own).into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.code() == Some(3) && said.contains("another configuration than the first rank"), "rank {rank}: {said}");
    }
}

#[test]
fn a_divergence_and_a_run_that_is_over_end_for_all() {
    let ranks = Ranks::new(
        2,
        &[
            "optimizer={ kind = \"sgd\", lr = 1.0, momentum = 0.99 }",
            "train.gradient_clip=0",
            "train.steps=500",
            "schedule.warmup=0",
            "model.init.std=0.5",
            "parallel.sharded=\"gradients\"",
        ],
    );
    // Once, and again when it is over.
    for _ in 0..2 {
        let codes = ranks.start("diverges", 2, &[]).into_iter().map(|child| child.wait_with_output().unwrap().status.code());
        assert_eq!(codes.collect::<Vec<_>>(), [Some(3), Some(0)]);
    }
    assert_eq!(ranks.result("diverges").outcome, Outcome::Diverged);
}

#[test]
fn probes_see_all_parameters_wherever_they_are() {
    let bench = Bench::new();
    for (name, more) in
        [("nothing", "parallel.sharded=\"nothing\""), ("parameters", "parallel.sharded=\"parameters\""), ("divided", "parallel.tensor=2")]
    {
        let set = devices(2, &[more, "probe={ every = 5, batch = 2 }", "train.accumulation=2", "train.activations=\"recompute\""]);
        assert_eq!(bench.run(&spec(&bench, &set), name).unwrap().outcome, Outcome::Finished);
    }
    let probes = |name: &str| std::fs::read_to_string(bench.path(name).join("probes.jsonl")).unwrap();
    assert_eq!(probes("nothing"), probes("parameters"));
    assert!(probes("nothing").contains("relative_update_rms"));
    assert_eq!(probes("divided").lines().count(), probes("nothing").lines().count());
    assert!(apart(&bench, "divided", "nothing", "loss") < 1e-4);
    assert_eq!(bench.parameters("nothing"), bench.parameters("parameters"));
}

/// `torchrun` keeps a store of its own at the port that it names.
#[test]
fn torchrun_starts_ranks_that_find_each_other() {
    let Some(python) = std::env::var_os("ABLATE_TRANSFORMERS_PYTHON") else {
        eprintln!("skipped: set ABLATE_TRANSFORMERS_PYTHON to a Python that has torch");
        return;
    };
    let ranks = Ranks::new(2, &[]);
    ranks.finish("alone");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let output = Command::new(python)
        .args(["-m", "torch.distributed.run", "--no-python", "--nproc-per-node", "2", "--master-port", &port])
        .args([env!("CARGO_BIN_EXE_ablate"), "train", "small.toml", "--distributed", "--out", "torchrun"])
        .current_dir(ranks.folder.path())
        .env("ABLATE_CACHE", ranks.folder.path().join("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(model(&ranks.path("torchrun")), model(&ranks.path("alone")));
}
