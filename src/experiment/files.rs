//! Files of an experiment that are either whole or not there.

use super::ledger::DISK;
use crate::settings::{Error, Result};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

/// How old a file must be that nobody is writing any more.
const STALE: Duration = Duration::from_secs(60);

/// Removes what crashes left of files that are written in one step: `.plan.json.1234`.
pub(super) fn clear_temporaries(folder: &Path) {
    let left_over = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix('.').and_then(|name| name.rsplit_once('.')).map(|(_, number)| number);
        let old = || path.metadata().and_then(|data| data.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STALE));
        number.is_some_and(|number| number.parse::<u32>().is_ok()) && old()
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // What cannot be removed does no harm.
    files.filter(|path| path.is_file() && left_over(path)).for_each(|path| drop(fs::remove_file(path)));
}

/// Writes a file in one step: readers find the old content or the new.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    let placed = written.and_then(|()| fs::rename(&temporary, path));
    if placed.is_err() {
        // The first failure is what must be known; a left-over that cannot be removed either is not.
        let _ = fs::remove_file(&temporary);
    }
    placed.map_err(|error| Error::input(path.display(), format!("cannot be written: {error}"), DISK))
}

#[cfg(test)]
mod tests {
    use super::*;

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
