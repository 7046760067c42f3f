//! Files that are either whole or not there.

mod lock;

use crate::settings::{Error, Result};
use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

pub use lock::Lock;

/// Where a file is written before it takes its place: `.plan.json.1234`.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// Writes a file in one step: readers find the old content or the new, and what is there is on the disk.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, |error| error, |file| file.write_all(content))
}

/// The same with an error that names the file.
///
/// # Errors
///
/// The folder cannot be written to.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    replace(path, content).map_err(Error::io("write", path))
}

/// The same of a file that `fill` writes; `wrong` says what an error of the file system means.
pub fn replace_with<E>(
    path: &Path,
    wrong: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let temporary = temporary(path);
    let write = || {
        let mut file = BufWriter::new(File::create(&temporary).map_err(&wrong)?);
        fill(&mut file)?;
        let file = file.into_inner().map_err(|error| wrong(error.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&temporary, path)).map_err(&wrong)
    };
    let written = write();
    if written.is_err() {
        // The first failure is what must be known; a left-over that cannot be removed either is not.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// How old a file must be that nobody is writing any more.
const STALE: Duration = Duration::from_secs(60);

/// Removes what crashes left of files that are written in one step, but for what another process may be writing now.
pub fn clear_temporaries(folder: &Path) {
    clear(folder, STALE);
}

/// The same in a folder that no other process writes to.
pub fn clear_own_temporaries(folder: &Path) {
    clear(folder, Duration::ZERO);
}

fn clear(folder: &Path, least: Duration) {
    let left_over = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix('.').and_then(|name| name.rsplit_once('.')).map(|(_, number)| number);
        let old = || path.metadata().and_then(|data| data.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= least));
        number.is_some_and(|number| number.parse::<u32>().is_ok()) && (least.is_zero() || old())
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // What cannot be removed does no harm.
    files.filter(|path| path.is_file() && left_over(path)).for_each(|path| drop(fs::remove_file(path)));
}

/// Writes a file where it belongs, and waits until the disk has it: for folders that are committed as a whole.
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// None for what is not there.
pub fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// The last bytes of a file, so many at most.
pub fn end(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_the_new_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(&folder.path().join("no/summary.json"), b"").unwrap_err().to_string();
        assert!(error.contains("summary.json") && error.contains("write"), "{error}");
    }

    #[test]
    fn what_crashes_left_of_temporary_files_goes() {
        let folder = tempfile::tempdir().unwrap();
        let names = [".plan.json.12", ".plan.json.34", "plan.json.12", ".notes"];
        for name in names {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != names[1] {
                file.set_modified(std::time::SystemTime::now() - 2 * STALE).unwrap();
            }
        }
        clear_temporaries(folder.path());
        assert_eq!(names.map(|name| folder.path().join(name).exists()), [false, true, true, true]);
    }
}
