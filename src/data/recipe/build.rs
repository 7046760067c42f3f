//! Builds what a recipe says.
//!
//! ```text
//! files ─ shards ─► segment ─► stage over all ─► segment ─► … ─► output files
//! ```
//!
//! Between two steps that must know all documents, shards are worked on by themselves, in parallel. Everything on the way is in a
//! working folder: a build that was killed goes on with the shards that are missing, and gives the same bytes as one that was
//! not, whatever the number of threads.

use super::{
    config::Step,
    done::Done,
    output::Output,
    plan::{Options, Plan, REPORT, not_empty, work_folder},
    report::{FORMAT, Report, StepReport, StepTime},
    segment::{Context, Segment},
    shard::Shard,
    step::Built,
    tally::{Rejected, Tally},
};
use crate::{
    data::{
        Progress,
        pipeline::dedup::{Stage, Work, run_passes},
    },
    files,
    settings::{Error, Result},
};
use rayon::ThreadPool;
use std::{
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// The rejected documents that are kept.
pub const REJECTED: &str = "rejected.jsonl";
/// How long steps took.
pub const TIMES: &str = "times.json";

/// What steps over all documents leave to be read.
const FOUND: [&str; 4] = ["clusters.jsonl", "pairs.jsonl", "contamination.json", "contamination-items.jsonl"];

/// A build on its way.
pub(super) struct Build<'a> {
    pub plan: &'a Plan,
    pub out: &'a Path,
    pub options: &'a Options,
    pub pool: &'a ThreadPool,
    pub done: &'a Done,
    pub stop: &'a AtomicBool,
    pub progress: Progress<'a>,
    pub steps: Vec<StepReport>,
    pub times: Vec<StepTime>,
    pub rejected: Vec<Rejected>,
}

