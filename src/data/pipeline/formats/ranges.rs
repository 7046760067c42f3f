//! Parts of one big file of lines, so that several threads can work on it.

use super::packed::Packing;
use crate::settings::{Error, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

/// A file that is not cut.
pub const WHOLE: Range<u64> = 0..u64::MAX;

/// Cuts a file of lines into parts of about `size` bytes, each beginning where a line does; together they are the file.
///
/// A function of file and size alone: parts do not depend on how many threads there are. A packed file is one part, [`WHOLE`], and an
/// empty one is none.
///
/// # Errors
///
/// The file cannot be read, or `size` is 0.
pub fn ranges(path: &Path, size: u64) -> Result<Vec<Range<u64>>> {
    if size == 0 {
        return Err(Error::input(path.display(), "cannot be cut into parts of 0 bytes", "take a size above 0"));
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("open", path))?.len();
    if Packing::of(path) != Packing::None {
        return Ok(Vec::from_iter((length > 0).then_some(WHOLE)));
    }
    let mut reader = BufReader::new(file);
    let (mut parts, mut begin) = (Vec::new(), 0);
    while begin < length {
        let end = match begin.checked_add(size).filter(|&end| end < length) {
            Some(end) => line_start(&mut reader, end).map_err(Error::io("read", path))?.min(length),
            None => length,
        };
        parts.push(begin..end);
        begin = end;
    }
    Ok(parts)
}

/// The first beginning of a line at `at` or after it.
fn line_start(reader: &mut BufReader<File>, at: u64) -> std::io::Result<u64> {
    // The line that holds the byte before is not cut.
    reader.seek(SeekFrom::Start(at - 1))?;
    Ok(at - 1 + reader.skip_until(b'\n')? as u64)
}
