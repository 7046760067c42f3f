//! Asking a task's questions.

use super::{
    Decoding, Generator, Header, Likelihood, Outcome, Record, Results, Sandbox, Scorer, Sequence,
    choice::{self, GOLD_BITS, Metrics, Scored},
    encode, pass_at_k,
};
use crate::{
    eval::tasks::{ANSWER, Answer, Choice, Item, Pair, Program, Question, Task, majority},
    pulse,
    settings::{Error, Result},
};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    f64::consts::LN_2,
};

/// How free answers and programs are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Samples of each; 1 at least.
    pub samples: usize,
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// Draw from the most likely tokens that make up this probability.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Tokens at most, or the layout's number.
    pub tokens: Option<usize>,
    /// The k of pass@k; 1 and the number of samples where none is named.
    pub pass_at: Vec<usize>,
    /// Where programs run; without one none are.
    pub sandbox: Option<Sandbox>,
}

/// How many sequences are scored between two words about progress.
const PART: usize = 1024;

/// Asks all questions; `progress` is told how many of how many requests are done.
///
/// # Errors
///
/// Programs without a sandbox, texts without tokens, what the model refuses.
pub fn evaluate_task(task: &Task, model: &mut (impl Scorer + Generator), how: &Asking, progress: &dyn Fn(usize, usize)) -> Result<Results> {
    if how.sandbox.is_none() && task.items.iter().any(|item| matches!(item.question, Question::Program(_))) {
        let message = "asks for programs, which are run to be judged";
        return Err(Error::input(&task.name, message, "allow that with --allow-code-execution; docs/evaluation.md says what is limited"));
    }
    if let Some(k) = how.pass_at.iter().find(|k| **k == 0 || **k > how.samples) {
        return Err(Error::input("--pass-at", format!("pass@{k} needs {k} samples, and there are {}", how.samples), "raise --samples"));
    }
    let scored = score_all(task, model, progress)?;
    let generated = generate_all(task, model, how, progress)?;
    let records = task.items.iter().zip(scored).zip(generated).map(|((item, scored), texts)| record(item, &scored, texts, how));
    let header = Header {
        task: task.name.clone(),
        layout: task.layout.into(),
        metric: task.metric.into(),
        chance: task.chance,
        shots: task.shots,
        model: None,
    };
    Ok(Results { header, records: records.collect::<Result<_>>()? })
}

/// The requests of a question, one behind the other.
fn sequences(scorer: &impl Scorer, item: &Item) -> Result<Vec<Sequence>> {
    let wrong = |error: Error| match error {
        Error::Input { subject, message, help } => Error::input(format!("question {}: {subject}", item.id), message, help),
        error => error,
    };
    let found = match &item.question {
        Question::Choice(choice) => encode::alternatives(scorer, choice).and_then(|mut all| {
            for before in unconditional(choice) {
                for option in &choice.options {
                    let pair = Pair { context: (*before).into(), continuation: option.pair.continuation.clone() };
                    all.push(encode::pair(scorer, &pair)?);
                }
            }
            Ok(all)
        }),
        Question::Continuation(pair) => encode::pair(scorer, pair).map(|sequence| vec![sequence]),
        Question::Text(text) => encode::document(scorer, text).map(|sequence| vec![sequence]),
        Question::Answer(_) | Question::Program(_) => Ok(vec![]),
    };
    found.map_err(wrong)
}

/// What stands before alternatives to learn how likely they are in themselves.
fn unconditional(choice: &Choice) -> &'static [&'static str] {
    let any = choice.options.iter().any(|option| !option.pair.context.trim().is_empty());
    if any { &[ANSWER, ""] } else { &[] }
}

/// The likelihoods of each question's requests. What is asked several times, like "yes" alone, is scored once.
fn score_all(task: &Task, scorer: &mut impl Scorer, progress: &dyn Fn(usize, usize)) -> Result<Vec<Vec<Likelihood>>> {
    let (mut unique, mut places): (Vec<Sequence>, HashMap<Sequence, usize>) = Default::default();
    let mut wanted: Vec<Vec<usize>> = Vec::with_capacity(task.items.len());
    for item in &task.items {
        pulse::beat();
        let place = |sequence: Sequence| {
            *places.entry(sequence).or_insert_with_key(|sequence| {
                unique.push(sequence.clone());
                unique.len() - 1
            })
        };
        wanted.push(sequences(scorer, item)?.into_iter().map(place).collect());
    }
    let mut found = Vec::with_capacity(unique.len());
    for part in unique.chunks(PART) {
        found.extend(scorer.score(part)?);
        if found.iter().any(|likelihood| !likelihood.log.is_finite()) {
            let message = "gives a probability that is no number";
            return Err(Error::input("the model", message, "its training diverged: take a checkpoint from before, with --checkpoint"));
        }
        progress(found.len(), unique.len());
    }
    Ok(wanted.into_iter().map(|places| places.into_iter().map(|place| found[place]).collect()).collect())
}