impl Build<'_> {
    /// Does what is left to do, and writes the report last.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::build`].
    pub fn run(&mut self) -> Result<Report> {
        let recipe = &self.plan.recipe;
        let mut sources = self.plan.sources.clone();
        let mut shards = vec![];
        for (number, source) in recipe.sources.iter().enumerate() {
            let own: Vec<Shard> = self.plan.shards.iter().filter(|shard| shard.source == number).cloned().collect();
            let folder = work_folder(self.out).join(format!("source-{number:02}"));
            let (made, tally) = self.chain(&source.name, own, &source.steps, &folder)?;
            not_empty(source, tally.read.documents)?;
            (sources[number].read, sources[number].damage, sources[number].damaged) = (tally.read, tally.damage, tally.damaged);
            shards.extend(made);
        }
        if !recipe.steps.is_empty() {
            (shards, _) = self.chain("", shards, &recipe.steps, &work_folder(self.out).join("all"))?;
        }
        let all = shards.iter().map(|shard| shard.bytes).sum();
        self.done.begin();
        let pool = self.pool;
        let output = Output { recipe, said: &self.plan.said, out: self.out, done: self.done, stop: self.stop };
        let written = self.watched("writing", all, || pool.install(|| output.write(&shards)))?;
        let report = Report {
            format: FORMAT,
            name: recipe.name.clone(),
            recipe: self.plan.said.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            sources,
            steps: std::mem::take(&mut self.steps),
            written: written.size,
            by_source: written.by_source,
            files: written.files,
        };
        let lines: String = self.rejected.iter().map(|one| serde_json::to_string(one).expect("texts") + "\n").collect();
        files::write(&self.out.join(REJECTED), lines.as_bytes())?;
        let text = toml::to_string_pretty(recipe).expect("a recipe is plain data");
        files::write(&self.out.join("recipe.toml"), text.as_bytes())?;
        files::write(&self.out.join(TIMES), serde_json::to_string_pretty(&self.times).expect("numbers").as_bytes())?;
        // Last: with it the build is finished.
        files::write(&self.out.join(REPORT), serde_json::to_string_pretty(&report).expect("plain data").as_bytes())?;
        Ok(report)
    }

    /// Takes shards through steps. What comes out, and what was read at the beginning.
    fn chain(&mut self, source: &str, mut shards: Vec<Shard>, steps: &[Step], folder: &Path) -> Result<(Vec<Shard>, Tally)> {
        let mut parts: Vec<(&Step, Built)> = vec![];
        for step in steps {
            parts.extend(step.apply.build()?.into_iter().map(|built| (step, built)));
        }
        let mut parts = parts.into_iter().peekable();
        let mut first: Option<Tally> = None;
        let mut waiting: Option<(&Step, Box<dyn Stage>, Work)> = None;
        for number in 0.. {
            let mut rules = vec![];
            while let Some((step, Built::Rules(one))) = parts.next_if(|(_, built)| matches!(built, Built::Rules(_))) {
                rules.push((step, one));
            }
            let judge = waiting.as_ref().map(|(step, stage, work)| (*step, stage.as_ref(), work));
            let segment = Segment { judge, rules, folder: folder.join(format!("{number:02}")) };
            // Between the last steps of the sources and a first step over all of them there is nothing to do.
            let idle = segment.is_empty() && !shards.is_empty() && shards.iter().all(Shard::is_made);
            let tally = if idle { Tally::default() } else { self.segment(&segment, &mut shards, source)? };
            let judged = waiting.is_some();
            let names = waiting.iter().map(|(step, ..)| *step).chain(segment.rules.iter().map(|(step, _)| *step));
            for (at, (step, tally)) in names.zip(&tally.steps).enumerate() {
                let mut report = StepReport::new(source, step, tally);
                if judged && at == 0 {
                    // The same step as the one before, if it has two parts.
                    report.decided = self.decided(&waiting)?;
                }
                self.times.push(StepTime::new(source, step, tally));
                self.steps.push(report);
            }
            self.rejected.extend(tally.clone().into_rejected());
            let text = shards.iter().map(|shard| shard.size.bytes).sum();
            first.get_or_insert(tally);
            drop(segment);
            if let Some((step, _, work)) = &waiting {
                self.keep(source, step, work)?;
            }
            let Some((step, Built::Across(stage))) = parts.next() else { break };
            let work = self.work(folder, number)?;
            let start = Instant::now();
            self.decide(step, stage.as_ref(), &work, &shards)?;
            self.times.push(StepTime::looking(source, step, start.elapsed().as_secs_f64(), text));
            waiting = Some((step, stage, work));
        }
        Ok((shards, first.expect("there is a first segment")))
    }

    /// Copies what a step over all documents has found, such as clusters, out of the working folder.
    fn keep(&self, source: &str, step: &Step, work: &Work) -> Result<()> {
        for name in FOUND {
            let from = work.path(name);
            if let Some(bytes) = files::if_there(std::fs::read(&from)).map_err(Error::io("read", &from))? {
                let before = if source.is_empty() { String::new() } else { format!("{source}.") };
                files::write(&self.out.join(format!("{before}{}.{name}", step.name())), &bytes)?;
            }
        }
        Ok(())
    }

    fn work(&self, folder: &Path, number: usize) -> Result<Work> {
        let key = u64::from_str_radix(&self.plan.key, 16).expect("sixteen hexadecimal digits");
        Work::new(&folder.join(format!("{number:02}-stage")), self.options.memory, self.options.threads, key)
    }

    fn decided(&self, waiting: &Option<(&Step, Box<dyn Stage>, Work)>) -> Result<std::collections::BTreeMap<String, u64>> {
        let mut all = std::collections::BTreeMap::new();
        if let Some((_, stage, work)) = waiting {
            for pass in 0..stage.passes() {
                all.extend(work.decided(pass)?.unwrap_or_default());
            }
        }
        Ok(all)
    }

    fn segment(&self, segment: &Segment<'_>, shards: &mut Vec<Shard>, source: &str) -> Result<Tally> {
        let names: Vec<&str> =
            segment.judge.iter().map(|(step, ..)| step.name()).chain(segment.rules.iter().map(|(step, _)| step.name())).collect();
        let what = if names.is_empty() { "reading".to_string() } else { names.join(", ") };
        let what = if source.is_empty() { what } else { format!("{source}: {what}") };
        let all: u64 = shards.iter().map(|shard| shard.bytes).sum();
        self.done.begin();
        let context = Context {
            sources: &self.plan.recipe.sources,
            limits: &self.plan.recipe.limits,
            rejected: self.plan.recipe.rejected,
            most: self.options.most,
            done: self.done,
            stop: self.stop,
        };
        let (made, tally) = self.watched(&what, all, || self.pool.install(|| segment.run(shards, &context)))?;
        *shards = made;
        Ok(tally)
    }

    /// Runs something while progress is told.
    fn watched<T: Send>(&self, what: &str, all: u64, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        (self.progress)(what, 0, all.max(1));
        std::thread::scope(|scope| {
            let running = scope.spawn(work);
            while !running.is_finished() {
                std::thread::sleep(Duration::from_millis(50));
                (self.progress)(what, self.done.now().min(all), all.max(1));
            }
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn decide(&self, step: &Step, stage: &dyn Stage, work: &Work, shards: &[Shard]) -> Result<()> {
        let count = u32::try_from(shards.len()).map_err(|_| Error::input("the input", "has more than four billion parts", "join files"))?;
        let all: u64 = shards.iter().map(|shard| shard.bytes).sum::<u64>() * u64::from(stage.passes());
        self.done.begin();
        let read = |number: u32, each: &mut dyn FnMut(&crate::data::pipeline::Document) -> Result<()>| {
            let shard = &shards[number as usize];
            let mut one = |document| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::input("the build", "was interrupted", "the same command goes on"));
                }
                each(&document).map(ControlFlow::Continue)
            };
            shard.read(&self.plan.recipe.limits, self.done, &mut one, &mut |_| Ok(()))
        };
        self.watched(&format!("{}: looking at all", step.name()), all, || run_passes(stage, work, count, &read)).map(drop)
    }
}
