//! Experiment files that somebody got wrong, 2,000 of them: none panics, and every refusal says where.

use super::Bench;
use ablate::{
    Error,
    experiment::{Experiment, Overrides},
};
use rand::{Rng, RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use toml::Value;

/// Valid files, one of each kind of design and of each section.
const SEEDS: [&str; 8] = [
    r#"
seeds = 3
margin = 0.01
set = { "train.batch" = 4 }
match = { parameters = "model.feed_forward.hidden", flops = "train.steps", tolerance = 0.2 }
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
note = "a remark"
[[arm]]
name = "swiglu"
set = { model = { feed_forward = { kind = "swiglu" } } }
when = "model.width <= 64"
"#,
    r#"
seeds = { min = 3, max = 6 }
design.kind = "ladder"
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "rope"
set = { "model.position.kind" = "rope", "model.position.theta" = 500.0 }
"#,
    r#"
design = { kind = "factorial", resolution = 3 }
require = ["params <= 1e9", "model.layers == 2 || flops > 0"]
[[factor]]
name = "norm"
key = "model.norm.kind"
values = ["rms"]
[[factor]]
name = "feed"
[[factor.level]]
name = "big"
set = { "model.feed_forward.kind" = "gelu", "model.feed_forward.hidden" = 32 }
[[factor]]
name = "rate"
key = "optimizer.lr"
values = [1e-3]
when = "optimizer.kind in ['adamw', 'adam']"
"#,
    r#"
design = { kind = "halton", count = 4, seed = 7 }
[[factor]]
name = "rate"
key = "optimizer.lr"
min = 1e-4
max = 1e-2
scale = "log"
[[factor]]
name = "layers"
key = "model.layers"
min = 1
max = 3
int = true
"#,
    r#"
design.kind = "ladder-of-sizes"
budgets = [3, 12]
[[size]]
name = "small"
set = { "model.width" = 8 }
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
"#,
    r#"
seeds = [1, 5, 9]
design.kind = "one-at-a-time"
[retune]
values = { "optimizer.lr" = [1e-3, 3e-3], "schedule.warmup" = [0, 1] }
rungs = [3, 6]
keep = 0.5
[[factor]]
name = "position"
key = "model.position.kind"
values = ["rope", "alibi", "none"]
"#,
    r#"
design.kind = "zip"
metrics = ["valid/bits_per_byte"]
alpha = 0.1
[[factor]]
name = "norm"
key = "model.norm.kind"
values = ["rms", "none"]
[[factor]]
name = "heads"
key = "model.attention.heads"
values = [4, 1]
"#,
    r#"
design.kind = "leave-one-out"
match.time = "train.steps"
[[arm]]
name = "rms"
set = { "model.norm.kind" = "rms" }
[[arm]]
name = "gelu"
set = { "model.feed_forward.kind" = "gelu" }
"#,
];

/// Values that nobody means.
fn strange(random: &mut ChaCha8Rng) -> Value {
    let texts =
        ["", "rms", "matched", "base", "../x", "a\u{0}b", "é", "model.width >", "((((", "train.steps", "NaN", "valid/bits_per_byte@3x"];
    match random.random_range(0..9) {
        0 => Value::Integer([0, -1, 1, 2, 7, i64::MAX, i64::MIN, 1 << 40][random.random_range(0..8)]),
        1 => Value::Float([0.0, -1.0, 0.5, 1e308, f64::NAN, f64::INFINITY, 1e-300][random.random_range(0..7)]),
        2 => Value::Boolean(random.random()),
        3 => Value::Array(vec![]),
        4 => Value::Array(vec![strange(random), strange(random)]),
        5 => Value::Table(toml::Table::new()),
        6 => Value::Table([("kind".to_string(), strange(random))].into_iter().collect()),
        7 => Value::String("x".repeat(random.random_range(60..5000))),
        _ => Value::String((*texts.choose(random).unwrap()).into()),
    }
}

/// Every place of a tree, as the steps to it.
fn places(value: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    found.push(at.clone());
    let inner: Vec<(String, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => vec![],
    };
    for (step, value) in inner {
        at.push(step);
        places(value, at, found);
        at.pop();
    }
}

fn find<'a>(value: &'a mut Value, at: &[String]) -> &'a mut Value {
    at.iter().fold(value, |value, step| match value {
        Value::Table(table) => &mut table[step.as_str()],
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        _ => unreachable!(),
    })
}

