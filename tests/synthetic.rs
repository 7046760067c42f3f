//! Tests of synthetic tasks from outside: what is asked, what is trained on, what is scored.

mod draws;
mod learning;
mod masks;
mod solvers;
mod writing;

use ablate::data::synthetic::{Instance, Synthetic, SyntheticConfig};

/// A corpus as written in a configuration, without problems at up to `longest` training contexts of `context` tokens.
fn corpus(toml: &str, context: usize, longest: usize) -> Synthetic {
    let config: SyntheticConfig = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"));
    let problems = config.problems(context, longest);
    assert!(problems.is_empty(), "{toml}: {problems:?}");
    Synthetic::new(&config)
}

/// Targets as (position, token).
fn targets(instance: &Instance) -> Vec<(usize, u32)> {
    instance.targets.iter().map(|target| (target.position, target.token)).collect()
}
