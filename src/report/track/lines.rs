//! `metrics.jsonl`, line by line.

use crate::settings::{Error, Result};
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
    time::UNIX_EPOCH,
};

/// One logged step.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Optimizer step.
    pub step: u64,
    /// Seconds of training until then, by the durations that were logged: those of steps between two lines are taken to be
    /// the later line's. Evaluation and pauses are not in it.
    pub seconds: f64,
    /// Metrics in the order in which they were logged; what was not finite is NaN.
    pub values: Vec<(String, f64)>,
}

/// What a run has logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logged {
    /// Logged steps.
    pub lines: Vec<Line>,
    /// When the training began, in seconds since 1970: the time of the file less the seconds of training.
    pub began: f64,
}

/// Reads the lines of a run; none if it has logged nothing. A line that is still being written, or that a crash cut off, is
/// passed over.
pub fn read(run: &Path) -> Result<Logged> {
    let path = run.join("metrics.jsonl");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Logged::default()),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let modified = file.metadata().and_then(|data| data.modified()).map_err(Error::io("read", &path))?;
    let (mut lines, mut text, mut before, mut seconds) = (Vec::new(), Vec::new(), 0, 0.0);
    let mut reader = BufReader::new(file);
    loop {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(Error::io("read", &path))?;
        if text.last() != Some(&b'\n') {
            break;
        }
        let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(&text) else { continue };
        let Some(step) = fields.get("step").and_then(Value::as_u64) else { continue };
        if let Some(milliseconds) = fields.get("step_ms").and_then(Value::as_f64) {
            seconds += step.saturating_sub(before) as f64 * milliseconds / 1e3;
        }
        before = step;
        let number = |(name, value): (String, Value)| match value {
            Value::Number(number) => Some((name, number.as_f64()?)),
            Value::Null => Some((name, f64::NAN)),
            _ => None,
        };
        let values = fields.into_iter().filter(|(name, _)| name != "step").filter_map(number).collect();
        lines.push(Line { step, seconds, values });
    }
    let modified = modified.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    Ok(Logged { lines, began: modified - seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_whole_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Logged::default());
        let text = "{\"step\":1,\"loss\":5.5,\"step_ms\":500.0}\nnoise\n{\"step\":3,\"loss\":null,\"step_ms\":1000.0,\"v/b\":2,\"name\":\"x\"}\n{\"step\":4,\"loss\":4.5}";
        fs::write(folder.path().join("metrics.jsonl"), text).unwrap();
        let Logged { lines, began } = read(folder.path()).unwrap();
        assert_eq!(lines.len(), 2, "the last one is not whole");
        assert_eq!(lines[0], Line { step: 1, seconds: 0.5, values: vec![("loss".into(), 5.5), ("step_ms".into(), 500.0)] });
        assert_eq!((lines[1].step, lines[1].seconds), (3, 2.5));
        let names: Vec<&str> = lines[1].values.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["loss", "step_ms", "v/b"]);
        assert!(lines[1].values[0].1.is_nan() && began > 1.6e9);
    }
}