/// One change that keeps the file TOML.
fn mutate(tree: &mut Value, keys: &[String], random: &mut ChaCha8Rng) {
    let mut all = vec![];
    places(tree, &mut vec![], &mut all);
    let at = all.choose(random).unwrap().clone();
    let Some((last, parent)) = at.split_last() else {
        // Something new at the top.
        tree.as_table_mut().unwrap().insert(keys.choose(random).unwrap().clone(), strange(random));
        return;
    };
    let other = all.choose(random).unwrap().clone();
    match random.random_range(0..6) {
        0 => *find(tree, &at) = strange(random),
        1 => match find(tree, parent) {
            Value::Table(table) => drop(table.remove(last)),
            Value::Array(items) => drop(items.remove(last.parse::<usize>().unwrap())),
            _ => {}
        },
        2 => {
            // A misspelt or misplaced key.
            if let Value::Table(table) = find(tree, parent) {
                let value = table.remove(last).unwrap();
                let name = if random.random() { format!("{last}s") } else { keys.choose(random).unwrap().clone() };
                table.insert(name, value);
            }
        }
        3 => {
            // What belongs elsewhere.
            let value = find(tree, &other).clone();
            *find(tree, &at) = value;
        }
        4 => match find(tree, parent) {
            Value::Array(items) => {
                let twice = items[last.parse::<usize>().unwrap()].clone();
                items.push(twice);
            }
            Value::Table(table) => drop(table.insert(keys.choose(random).unwrap().clone(), strange(random))),
            _ => {}
        },
        _ => {
            if let Value::String(text) = find(tree, &at) {
                let cut = text.chars().take(random.random_range(0..8)).collect();
                *text = cut;
            }
        }
    }
}

/// One change that need not keep it.
fn garble(text: &str, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..4) {
        0 => bytes.truncate(at),
        1 => bytes[at] = (random.next_u32() % 256) as u8,
        2 => bytes.insert(at, b"\"[]{}=.\n\\"[random.random_range(0..9)]),
        _ => {
            let end = random.random_range(at..bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.extend(part);
        }
    }
    bytes
}

/// Whether an error says where it comes from: a file that is there, and a place in it.
fn located(error: &Error) -> bool {
    match error {
        Error::Settings(mistakes) => {
            !mistakes.is_empty()
                && mistakes.iter().all(|m| Path::new(&m.file).is_file() && (m.line.is_some() || !m.key.is_empty()) && !m.message.is_empty())
        }
        Error::Input { subject, message, help } => ![subject, message, help].iter().any(|text| text.is_empty()),
        Error::Io { path, .. } => !path.as_os_str().is_empty(),
        Error::Interrupted(_) => false,
    }
}

#[test]
fn mistakes_of_all_kinds_are_refused_with_their_place() {
    let mut keys = ablate::settings::keys::<ablate::experiment::ExperimentConfig>();
    keys.extend(ablate::settings::keys::<ablate::train::RunConfig>());
    let (mut refused, mut taken) = (0, 0);
    for (number, text) in SEEDS.iter().enumerate() {
        let bench = Bench::new(text);
        let whole = fs::read_to_string(bench.file()).unwrap();
        Experiment::load(&bench.file(), &Overrides::default()).unwrap_or_else(|error| panic!("file {number} is valid: {error}"));
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        for _ in 0..250 {
            let bytes = if random.random_range(0..5) == 0 {
                garble(&whole, &mut random)
            } else {
                let mut tree: Value = toml::from_str(&whole).unwrap();
                for _ in 0..random.random_range(1..4) {
                    mutate(&mut tree, &keys, &mut random);
                }
                toml::to_string(&tree).unwrap().into_bytes()
            };
            fs::write(bench.file(), &bytes).unwrap();
            let shown = || String::from_utf8_lossy(&bytes).into_owned();
            match catch_unwind(AssertUnwindSafe(|| Experiment::load(&bench.file(), &Overrides::default()))) {
                Err(_) => panic!("a panic for\n{}", shown()),
                Ok(Ok(_)) => taken += 1,
                Ok(Err(error)) => {
                    refused += 1;
                    assert!(located(&error), "{error}\nfor\n{}", shown());
                }
            }
        }
    }
    // Both happen, or the mutations are too wild or too tame to test anything.
    assert_eq!(refused + taken, 2000);
    assert!(refused > 1000 && taken > 100, "{refused} refused, {taken} taken");
}
