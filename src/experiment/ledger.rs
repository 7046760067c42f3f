//! `records.jsonl`: what ended, in the order in which it was written. Lines are only ever appended.

use super::{Record, record::Removal};
use crate::{
    files::if_there,
    settings::{Error, Result},
};
use serde::Serialize;
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The file's name in the folder of an experiment.
pub(super) const FILE: &str = "records.jsonl";

/// The file of records.
#[derive(Debug)]
pub(super) struct Ledger(PathBuf);

enum Line {
    Record(Box<Record>),
    Removal(Removal),
}

impl Ledger {
    /// The file in the folder of an experiment.
    pub fn new(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// All records that were not removed since, the oldest first. A last line that a crash cut off is passed over.
    ///
    /// # Errors
    ///
    /// An unreadable file, a damaged line before the last.
    pub fn read(&self) -> Result<Vec<Record>> {
        let Some(bytes) = if_there(fs::read(&self.0)).map_err(Error::io("read", &self.0))? else { return Ok(vec![]) };
        let mut records: Vec<Record> = Vec::new();
        for (number, line) in bytes[..complete(&bytes)].split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match parse(line).map_err(|why| self.damaged(number + 1, &why))? {
                Line::Record(record) => records.push(*record),
                Line::Removal(removal) => records.retain(|record| !removal.covers(record)),
            }
        }
        Ok(records)
    }

    /// Appends a line and waits until the disk has it.
    ///
    /// # Errors
    ///
    /// An unwritable file or a full disk; the file is then as before.
    pub fn append(&self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line).expect("a record is plain data");
        text.push('\n');
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&self.0)?;
            let (end, length) = whole(&mut file)?;
            if end < length {
                file.set_len(end)?;
            }
            file.seek(SeekFrom::Start(end))?;
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            if written.is_err() {
                // Half a line would be passed over, too; without it the file ends where it ended.
                let _ = file.set_len(end);
            }
            written
        };
        write().map_err(|error| Error::input(self.0.display(), format!("cannot be appended to: {error}"), DISK))
    }

    fn damaged(&self, line: usize, why: &str) -> Error {
        Error::input(
            format!("{}:{line}", self.0.display()),
            format!("is no record: {why}"),
            "restore the line from a copy, or remove it: what its run left in its folder is read again, and only what is not there is trained",
        )
    }
}

/// What to do when the disk takes no more.
pub(super) const DISK: &str = "free space or mend permissions; what ended is kept, and the same command continues";

fn parse(line: &[u8]) -> std::result::Result<Line, String> {
    // A removal is the rare case, and the message of the common one is what helps.
    if let Ok(removal) = serde_json::from_slice(line) {
        return Ok(Line::Removal(removal));
    }
    serde_json::from_slice(line).map(|record| Line::Record(Box::new(record))).map_err(|error| error.to_string())
}

/// Length of the text up to its last line end: what follows was cut off by a crash, and never counted.
fn complete(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// The same of a file, and its length.
fn whole(file: &mut File) -> std::io::Result<(u64, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        return Ok((length, length));
    }
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok((complete(&text) as u64, length))
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests as example, *};
    use crate::train::Outcome;

    fn ledger() -> (tempfile::TempDir, Ledger, Vec<Record>) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        let records = (0..4).map(|seed| example::record("a", seed, Outcome::Finished, 1.5)).collect();
        (folder, ledger, records)
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_overwritten() {
        let (_folder, ledger, records) = ledger();
        assert_eq!(ledger.read().unwrap(), []);
        ledger.append(&records[0]).unwrap();
        ledger.append(&records[1]).unwrap();
        let whole = fs::read(&ledger.0).unwrap();
        // Cut anywhere, and also followed by what a file system may show of a block that never reached the disk.
        let mut torn: Vec<Vec<u8>> = [1, 2, 20, 100].map(|cut| whole[..whole.len() - cut].to_vec()).into();
        torn.push([&whole[..whole.len() - 50], &[0; 50][..]].concat());
        for text in torn {
            fs::write(&ledger.0, text).unwrap();
            assert_eq!(ledger.read().unwrap(), records[..1]);
        }
        ledger.append(&records[2]).unwrap();
        assert_eq!(ledger.read().unwrap(), [records[0].clone(), records[2].clone()]);
    }

    #[test]
    fn a_damaged_line_is_named_and_nothing_is_written() {
        let (_folder, ledger, records) = ledger();
        for record in &records {
            ledger.append(record).unwrap();
        }
        let whole = fs::read(&ledger.0).unwrap();
        let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Another byte, one that is no UTF-8, a missing half.
        let mut damaged = [whole.clone(), whole.clone(), whole.clone()];
        damaged[0][second] = b'x';
        damaged[1][second + 9] = 0xff;
        damaged[2].drain(second + 5..second + 60);
        for text in damaged {
            fs::write(&ledger.0, &text).unwrap();
            let error = ledger.read().unwrap_err().to_string();
            assert!(error.contains("records.jsonl:2") && error.contains("help"), "{error}");
            assert_eq!(fs::read(&ledger.0).unwrap(), text);
        }
    }

    /// The order of lines is the truth; a clock may jump.
    #[test]
    fn the_last_line_counts_whatever_the_clock_said() {
        let (_folder, ledger, mut records) = ledger();
        records.truncate(2);
        records[0].result.outcome = Outcome::Failed;
        records[0].ended = "2031-01-01T00:00:00Z".into();
        records[1] = Record { attempt: 2, ended: "1970-01-01T00:00:00Z".into(), ..records[0].clone() };
        records[1].result.outcome = Outcome::Finished;
        records.iter().for_each(|record| ledger.append(record).unwrap());
        let plan = example::plan(&["a"], 1);
        let read = ledger.read().unwrap();
        let counted = super::super::runs::runs(&plan, &read);
        assert_eq!(counted[&("a", 0)].attempt, 2);
    }

    #[test]
    fn removed_runs_are_gone_and_may_come_again() {
        let (_folder, ledger, records) = ledger();
        records.iter().for_each(|record| ledger.append(record).unwrap());
        ledger.append(&Removal::new("a", Some(1))).unwrap();
        ledger.append(&Removal::new("b", None)).unwrap();
        let seeds = |ledger: &Ledger| ledger.read().unwrap().iter().map(|record| record.seed).collect::<Vec<_>>();
        assert_eq!(seeds(&ledger), [0, 2, 3]);
        ledger.append(&records[1]).unwrap();
        assert_eq!(seeds(&ledger), [0, 2, 3, 1]);
        ledger.append(&Removal::new("a", None)).unwrap();
        assert!(seeds(&ledger).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said() {
        let error = Ledger("/dev/full".into()).append(&1).unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("space"), "{error}");
    }
}
