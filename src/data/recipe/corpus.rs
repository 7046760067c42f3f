//! A recipe as a corpus, built in the cache.

use super::{Options, StepOptions, of_file};
use crate::{
    data::{
        Progress, WAITING, cache,
        corpus::{self, Corpus, read_bytes},
        fingerprint,
        pipeline::Document,
    },
    files::Lock,
    settings::{Error, Result},
};
use std::{path::Path, sync::atomic::AtomicBool};

/// Memory of steps over all documents.
const MEMORY: usize = 1 << 30;

/// Builds a recipe, if that has not been done, and reads and splits what it made.
///
/// Processes that build the same at the same time wait for the first of them.
pub(in crate::data) fn read(path: &Path, without: &[String], steps: &StepOptions, cache: &Path, progress: Progress<'_>) -> Result<Corpus> {
    let plan = of_file(path, without, steps, &|paths| fingerprint::contents(paths, cache))?;
    let all = cache.join("recipes");
    cache::create_folder(&all)?;
    let lock = all.join(format!("{}.lock", plan.key()));
    let _lock = Lock::wait(&lock, || progress(WAITING, 0, 1)).map_err(Error::io("create", &lock))?;
    let folder = all.join(plan.key());
    let options = Options { threads: rayon::current_num_threads(), memory: MEMORY, most: None, keep_work: false };
    let report = plan.build(&folder, &options, progress, &AtomicBool::new(false))?;
    let mut documents = vec![];
    for file in report.files.iter().filter(|file| file.tokens.is_none()) {
        let path = folder.join(&file.name);
        let broken = || Error::input(path.display(), "the file is damaged", format!("delete {}: it is made again", folder.display()));
        if cache::sha256(&path).map_err(Error::io("read", &path))? != file.sha256 {
            return Err(broken());
        }
        let text = String::from_utf8(read_bytes(&path)?).map_err(|_| broken())?;
        for line in text.lines() {
            let Document { id, text, source, .. } = serde_json::from_str(line).map_err(|_| broken())?;
            documents.push(corpus::Document::new(format!("{source}/{id}"), text));
        }
    }
    corpus::by_content(documents, &path.display().to_string())
}
