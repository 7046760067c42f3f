//! The folder of a run, as its parent sees it.

use crate::{experiment::RunLock, files, train::RunResult};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// Waits until no process trains in the folder: the worker of a command that was killed may still be writing its
/// checkpoint. False if `stop` says so first.
pub fn wait_for_others(folder: &Path, stop: impl Fn() -> bool) -> bool {
    while RunLock::is_held(folder) {
        if stop() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// The result in a run's folder.
pub fn result(folder: &Path) -> Option<RunResult> {
    parse_result(&fs::read(folder.join("result.json")).ok()?)
}

/// The content of a `result.json`. Metrics that are no finite numbers have no place in JSON, nor in a comparison.
pub fn parse_result(text: &[u8]) -> Option<RunResult> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    if let Some(Value::Object(metrics)) = value.get_mut("metrics") {
        metrics.retain(|_, metric| metric.is_number());
    }
    serde_json::from_value(value).ok()
}

/// The last lines of a log, without the calls of a backtrace: what was wrong stands before them.
pub fn tail(path: &Path) -> String {
    const BYTES: u64 = 16_000;
    let bytes = files::end(path, BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !is_call(line)).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Whether a line is of a backtrace: `  12: ablate::train::run`, `             at src/train/run.rs:12:3`.
fn is_call(line: &str) -> bool {
    let call = line.trim_start();
    let numbered = call.split_once(": ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    line.starts_with("  ") && (numbered || call.starts_with("at "))
        || line == "stack backtrace:"
        || line.starts_with("note: Some details are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.txt");
        let calls: String = (0..40).map(|call| format!("  {call}: ablate::model\n             at src/model.rs:{call}:3\n")).collect();
        let note = "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n";
        fs::write(&log, format!("step 3\nmemory allocation of 12 bytes failed\nstack backtrace:\n{calls}{note}")).unwrap();
        assert_eq!(tail(&log), "step 3\nmemory allocation of 12 bytes failed");
        fs::write(&log, "12: is no call\n\n at home\n").unwrap();
        assert_eq!(tail(&log), "12: is no call\n at home");
    }
}
