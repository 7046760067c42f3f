//! `summary.json` and `summary.csv`, and how any of the report's files is put in its place.

use crate::{
    experiment::Summary,
    settings::{Error, Result},
};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes `content` beside `path` and renames it into place.
///
/// # Errors
///
/// The folder cannot be written to.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_with(path, |file| file.write_all(content))
}

/// The same for content that is made while it is written.
///
/// # Errors
///
/// The folder cannot be written to, or `write` fails.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let all = || {
        let mut file = io::BufWriter::new(fs::File::create(&temporary)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        fs::rename(&temporary, path)
    };
    let written = all();
    if written.is_err() {
        // The first failure is what the user must know; a left-over that cannot be removed either is not.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(Error::io("write", path))
}

/// The summary as indented JSON with a final newline. A number that is not finite becomes `null`.
pub fn json(summary: &Summary) -> String {
    let mut text = serde_json::to_string_pretty(summary).expect("a summary has string keys only");
    text.push('\n');
    text
}

/// One row per arm: the fields of `summary.json`, then further metrics, then the primary metric by seed.
///
/// Numbers have full precision; what does not exist is an empty cell.
pub fn csv(summary: &Summary) -> Vec<u8> {
    let metrics = super::words::further_metrics(summary);
    let mut header: Vec<String> = FIELDS.iter().map(ToString::to_string).collect();
    for metric in &metrics {
        header.extend([metric.to_string(), format!("{metric} delta")]);
    }
    header.extend(summary.seeds.iter().map(|seed| format!("{} seed {seed}", summary.metric)));

    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).expect("memory takes every write");
    for arm in &summary.arms {
        let [ci_low, ci_high] = bounds(arm.ci95);
        let [delta_low, delta_high] = bounds(arm.delta_ci95);
        let verdict = serde_json::to_value(arm.verdict).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default();
        let mut row = vec![
            arm.name.clone(),
            arm.reference.clone().unwrap_or_default(),
            arm.parameters.to_string(),
            cell(Some(arm.flops_per_token)),
            arm.seeds.to_string(),
            cell(arm.mean),
            ci_low,
            ci_high,
            cell(arm.delta),
            delta_low,
            delta_high,
            cell(arm.p),
            cell(arm.p_adjusted),
            verdict,
            arm.diverged.to_string(),
            arm.failed.to_string(),
            cell(arm.tokens_per_second),
            cell(arm.paired_parameters),
        ];
        for metric in &metrics {
            let found = arm.metrics.get(*metric);
            row.extend([cell(found.and_then(|m| m.mean)), cell(found.and_then(|m| m.delta))]);
        }
        row.extend(summary.seeds.iter().map(|seed| cell(arm.values.get(seed).copied().flatten())));
        writer.write_record(&row).expect("memory takes every write");
    }
    writer.into_inner().expect("memory takes every write")
}

const FIELDS: [&str; 18] = [
    "name",
    "reference",
    "parameters",
    "flops_per_token",
    "seeds",
    "mean",
    "ci95_low",
    "ci95_high",
    "delta",
    "delta_ci95_low",
    "delta_ci95_high",
    "p",
    "p_adjusted",
    "verdict",
    "diverged",
    "failed",
    "tokens_per_second",
    "paired_parameters",
];

fn cell(x: Option<f64>) -> String {
    x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default()
}

fn bounds(interval: Option<[f64; 2]>) -> [String; 2] {
    [cell(interval.map(|i| i[0])), cell(interval.map(|i| i[1]))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_the_new_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = replace(&folder.path().join("no/summary.json"), b"").unwrap_err().to_string();
        assert!(error.contains("summary.json") && error.contains("write"), "{error}");
    }
}