/// What was generated for each question: nothing, or as many texts as samples.
fn generate_all(task: &Task, generator: &mut impl Generator, how: &Asking, progress: &dyn Fn(usize, usize)) -> Result<Vec<Vec<String>>> {
    let samples = how.samples.max(1);
    let mut all = Vec::with_capacity(task.items.len());
    for item in &task.items {
        let (prompt, stop, tokens) = match &item.question {
            Question::Answer(Answer { prompt, stop, tokens, .. }) | Question::Program(Program { prompt, stop, tokens, .. }) => {
                (prompt, stop, tokens)
            }
            _ => {
                all.push(vec![]);
                continue;
            }
        };
        // Questions draw from streams of their own, whatever comes before them.
        let seed = how.seed.wrapping_add((all.len() * samples) as u64);
        let stop = stop.iter().map(|stop| (*stop).to_string()).collect();
        let decoding = Decoding { tokens: how.tokens.unwrap_or(*tokens), temperature: how.temperature, top_p: how.top_p, seed, stop };
        all.push(generator.generate(&vec![prompt.clone(); samples], &decoding)?);
        progress(all.len(), task.items.len());
    }
    Ok(all)
}

fn record(item: &Item, scored: &[Likelihood], texts: Vec<String>, how: &Asking) -> Result<Record> {
    let ((metrics, sizes), detail) = match &item.question {
        Question::Choice(choice) => chosen(choice, scored),
        Question::Continuation(pair) => {
            let (likelihood, bytes) = (scored[0], pair.continuation.trim().len());
            let metrics = [("acc", f64::from(likelihood.greedy)), ("nats", -likelihood.log), (GOLD_BITS, -likelihood.log / LN_2)];
            let detail = json!({ "log": likelihood.log, "tokens": likelihood.tokens });
            ((named(&metrics), named(&[(GOLD_BITS, bytes as f64)])), detail)
        }
        Question::Text(text) => {
            let metrics = named(&[("bits_per_byte", -scored[0].log / LN_2)]);
            ((metrics, named(&[("bits_per_byte", text.len() as f64)])), json!({ "tokens": scored[0].tokens }))
        }
        Question::Answer(answer) => answered(answer, texts),
        Question::Program(program) => programmed(program, texts, how)?,
    };
    let question = item.question.fingerprint();
    Ok(Record { id: item.id.clone(), group: item.group.clone(), question, metrics, sizes, detail })
}

fn named(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    values.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

fn chosen(choice: &Choice, scored: &[Likelihood]) -> (Metrics, Value) {
    let count = choice.options.len();
    let other = |block: usize, index: usize| scored.get(block * count + index).map(|likelihood| likelihood.log);
    let option = |(index, (option, likelihood)): (usize, (&crate::eval::tasks::Alternative, &Likelihood))| Scored {
        log: likelihood.log,
        tokens: likelihood.tokens,
        characters: option.text.chars().count(),
        bytes: option.text.len(),
        greedy: likelihood.greedy,
        after_answer: other(1, index),
        alone: other(2, index),
    };
    let options: Vec<Scored> = choice.options.iter().zip(scored).enumerate().map(option).collect();
    let detail = json!({ "gold": choice.gold, "chosen": choice::chosen(&options), "options": options });
    (choice::metrics(choice, &options), detail)
}

/// Each reading's share of right samples, and whether most samples are right (`maj@n`).
fn answered(answer: &Answer, texts: Vec<String>) -> (Metrics, Value) {
    let accepted: Vec<String> = answer.accepted.iter().map(|accepted| answer.rule.normal(accepted)).collect();
    let mut metrics = BTreeMap::new();
    let mut found = vec![];
    for (index, reading) in answer.rule.readings().iter().enumerate() {
        let answers: Vec<Option<String>> = texts.iter().map(|text| reading.find(text)).collect();
        let right = answers.iter().flatten().filter(|answer| accepted.contains(answer)).count();
        metrics.insert(reading.metric.to_string(), right as f64 / texts.len() as f64);
        if index == 0 {
            if texts.len() > 1 {
                let voted = majority(&answers).is_some_and(|answer| accepted.contains(answer));
                metrics.insert(format!("maj@{}", texts.len()), f64::from(voted));
            }
            found = answers;
        }
    }
    ((metrics, BTreeMap::new()), json!({ "generated": texts, "answers": found, "accepted": answer.accepted }))
}

fn programmed(program: &Program, texts: Vec<String>, how: &Asking) -> Result<(Metrics, Value)> {
    let sandbox = how.sandbox.as_ref().ok_or_else(|| Error::input("--allow-code-execution", "is missing", "allow it"))?;
    let run = |text: &String| {
        pulse::beat();
        sandbox.run(&format!("{}{text}\n{}", program.before, program.tests))
    };
    let outcomes: Vec<Outcome> = texts.par_iter().map(run).collect::<Result<_>>()?;
    let passed = outcomes.iter().filter(|outcome| **outcome == Outcome::Passed).count();
    let mut at = how.pass_at.clone();
    if at.is_empty() {
        at = vec![1, texts.len()];
    }
    let metrics = at.into_iter().filter_map(|k| Some((format!("pass@{k}"), pass_at_k(texts.len(), passed, k)?))).collect();
    let outcomes: Vec<String> = outcomes.iter().map(|outcome| format!("{outcome:?}")).collect();
    Ok(((metrics, BTreeMap::new()), json!({ "generated": texts, "outcomes": outcomes })))
}
