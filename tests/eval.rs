//! Tests of `eval` from outside: generation, benchmarks, how they are scored, programs that models write.

mod generate;
mod tasks_errors;
mod tasks_fake;
mod tasks_model;
mod tasks_programs;
mod tasks_prompts;
mod tasks_scoring;
mod tasks_verb;

use ablate::eval::tasks::{Task, TaskRequest, load};
use std::path::PathBuf;

/// A file or folder of `tests/eval/fixtures`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/eval/fixtures").join(name)
}

/// What `--tasks` would read of a fixture: `[LAYOUT=]NAME[@SHOTS]`.
fn request(text: &str) -> TaskRequest {
    let mut request: TaskRequest = text.parse().unwrap();
    request.path = fixture(request.path.to_str().unwrap());
    request
}

fn task(text: &str) -> Task {
    let mut tasks = load(&request(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(tasks.len(), 1, "{text}");
    tasks.remove(0)
}
