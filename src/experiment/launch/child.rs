//! One run in a child process.

use super::{
    cause::{End, cause, memory_kills},
    folder::{result, tail},
    watchdog::Watchdog,
};
use crate::{
    device::DeviceName,
    experiment::{Cause, Job, Record},
    ops,
    settings::{Error, Result},
    train::{Outcome, RunResult, Tick},
};
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What a child needs beside its job.
pub struct Worker<'a> {
    /// The program: this one.
    pub program: &'a Path,
    /// Device.
    pub device: &'a DeviceName,
    /// Worker threads of the child; none leaves the choice to the environment.
    pub threads: Option<usize>,
    /// How long it may be silent; none: as its pace suggests.
    pub patience: Option<Duration>,
}

/// What others may know of a child, and do to it.
#[derive(Debug, Default)]
pub struct Life {
    watchdog: Mutex<Watchdog>,
    hung: AtomicBool,
}

impl Life {
    /// A look after a pause: whether the child has just been found to hang.
    pub fn look(&self, pause: Duration) -> bool {
        let overdue = self.watchdog.lock().is_ok_and(|mut watchdog| watchdog.look(pause));
        overdue && !self.hung.swap(true, Ordering::SeqCst)
    }

    fn sign(&self, step: bool) {
        if let Ok(mut watchdog) = self.watchdog.lock() {
            watchdog.sign(step);
        }
    }
}

/// A child that trains.
pub struct Running {
    /// The process; taken by [`finish`].
    pub child: Child,
    /// Folder of the run.
    pub folder: PathBuf,
    /// Its signs of life.
    pub life: Arc<Life>,
    started: Instant,
    memory_kills: u64,
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
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg("--ops")
            .arg(ops::chosen().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        if let Some(threads) = self.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        // A group of its own: Ctrl-C in the terminal reaches this process only, which passes it on exactly once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let (started, memory_kills) = (Instant::now(), memory_kills());
        let child = command.spawn().map_err(Error::io("start", self.program))?;
        let life = Life { watchdog: Mutex::new(Watchdog::new(self.patience)), hung: AtomicBool::new(false) };
        Ok(Running { child, folder, life: Arc::new(life), started, memory_kills })
    }
}

/// Reads the child's signs of life until it closes its output, and hands on those that tell how far it is.
pub fn listen(output: impl Read, life: &Life, mut tick: impl FnMut(Tick)) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        let sign: Option<Tick> = serde_json::from_str(&line).ok();
        life.sign(sign.is_some());
        if let Some(sign) = sign {
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
            let log = tail(&running.folder.join("log.txt"));
            let seconds = running.started.elapsed().as_secs_f64();
            return Ok(Some(failed(job, why(&running, status, &log), worker, seconds)));
        }
    };
    let mut record = Record::new(job, result);
    if record.result.outcome == Outcome::Failed {
        let log = record.result.reason.as_deref().unwrap_or_default();
        record.cause = Some(cause(&End { code: status.code(), log, ..End::default() }));
    }
    Ok(Some(record))
}

/// Why a child left no result, with a cause and in words.
fn why(running: &Running, status: ExitStatus, log: &str) -> (Cause, String) {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let hung = running.life.hung.load(Ordering::SeqCst);
    let cause = cause(&End { code: status.code(), signal, hung, memory_kills: memory_kills() > running.memory_kills, log });
    let how = match cause {
        Cause::Hang => {
            let bearable = running.life.watchdog.lock().map(|watchdog| watchdog.bearable()).unwrap_or_default();
            format!("killed after {} s without a sign of life", bearable.as_secs())
        }
        Cause::OutOfMemory if signal == Some(9) => format!("{status}: the system had no memory left"),
        Cause::Disk if log.is_empty() => format!("{status}: a file could not be written"),
        _ => status.to_string(),
    };
    (cause, if log.is_empty() { how } else { format!("{how}: {log}") })
}

/// The record of a run that left no result.
pub fn failed(job: &Job, (cause, reason): (Cause, String), worker: &Worker, seconds: f64) -> Record {
    let result = RunResult {
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
        waited_seconds: None,
        notes: vec![],
        parallel: None,
    };
    Record { cause: Some(cause), ..Record::new(job, result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn job() -> Job {
        Job { arm: "a".into(), seed: 1, stage: Default::default(), id: "x".into(), folder: "a/seed-1".into() }
    }

    fn worker() -> Worker<'static> {
        Worker { program: Path::new(""), device: &DeviceName::Flex, threads: Some(1), patience: None }
    }

    /// Runs a shell script in the place of the worker; it sees the run's folder as the fifth argument.
    #[cfg(unix)]
    fn ended(script: &str) -> Option<Record> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker.sh");
        fs::write(&program, format!("#!/bin/sh\ncd \"$5\"\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let worker = Worker { program: &program, ..worker() };
        let mut running = worker.start(folder.path().to_path_buf()).unwrap();
        listen(running.child.stdout.take().unwrap(), &running.life.clone(), |_| ());
        finish(running, &job(), &worker).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn results_crashes_and_interrupts() {
        let result = failed(&job(), (Cause::Crash, "why".into()), &worker(), 1.0).result;
        let finished = RunResult { outcome: Outcome::Finished, metrics: [("m".to_string(), 2.5)].into(), ..result };
        let json = serde_json::to_string(&finished).unwrap();
        assert_eq!(ended(&format!("echo '{json}' > result.json")).unwrap().result, finished);
        let undefined = json.replace("2.5", "null");
        assert!(ended(&format!("echo '{undefined}' > result.json")).unwrap().result.metrics.is_empty());

        let panicked = json.replace("finished", "failed");
        assert_eq!(ended(&format!("echo '{panicked}' > result.json; exit 3")).unwrap().cause, Some(Cause::Crash));

        let crash = ended("echo the cause >&2; exit 7").unwrap();
        assert_eq!(crash.cause, Some(Cause::Crash));
        let crash = crash.result;
        assert_eq!((crash.outcome, crash.id.as_str()), (Outcome::Failed, "x"));
        let reason = crash.reason.unwrap();
        assert!(reason.contains("the cause") && reason.contains('7'), "{reason}");
        let killed = ended("kill -9 $$").unwrap();
        assert!(matches!(killed.cause, Some(Cause::Killed | Cause::OutOfMemory)), "{:?}", killed.cause);
        let killed = killed.result.reason.unwrap();
        assert!(killed.contains("signal"), "{killed}");
        assert_eq!(ended("exit 74").unwrap().cause, Some(Cause::Disk));
        assert_eq!(ended("exit 2").unwrap().cause, Some(Cause::Input));
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
        listen(output.as_bytes(), &Life::default(), |tick| steps.push(tick.step));
        assert_eq!(steps, [1, 2]);
    }
}
