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

/// The last lines of a log, 2,000 bytes at most.
pub fn tail(path: &Path) -> String {
    const BYTES: u64 = 2000;
    let bytes = files::end(path, BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
