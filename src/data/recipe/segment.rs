//! Steps that documents go through one by one, over all shards, in parallel; each shard is done, or not begun.

use super::{
    config::{Allowed, OnDamage, SourceConfig, Step},
    done::Done,
    shard::{Shard, refused},
    tally::{Size, Tally, print},
};
use crate::{
    data::pipeline::{
        Document, Rules, Verdict,
        dedup::{Stage, Work},
        formats::{self, Limits},
    },
    files,
    settings::{Error, Result},
};
use rayon::prelude::*;
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Steps without one between them that must know all documents.
pub(super) struct Segment<'a> {
    /// The judgement of what came before, which must know all documents.
    pub judge: Option<(&'a Step, &'a dyn Stage, &'a Work)>,
    /// Rules, with the steps that they are.
    pub rules: Vec<(&'a Step, Box<dyn Rules>)>,
    /// Where shards are written.
    pub folder: PathBuf,
}

/// What all segments share.
pub(super) struct Context<'a> {
    pub sources: &'a [SourceConfig],
    pub limits: &'a Limits,
    /// Rejected documents that are kept of a rule.
    pub rejected: usize,
    /// Documents of a shard after which reading stops: for trying a recipe.
    pub most: Option<u64>,
    /// How far it is, and set when the build is to stop.
    pub done: &'a Done,
    pub stop: &'a AtomicBool,
}

