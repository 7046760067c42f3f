//! `clusters.jsonl`: who goes in favour of whom, for people and other tools to read.
//!
//! ```text
//! {"keeper": "0/3", "members": [{"document": "0/7", "similarity": 0.93}, {"document": "2/0"}]}
//! ```
//!
//! Documents are `shard/number`. The similarity is the highest that was found of the member to another one of the group, if
//! pairs are verified.

use super::{record::Place, sorted::Sorter, work::Work};
use crate::{
    files,
    settings::{Error, Result},
};
use std::io::Write;

/// A keeper, a member, and the bits of a similarity; 0 if it is not known.
pub(super) type Member = (Place, Place, u32);

/// Writes the file; returns how many clusters it has.
pub(super) fn write(work: &Work, members: Sorter<Member>) -> Result<u64> {
    let path = work.path("clusters.jsonl");
    let mut sorted = members.sorted()?;
    let mut clusters = 0;
    let written = files::replace_with(&path, Wrong::Disk, |file| {
        let mut last = None;
        while let Some((keeper, member, bits)) = sorted.next().map_err(Wrong::Other)? {
            let begin = if last == Some(keeper) {
                write!(file, ", ")
            } else {
                clusters += 1;
                let end = if last.is_some() { "]}\n" } else { "" };
                last = Some(keeper);
                write!(file, "{end}{{\"keeper\": \"{keeper}\", \"members\": [")
            };
            let member = begin.and_then(|()| match bits {
                0 => write!(file, "{{\"document\": \"{member}\"}}"),
                bits => write!(file, "{{\"document\": \"{member}\", \"similarity\": {}}}", f32::from_bits(bits)),
            });
            member.map_err(Wrong::Disk)?;
        }
        if last.is_some() { writeln!(file, "]}}").map_err(Wrong::Disk) } else { Ok(()) }
    });
    match written {
        Ok(()) => Ok(clusters),
        Err(Wrong::Disk(error)) => Err(Error::io("write", &path)(error)),
        Err(Wrong::Other(error)) => Err(error),
    }
}

enum Wrong {
    Disk(std::io::Error),
    Other(Error),
}
