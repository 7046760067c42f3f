//! Running programs that a model wrote.
//!
//! Each runs in a process of its own, in an empty folder that is removed afterwards, with an empty environment, no input, and
//! limits on processor time, wall time, memory, the size of files and their number; on Linux also without a network, in a user
//! and network namespace of its own, where the system allows that. These are limits, not a prison: the program can read what
//! the user can read. Untrusted models belong into a container or a virtual machine.

use crate::settings::{Error, Result};
use std::{
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Wall time; processor time is limited to the same, rounded up to seconds.
    pub time: Duration,
    /// Address space in bytes.
    pub memory: u64,
    /// Bytes of a file that it writes.
    pub file: u64,
}

impl Default for Limits {
    /// Three seconds, as in HumanEval's own harness; 2 GiB; 16 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(3), memory: 2 << 30, file: 16 << 20 }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end without an error.
    Passed,
    /// It ended with an error, or before its end.
    Failed,
    /// It took too long and was killed.
    TimedOut,
}

/// Whether programs can reach the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// They have none.
    Cut,
    /// The system does not let it be cut off.
    Open,
}

/// Where programs run.
#[derive(Clone, Debug)]
pub struct Sandbox {
    python: PathBuf,
    limits: Limits,
    network: Network,
}

/// The program's last line writes this file; one that ends before, by whatever exit, has not passed.
const DONE: &str = "done";

impl Sandbox {
    /// Finds Python and tries what the system allows.
    ///
    /// # Errors
    ///
    /// No Python, or a system without limits on processes.
    pub fn new(limits: Limits) -> Result<Self> {
        if cfg!(not(unix)) {
            return Err(Error::input("--allow-code-execution", "this system has no limits on processes", "run it on Linux or macOS"));
        }
        let mut sandbox = Self { python: python()?, limits, network: Network::Cut };
        // Starting Python once may take longer than a program may.
        let trial = Self { limits: Limits { time: Duration::from_secs(60), ..limits }, ..sandbox.clone() };
        if trial.run("pass").is_ok_and(|outcome| outcome == Outcome::Passed) {
            return Ok(sandbox);
        }
        sandbox.network = Network::Open;
        match (Self { network: Network::Open, ..trial }).run("pass")? {
            Outcome::Passed => Ok(sandbox),
            _ => Err(Error::input(
                sandbox.python.display(),
                "an empty program does not run within the limits",
                "raise the limits, or mend the Python",
            )),
        }
    }

    /// Whether programs can reach the network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Runs a program of Python's.
    ///
    /// # Errors
    ///
    /// No folder for it can be made, or no process be started.
    pub fn run(&self, program: &str) -> Result<Outcome> {
        let folder = tempfile::tempdir().map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        let path = folder.path().join("program.py");
        let end = format!("\n\nwith open({DONE:?}, \"w\") as file:\n    file.write(\"{DONE}\")\n");
        std::fs::write(&path, program.to_string() + &end).map_err(Error::io("write", &path))?;
        let mut command = Command::new(&self.python);
        // Isolated: neither the folder nor the user's packages are searched for modules, and no variable is heeded.
        command.args(["-I", "-B"]).arg(&path).current_dir(folder.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        limited(&mut command, self.limits, self.network);
        let mut child = command.spawn().map_err(Error::io("start", &self.python))?;
        let end = Instant::now() + self.limits.time;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match child.try_wait().map_err(Error::io("wait for", &self.python))? {
                Some(status) => break Some(status),
                None if Instant::now() >= end => break None,
                None => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        // Also what the program started and left behind.
        kill_group(child.id());
        let Some(status) = status else {
            // The group may be gone already; the child is not ours to lose.
            let _ = child.kill();
            child.wait().map_err(Error::io("wait for", &self.python))?;
            return Ok(Outcome::TimedOut);
        };
        if killed(status) {
            return Ok(Outcome::TimedOut);
        }
        let done = std::fs::read(folder.path().join(DONE)).is_ok_and(|content| content == DONE.as_bytes());
        Ok(if status.success() && done { Outcome::Passed } else { Outcome::Failed })
    }
}

/// Python itself, not a script of a manager of versions that would want an environment.
fn python() -> Result<PathBuf> {
    let wrong = |message: String| Error::input("python3", message, "install Python 3; the programs are in it");
    let asked = Command::new("python3").args(["-I", "-c", "import sys; print(sys.executable)"]).stdin(Stdio::null()).output();
    let answer = asked.map_err(|error| wrong(format!("cannot be started: {error}")))?;
    let path = String::from_utf8_lossy(&answer.stdout).trim().to_string();
    if answer.status.success() && !path.is_empty() { Ok(path.into()) } else { Err(wrong("does not say where it is".into())) }
}

/// Sets the limits in the child, before Python starts.
#[cfg(unix)]
fn limited(command: &mut Command, limits: Limits, network: Network) {
    use std::{io, os::unix::process::CommandExt};
    let seconds = limits.time.as_secs_f64().ceil() as u64;
    let set = move || {
        let limit = |which, value: u64| {
            let limit = libc::rlimit { rlim_cur: value as libc::rlim_t, rlim_max: value as libc::rlim_t };
            // SAFETY: the call reads one `rlimit`.
            if unsafe { libc::setrlimit(which, &limit) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        limit(libc::RLIMIT_CPU, seconds.max(1))?;
        limit(libc::RLIMIT_FSIZE, limits.file)?;
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_NOFILE, 64)?;
        // macOS knows the limit on memory and does not let it be set.
        if cfg!(target_os = "linux") {
            limit(libc::RLIMIT_AS, limits.memory)?;
        }
        #[cfg(target_os = "linux")]
        if network == Network::Cut {
            // SAFETY: the call touches no memory; this process has one thread, as it must.
            if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        #[cfg(not(target_os = "linux"))]
        if network == Network::Cut {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        Ok(())
    };
    command.process_group(0);
    // SAFETY: between fork and exec the closure makes system calls alone, and allocates nothing.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(unix))]
fn limited(_: &mut Command, _: Limits, _: Network) {}

/// Whether the kernel ended a process whose processor time was over.
#[cfg(unix)]
fn killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    matches!(status.signal(), Some(libc::SIGXCPU | libc::SIGKILL))
}

#[cfg(not(unix))]
fn killed(_: ExitStatus) -> bool {
    false
}

/// Kills a child's process group.
#[cfg(unix)]
fn kill_group(child: u32) {
    // SAFETY: the call touches no memory. A group that is gone is an error that does not matter.
    unsafe { libc::killpg(child as libc::pid_t, libc::SIGKILL) };
}

#[cfg(not(unix))]
fn kill_group(_: u32) {}
