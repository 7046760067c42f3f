//! One run in a child process.

use crate::{
    device::DeviceName,
    experiment::{Job, Record, clock},
    ops,
    settings::{Error, Result},
    train::{Outcome, RunResult, Tick},
};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

/// What a child needs beside its job.
pub struct Worker<'a> {
    /// The program: this one.
    pub program: &'a Path,
    /// Device.
    pub device: &'a DeviceName,
    /// Worker threads of the child; none leaves the choice to the environment.
    pub threads: Option<usize>,
}

/// A child that trains.
pub struct Running {
    /// The process; taken by [`finish`].
    pub child: Child,
    /// Folder of the run.
    pub folder: PathBuf,
    started: Instant,
}

impl Worker<'_> {
    /// Starts the child for the run in `folder`, which holds its `spec.toml`.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or the log cannot be written.
    pub fn start(&self, folder: PathBuf) -> Result<Running> {
        let log = folder.join("log.txt");
        let log = OpenOptions::new().create(true).append(true).open(&log).map_err(Error::io("write", &log))?;
        let mut command = Command::new(self.program);
        command
            .arg("worker")
            .arg("--spec")
            .arg(folder.join("spec.toml"))
            .arg("--out")
            .arg(&folder)
            .arg("--device")
            .arg(self.device.to_string())
            .arg("--ops")
            .arg(ops::chosen().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        if let Some(threads) = self.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        // A group of its own: Ctrl-C in the terminal reaches this process only, which passes it on exactly once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(Error::io("start", self.program))?;
        Ok(Running { child, folder, started: Instant::now() })
    }
}

/// Reads the child's signs of life until it closes its output, and hands each on.
pub fn listen(output: impl Read, mut tick: impl FnMut(Tick)) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        if let Ok(sign) = serde_json::from_str(&line) {
            tick(sign);
        }
    }
}

/// Waits for the child's end and answers with the record; none if the run was interrupted and can be continued.
///
/// A child that ends without a result of its own run has failed; its record holds the end of its log.
///
/// # Errors
///
/// The process cannot be waited for.
pub fn finish(mut running: Running, job: &Job, worker: &Worker) -> Result<Option<Record>> {
    let status = running.child.wait().map_err(Error::io("wait for", worker.program))?;
    let result = result(&running.folder).filter(|result| result.id == job.id);
    let result = match result {
        Some(result) if result.outcome == Outcome::Interrupted => return Ok(None),
        Some(result) => result,
        None if status.code() == Some(130) => return Ok(None),
        None => {
            let end = tail(&running.folder.join("log.txt"));
            let reason = if end.is_empty() { status.to_string() } else { format!("{status}: {end}") };
            failure(job, reason, worker, running.started.elapsed().as_secs_f64())
        }
    };
    Ok(Some(record(job, result)))
}

/// The record of a run that ended.
pub fn record(job: &Job, result: RunResult) -> Record {
    Record { arm: job.arm.clone(), seed: job.seed, stage: job.stage, folder: job.folder.clone(), result, ended: clock::now() }
}

/// What is known of a run that left no result.
pub fn failure(job: &Job, reason: String, worker: &Worker, seconds: f64) -> RunResult {
    RunResult {
        id: job.id.clone(),
        outcome: Outcome::Failed,
        reason: Some(reason),
        steps: 0,
        tokens: 0,
        metrics: Default::default(),
        tokens_per_second: None,
        seconds,
        device: worker.device.to_string(),
        path: String::new(),
        operators: vec![],
        threads: worker.threads.unwrap_or(0),
        version: env!("CARGO_PKG_VERSION").into(),
        data_hash: String::new(),
        data_marks: Default::default(),
        noise: Default::default(),
        peak_memory_bytes: None,
        notes: vec![],
    }
}

/// The result in a run's folder. Metrics that are no finite numbers have no place in JSON, nor in a comparison.
fn result(folder: &Path) -> Option<RunResult> {
    let mut value: Value = serde_json::from_slice(&fs::read(folder.join("result.json")).ok()?).ok()?;
    if let Some(Value::Object(metrics)) = value.get_mut("metrics") {
        metrics.retain(|_, metric| metric.is_number());
    }
    serde_json::from_value(value).ok()
}

/// The last lines of a log, 2,000 bytes at most.
fn tail(path: &Path) -> String {
    const BYTES: u64 = 2000;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job { arm: "a".into(), seed: 1, stage: Default::default(), id: "x".into(), folder: "a/seed-1".into() }
    }

    /// Runs a shell script in the place of the worker; it sees the run's folder as the fifth argument.
    #[cfg(unix)]
    fn ended(script: &str) -> Option<Record> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker.sh");
        fs::write(&program, format!("#!/bin/sh\ncd \"$5\"\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let worker = Worker { program: &program, device: &DeviceName::Flex, threads: Some(1) };
        let mut running = worker.start(folder.path().to_path_buf()).unwrap();
        listen(running.child.stdout.take().unwrap(), |_| ());
        finish(running, &job(), &worker).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn results_crashes_and_interrupts() {
        let result = failure(&job(), "why".into(), &Worker { program: Path::new(""), device: &DeviceName::Flex, threads: None }, 1.0);
        let finished = RunResult { outcome: Outcome::Finished, metrics: [("m".to_string(), 2.5)].into(), ..result };
        let json = serde_json::to_string(&finished).unwrap();
        assert_eq!(ended(&format!("echo '{json}' > result.json")).unwrap().result, finished);
        let undefined = json.replace("2.5", "null");
        assert!(ended(&format!("echo '{undefined}' > result.json")).unwrap().result.metrics.is_empty());

        let crash = ended("echo the cause >&2; exit 7").unwrap().result;
        assert_eq!((crash.outcome, crash.id.as_str()), (Outcome::Failed, "x"));
        let reason = crash.reason.unwrap();
        assert!(reason.contains("the cause") && reason.contains('7'), "{reason}");
        let killed = ended("kill -9 $$").unwrap().result.reason.unwrap();
        assert!(killed.contains("signal"), "{killed}");
        let other = json.replace("\"x\"", "\"y\"");
        assert_eq!(ended(&format!("echo '{other}' > result.json")).unwrap().result.outcome, Outcome::Failed);

        assert!(ended("exit 130").is_none());
        let interrupted = json.replace("finished", "interrupted");
        assert!(ended(&format!("echo '{interrupted}' > result.json; exit 130")).is_none());
    }

    #[test]
    fn noise_between_signs_of_life_is_passed_over() {
        let mut steps = vec![];
        let output = "{\"step\":1,\"steps\":9,\"loss\":5.0,\"tokens_per_second\":1.0}\nhello\n{\"step\":2,\"steps\":9,\"loss\":4.0,\"tokens_per_second\":1.0}";
        listen(output.as_bytes(), |tick| steps.push(tick.step));
        assert_eq!(steps, [1, 2]);
    }
}