impl Segment<'_> {
    /// Names of the steps, that of the judgement first.
    fn steps(&self) -> Vec<&Step> {
        self.judge.iter().map(|(step, ..)| *step).chain(self.rules.iter().map(|(step, _)| *step)).collect()
    }

    /// Whether documents go through it as they are.
    pub fn is_empty(&self) -> bool {
        self.judge.is_none() && self.rules.is_empty()
    }

    /// Works on all shards; what is done already is not done again. The shards that it leaves, and what happened.
    ///
    /// # Errors
    ///
    /// Those of reading, judging and writing; damage that a source does not allow; a step that did nothing, or left nothing,
    /// and must not.
    pub fn run(&self, shards: &[Shard], context: &Context<'_>) -> Result<(Vec<Shard>, Tally)> {
        std::fs::create_dir_all(&self.folder).map_err(Error::io("create the folder", &self.folder))?;
        let tallies: Vec<Tally> =
            shards.par_iter().enumerate().map(|(number, shard)| self.shard(number, shard, context)).collect::<Result<_>>()?;
        let mut tally = Tally::new(self.steps().len(), context.rejected);
        tallies.iter().for_each(|other| tally.merge(other));
        self.check(&tally, context)?;
        let made = |(number, (shard, tally)): (usize, (&Shard, &Tally))| Shard::made(shard.source, self.path(number), tally.written);
        let made = shards.iter().zip(&tallies).enumerate().map(made).collect();
        Ok((made, tally))
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number:06}.jsonl.zst"))
    }

    fn shard(&self, number: usize, shard: &Shard, context: &Context<'_>) -> Result<Tally> {
        let (path, beside) = (self.path(number), self.folder.join(format!("{number:06}.json")));
        let source = &context.sources[shard.source];
        if let Some(tally) = done(&path, &beside).filter(|tally| still_right(tally, source, context)) {
            context.done.add(shard.bytes);
            return Ok(tally);
        }
        let mut tally = Tally::new(self.steps().len(), context.rejected);
        let mut judge = self.judge.map(|(_, stage, work)| stage.judge(work, number as u32)).transpose()?;
        formats::write(&path, |sink| {
            let mut damage = vec![];
            shard.read(
                context.limits,
                context.done,
                &mut |mut document| {
                    if context.stop.load(Ordering::Relaxed) {
                        return Err(Error::input("the build", "was interrupted", "the same command goes on"));
                    }
                    if context.most.is_some_and(|most| tally.read.documents >= most) {
                        return Ok(ControlFlow::Break(()));
                    }
                    own(&mut document, &source.name);
                    tally.read.add(&document);
                    if self.through(&mut document, judge.as_deref_mut(), &mut tally, context)? {
                        tally.written.add(&document);
                        sink.push(&document)?;
                    }
                    Ok(ControlFlow::Continue(()))
                },
                &mut |found| {
                    refused(&found, source.damage)?;
                    damage.push(found);
                    Ok(())
                },
            )?;
            damage.iter().for_each(|found| tally.damage(found));
            Ok(())
        })?;
        if let Some(judge) = judge {
            judge.finish()?;
        }
        let text = serde_json::to_string(&tally).expect("numbers and texts");
        files::write(&beside, text.as_bytes())?;
        Ok(tally)
    }

    /// Takes a document through all steps; whether it comes out.
    fn through(
        &self,
        document: &mut Document,
        judge: Option<&mut (dyn crate::data::pipeline::dedup::Judge + '_)>,
        tally: &mut Tally,
        context: &Context<'_>,
    ) -> Result<bool> {
        let judged = judge.map(|judge| (self.judge.expect("there is a judge").0, One::Judge(judge)));
        let rules = self.rules.iter().map(|(step, rules)| (*step, One::Rules(rules.as_ref())));
        for (at, (step, mut one)) in judged.into_iter().chain(rules).enumerate() {
            let start = Instant::now();
            let (before, length) = (print(document), document.text.len());
            let kept = (context.rejected > 0).then(|| Kept::of(document));
            let counts = &mut tally.steps[at];
            counts.input.add(document);
            let verdict = match &mut one {
                One::Judge(judge) => judge.apply(document, &mut counts.applied)?,
                One::Rules(rules) => rules.apply(document, &mut counts.applied),
            };
            match verdict {
                Verdict::Keep => {
                    counts.output.add(document);
                    counts.changed += u64::from(print(document) != before);
                    counts.nanoseconds += start.elapsed().as_nanos() as u64;
                }
                Verdict::Drop(rule) => {
                    counts.dropped.add(rule, length);
                    counts.nanoseconds += start.elapsed().as_nanos() as u64;
                    if let Some(kept) = kept {
                        kept.restore(document);
                    }
                    tally.reject(step.name(), rule, document);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Refuses steps that did nothing, or left nothing.
    fn check(&self, tally: &Tally, context: &Context<'_>) -> Result<()> {
        if context.most.is_some() {
            return Ok(());
        }
        for (step, counts) in self.steps().into_iter().zip(&tally.steps) {
            accept(step.name(), counts.input, counts.output, counts.changed, |outcome| step.allows(outcome))?;
        }
        Ok(())
    }
}

/// Refuses a step that did nothing, or left nothing, and must not.
pub(super) fn accept(step: &str, input: Size, output: Size, changed: u64, allows: impl Fn(Allowed) -> bool) -> Result<()> {
    let refuse = |outcome: &str, allowed: &str| {
        let message = format!("{outcome} ({} documents came in)", input.documents);
        let help = format!("look at its options and at what comes before it; where this is right, write allow = [\"{allowed}\"]");
        Err(Error::input(format!("step {step}"), message, help))
    };
    if input.documents > 0 && changed == 0 && output == input && !allows(Allowed::Nothing) {
        return refuse("changed nothing and dropped nothing", "nothing");
    }
    if input.documents > 0 && output.documents == 0 && !allows(Allowed::Everything) {
        return refuse("dropped every document", "everything");
    }
    Ok(())
}

/// Gives a document the name of its source in the recipe; what its row said instead stays in its meta.
fn own(document: &mut Document, source: &str) {
    if document.source != source {
        let said = std::mem::replace(&mut document.source, source.to_string());
        if !said.is_empty() {
            document.meta.entry("source").or_insert(said.into());
        }
    }
}

/// What judges a document.
enum One<'a, 'b> {
    Judge(&'a mut (dyn crate::data::pipeline::dedup::Judge + 'b)),
    Rules(&'a dyn Rules),
}

/// The beginning of a text before a step, for showing what it rejected.
struct Kept(String);

impl Kept {
    fn of(document: &Document) -> Self {
        let end = document.text.char_indices().nth(super::tally::SHOWN).map_or(document.text.len(), |(at, _)| at);
        Self(document.text[..end].to_string())
    }

    fn restore(self, document: &mut Document) {
        document.text = self.0;
    }
}

/// Whether a shard that was done under other allowances is what it would be now: nothing was passed over that is to be refused, and as
/// many rejected documents were kept as are asked for.
fn still_right(tally: &Tally, source: &SourceConfig, context: &Context<'_>) -> bool {
    tally.most >= context.rejected && (source.damage == OnDamage::Skip || tally.damaged.is_empty())
}

/// What happened to a shard, if it is done.
fn done(path: &Path, beside: &Path) -> Option<Tally> {
    path.is_file().then_some(())?;
    serde_json::from_slice(&std::fs::read(beside).ok()?).ok()
}
