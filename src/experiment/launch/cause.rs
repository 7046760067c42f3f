//! Why a child ended without a result.

use crate::experiment::Cause;

/// The exit code of a worker that could not write or read a file.
pub const DISK_CODE: i32 = 74;

/// What is known of a child's end.
#[derive(Clone, Copy, Debug, Default)]
pub struct End<'a> {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether the watchdog killed it.
    pub hung: bool,
    /// Whether the system killed something for want of memory while it ran.
    pub memory_kills: bool,
    /// The end of its log, and the reason of its result.
    pub log: &'a str,
}

/// What runtimes say when there is no memory: the C and CUDA libraries, the GPU allocators, Rust.
const NO_MEMORY: [&str; 6] =
    ["out of memory", "out_of_memory", "outofmemory", "memory allocation of", "cannot allocate memory", "alloc_failed"];

/// The cause of a child's end that was no result.
pub fn cause(end: &End) -> Cause {
    let log = end.log.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| log.contains(word));
    if end.hung {
        return Cause::Hang;
    }
    match (end.signal, end.code) {
        (Some(9), _) if end.memory_kills => Cause::OutOfMemory,
        (Some(signal), _) if [1, 2, 9, 15].contains(&signal) => Cause::Killed,
        // SIGXFSZ: a file grew beyond a limit.
        (Some(25), _) => Cause::Disk,
        (None, Some(DISK_CODE)) => Cause::Disk,
        (None, Some(2)) if says(&["checkpoint is damaged"]) => Cause::Checkpoint,
        (None, Some(2)) => Cause::Input,
        _ if says(&NO_MEMORY) => Cause::OutOfMemory,
        _ => Cause::Crash,
    }
}

/// How often the system killed a process of this one's control group, or of the machine, for want of memory.
pub fn memory_kills() -> u64 {
    if cfg!(not(target_os = "linux")) {
        return 0;
    }
    let read = |path: &str, key: &str| -> Option<u64> {
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    };
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").trim_end_matches('/');
    read(&format!("/sys/fs/cgroup{group}/memory.events"), "oom_kill ").or_else(|| read("/proc/vmstat", "oom_kill ")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_their_causes() {
        let signal = |signal| End { signal: Some(signal), ..End::default() };
        let code = |code, log| End { code: Some(code), log, ..End::default() };
        let cases = [
            (signal(9), Cause::Killed),
            (End { memory_kills: true, ..signal(9) }, Cause::OutOfMemory),
            (End { memory_kills: true, ..signal(15) }, Cause::Killed),
            (End { hung: true, ..signal(9) }, Cause::Hang),
            (signal(11), Cause::Crash),
            (signal(6), Cause::Crash),
            (End { log: "memory allocation of 12 bytes failed", ..signal(6) }, Cause::OutOfMemory),
            (signal(25), Cause::Disk),
            (code(2, "error: model.heads"), Cause::Input),
            (code(2, "x: the checkpoint is damaged: COMMIT is missing"), Cause::Checkpoint),
            (code(74, "no space left"), Cause::Disk),
            (code(101, "panicked"), Cause::Crash),
            (code(3, "internal error: CUDA_ERROR_OUT_OF_MEMORY"), Cause::OutOfMemory),
        ];
        for (end, expected) in cases {
            assert_eq!(cause(&end), expected, "{end:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_counter_never_falls() {
        let before = memory_kills();
        assert!(memory_kills() >= before);
    }
}
