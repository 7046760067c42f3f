//! The launcher for SLURM against a real one, started on this machine by `cluster.sh`. Skipped with a message where SLURM or
//! munge are not installed, or the user may not start a node; `.ci/full` installs and runs it.

use super::{Bench, assert_same, wait};
use ablate::experiment::Stage;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// A cluster of this machine alone; it ends with the value.
struct Cluster(tempfile::TempDir);

impl Cluster {
    /// None where there is no SLURM, or nobody asked for minutes with one: `.ci/full` does.
    fn start() -> Option<Self> {
        if std::env::var_os("ABLATE_TEST_SLURM").is_none() {
            eprintln!("skipped: set ABLATE_TEST_SLURM=1 to start a SLURM of this machine's own");
            return None;
        }
        let cluster = Self(tempfile::tempdir().unwrap());
        let output = cluster.script("start");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) {
            eprintln!("skipped: {}", said.trim());
            return None;
        }
        assert!(output.status.success(), "{said}");
        Some(cluster)
    }

    fn script(&self, verb: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launch/cluster.sh");
        // Daemons keep what they inherit: their output must not be a pipe that somebody reads to its end.
        let said = self.0.path().join("said.txt");
        let file = fs::File::create(&said).unwrap();
        let status = Command::new(script).arg(verb).arg(self.0.path()).stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        Output { status, stdout: vec![], stderr: fs::read(said).unwrap_or_default() }
    }

    /// Asks until SLURM does it: it says no while a task is on its way from one state to the next.
    fn ask(&self, program: &str, arguments: &[&str]) {
        let mut said = String::new();
        for _ in 0..50 {
            let output = Command::new(program).args(arguments).env("SLURM_CONF", self.0.path().join("slurm.conf")).output().unwrap();
            if output.status.success() {
                return;
            }
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{program} {arguments:?}: {said}");
    }

    fn ablate(&self, bench: &Bench, arguments: &[&str]) -> Output {
        let output = bench.command(arguments).env("SLURM_CONF", self.0.path().join("slurm.conf")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn status(&self, bench: &Bench, out: &str) -> Value {
        serde_json::from_slice(&self.ablate(bench, &["status", out, "--json"]).stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop");
    }
}

/// A summary without what depends on time and machine.
fn summary(bench: &Bench, out: &str) -> Value {
    let mut summary: Value = serde_json::from_slice(&fs::read(bench.path(out).join("summary.json")).unwrap()).unwrap();
    for arm in summary["arms"].as_array_mut().unwrap() {
        arm.as_object_mut().unwrap().remove("tokens_per_second");
        let cost = arm["cost"].as_object_mut().unwrap();
        cost.retain(|key, _| !["seconds", "peak_memory_bytes"].contains(&key.as_str()));
    }
    summary
}

/// The index of a run's task in the first batch.
fn index(bench: &Bench, out: &str, folder: &str) -> usize {
    let batch: Value = serde_json::from_slice(&fs::read(bench.path(out).join(".slurm/0/batch.json")).unwrap()).unwrap();
    batch["tasks"].as_array().unwrap().iter().position(|task| task["folder"] == folder).unwrap()
}

/// As many steps as take about so long here, alone: a task must be met while it trains, whatever the machine and the build.
fn steps_of(time: Duration) -> usize {
    let trial = Bench::new(1, 500);
    trial.run("trial", &["--only", "layer", "--jobs", "1"], 0);
    let tokens_per_second = trial.records("trial")[0].result.tokens_per_second.unwrap();
    let tokens_per_step = 2.0 * 16.0;
    (time.as_secs_f64() * tokens_per_second / tokens_per_step) as usize
}

/// The same experiment by `local` and by `slurm`, where tasks are preempted, requeued, killed and cancelled meanwhile.
#[test]
fn slurm_gives_what_local_gives() {
    let Some(cluster) = Cluster::start() else { return };
    let bench = Bench::new(2, steps_of(Duration::from_secs(10)));
    let said = cluster
        .ablate(&bench, &["run", "e.toml", "--out", "slurm", "--launcher", "slurm", "--slurm-args", "--ntasks=1 --comment='a sweep'"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("SLURM has 8 runs") && said.contains("ablate status slurm"), "{said}");
    let status = cluster.status(&bench, "slurm");
    let job = status["slurm"][0].as_str().unwrap().to_string();
    assert!(status["runs"].as_array().unwrap().iter().all(|run| run["queue"].is_string()), "{status}");

    // While its runs are SLURM's, the same command submits nothing twice.
    let again = cluster.ablate(&bench, &["run", "e.toml", "--out", "slurm", "--launcher", "slurm"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains(&format!("job {job};")), "{again:?}");
    assert!(!bench.path("slurm/.slurm/1").exists());

    // Told of its end; put back by SLURM; its worker killed; cancelled: each as soon as it trains.
    let task = |run: &str| format!("{job}_{}", index(&bench, "slurm", run));
    let disturb = |run: &str, how: &dyn Fn()| {
        bench.wait_for_steps(&format!("slurm/{run}"), 20);
        how();
    };
    thread::scope(|scope| {
        scope.spawn(|| disturb("base/seed-0", &|| cluster.ask("scancel", &["--batch", "--signal=USR1", &task("base/seed-0")])));
        scope.spawn(|| disturb("layer/seed-0", &|| cluster.ask("scontrol", &["requeue", &task("layer/seed-0")])));
        scope.spawn(|| disturb("gelu/seed-0", &|| kill_worker(&bench.path("slurm/gelu/seed-0"))));
        scope.spawn(|| disturb("learned/seed-0", &|| cluster.ask("scancel", &[&task("learned/seed-0")])));
    });

    // The job after the array collects, submits again what was killed, and the job after that writes the report.
    let report = bench.path("slurm/summary.json");
    let begun = Instant::now();
    while !report.exists() && begun.elapsed() < Duration::from_secs(240) {
        thread::sleep(Duration::from_millis(200));
    }
    let status = cluster.status(&bench, "slurm");
    let log = fs::read_to_string(bench.path("slurm/.slurm/0/controller.log")).unwrap_or_default();
    assert!(report.exists(), "{status}: {log}");
    let failed: BTreeSet<(String, u32, String)> =
        bench.records("slurm").iter().filter_map(|record| Some((record.arm.clone(), record.attempt, record.cause?.to_string()))).collect();
    let expected = [("gelu", "killed"), ("learned", "cancelled")].map(|(arm, cause)| (arm.to_string(), 1, cause.to_string()));
    assert_eq!(failed, BTreeSet::from(expected));
    let state =
        |arm: &str| status["runs"].as_array().unwrap().iter().find(|run| run["arm"] == arm && run["seed"] == 0).unwrap()["state"].clone();
    assert_eq!([state("gelu"), state("learned")], ["finished", "failed"]);

    // What somebody cancelled is for somebody to ask for again.
    cluster.ablate(&bench, &["run", "e.toml", "--out", "slurm", "--launcher", "slurm", "--slurm-args", "--ntasks=1", "--wait"]);
    // A run that was told of its end, or put back, has one record: it went on.
    let of = |arm: &str| bench.records("slurm").iter().filter(|record| record.arm == arm && record.seed == 0).count();
    assert_eq!([of("base"), of("layer"), of("gelu"), of("learned")], [1, 1, 2, 2]);

    bench.run("local", &["--jobs", "2"], 0);
    assert_same(&bench.outcome("slurm"), &bench.outcome("local"));
    let [mut slurm, mut local] = ["slurm", "local"].map(|out| summary(&bench, out));
    for arm in slurm["arms"].as_array_mut().unwrap().iter_mut().chain(local["arms"].as_array_mut().unwrap()) {
        // Attempts that failed cost, too.
        arm.as_object_mut().unwrap().remove("cost");
    }
    assert_eq!(slurm, local);
    assert_eq!(fs::read_dir(bench.path("slurm/.inbox")).unwrap().count(), 0);
}

#[test]
fn waiting_for_slurm() {
    let Some(cluster) = Cluster::start() else { return };
    let bench = Bench::new(1, 60);
    let arguments =
        ["run", "e.toml", "--out", "out", "--only", "gelu", "--json", "--launcher", "slurm", "--slurm-args", "--ntasks=1", "--wait"];
    let output = cluster.ablate(&bench, &arguments);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["arms"][0]["seeds"], 1);
    bench.run("local", &["--only", "gelu"], 0);
    assert_same(&bench.outcome("out"), &bench.outcome("local"));
    assert_eq!(summary(&bench, "out"), summary(&bench, "local"));
    // What SLURM refuses is said in its words, and nothing is lost.
    let refused = bench
        .command(&["run", "e.toml", "--out", "out", "--launcher", "slurm", "--slurm-args", "--partition=none"])
        .env("SLURM_CONF", cluster.0.path().join("slurm.conf"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("sbatch") && said.contains("partition") && said.contains("--slurm-args"), "{said}");
    wait("the file of records", || bench.records("out").len() == 2);
}

/// Every arm's trials are over before its comparison is submitted, and the same rates win as in one process after the other.
#[test]
fn slurm_tunes_before_it_compares() {
    let Some(cluster) = Cluster::start() else { return };
    let bench = Bench::new(2, 40);
    let experiment = fs::read_to_string(bench.path("e.toml")).unwrap();
    let retune = "[retune]\nvalues = { \"optimizer.lr\" = [1e-3, 1e-2] }\nrungs = [20]\n\n";
    fs::write(bench.path("e.toml"), experiment.replacen("[[arm]]", &format!("{retune}[[arm]]"), 1)).unwrap();
    cluster.ablate(
        &bench,
        &["run", "e.toml", "--out", "out", "--only", "gelu", "--launcher", "slurm", "--slurm-args", "--ntasks=1", "--wait"],
    );
    let stages: Vec<bool> = bench.records("out").iter().map(|record| record.stage == Stage::Compare).collect();
    assert_eq!(stages, [vec![false; 4], vec![true; 4]].concat());
    bench.run("local", &["--only", "gelu"], 0);
    assert_eq!(summary(&bench, "out"), summary(&bench, "local"));
}

/// Kills the process that trains in a folder.
fn kill_worker(run: &Path) {
    wait("a worker", || {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let words = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if words.contains("\0worker\0") && words.contains(&format!("{}\0", run.canonicalize().unwrap().display())) {
                // SAFETY: a plain system call on a process that the test has started.
                return unsafe { libc::kill(process, libc::SIGKILL) } == 0;
            }
        }
        false
    });
}

/// `srun` starts a process for each rank; they find each other by what it says of them.
#[test]
fn a_run_on_two_processes_of_srun_has_the_bits_of_two_threads() {
    let Some(cluster) = Cluster::start() else { return };
    let bench = Bench::new(1, 30);
    let train = ["train", "base.toml", "--set", "parallel.sharded=\"moments\""];
    assert!(bench.command(&train).args(["--devices", "2", "--out", "threads"]).status().unwrap().success());
    let mut command = Command::new("srun");
    // Of this machine's processors there may be one only.
    command.args(["--ntasks=2", "--overcommit", "--kill-on-bad-exit=1"]).arg(env!("CARGO_BIN_EXE_ablate")).args(train).args([
        "--distributed",
        "--out",
        "processes",
    ]);
    let plain = bench.command(&[]);
    command.current_dir(plain.get_current_dir().unwrap()).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for name in ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"] {
        command.env_remove(name);
    }
    let output = command.env("SLURM_CONF", cluster.0.path().join("slurm.conf")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = |out: &str| -> Value { serde_json::from_slice(&fs::read(bench.path(out).join("result.json")).unwrap()).unwrap() };
    let (threads, processes) = (result("threads"), result("processes"));
    assert_eq!(threads["metrics"], processes["metrics"]);
    assert_eq!(processes["parallel"]["devices"], 2);
}
