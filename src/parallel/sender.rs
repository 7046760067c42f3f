//! A thread of a rank that sends while the rank computes.

use super::{
    group::{Group, Lost, Numbers},
    timeline::{Event, Lane},
};
use std::{
    ops::Range,
    sync::mpsc::{Receiver, Sender as Queue, channel},
    thread::JoinHandle,
    time::Instant,
};

/// What all ranks do with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Every rank gets the sum of all.
    Reduce,
    /// Every rank gets the sum of what it owns.
    ReduceOwned,
    /// Every rank gets what the others own.
    Gather,
    /// The first rank gets what the others own.
    Collect,
}

struct Job {
    name: String,
    operation: Operation,
    values: Numbers,
    parts: Vec<Range<usize>>,
}

struct Done {
    values: Numbers,
    event: Event,
}

/// Sends buckets one after the other, in the order in which they were handed over, which must be the same on all ranks.
#[derive(Debug)]
pub struct Sender {
    jobs: Option<Queue<Job>>,
    done: Receiver<Result<Done, Lost>>,
    thread: Option<JoinHandle<()>>,
    origin: Instant,
    waiting: usize,
    /// When what was sent was sent, since the last look.
    events: Vec<Event>,
    bytes: u64,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.event.name)
    }
}

impl Sender {
    /// Starts the thread; times are counted from `origin`, and a trace names what is sent by its `purpose`.
    pub fn start(group: Group, origin: Instant, purpose: &'static str) -> Self {
        let (jobs, todo) = channel::<Job>();
        let (finished, done) = channel();
        let thread = std::thread::spawn(move || {
            for job in todo {
                let result = carry_out(&group, job, origin, purpose);
                let lost = result.is_err();
                // Nobody who waits for the others can be helped any more once one is lost.
                if finished.send(result).is_err() || lost {
                    return;
                }
            }
        });
        Self { jobs: Some(jobs), done, thread: Some(thread), origin, waiting: 0, events: vec![], bytes: 0 }
    }

    /// Hands a bucket over. `parts` say what each rank owns.
    pub fn send(&mut self, name: impl Into<String>, operation: Operation, values: Numbers, parts: &[Range<usize>]) {
        self.bytes += (values.len() * values.width()) as u64;
        let job = Job { name: name.into(), operation, values, parts: parts.to_vec() };
        self.waiting += 1;
        // A thread that has ended has said why: that is read where its answer is.
        let _ = self.jobs.as_ref().expect("the thread has not been stopped").send(job);
    }

    /// The next bucket that is done, in the order in which they were handed over; none where all have been fetched.
    ///
    /// # Errors
    ///
    /// A rank that has left, or does not answer.
    pub fn receive(&mut self) -> Result<Option<Numbers>, Lost> {
        if self.waiting == 0 {
            return Ok(None);
        }
        self.waiting -= 1;
        let gone = || Lost::Apart("the thread that sends has ended".into());
        let Done { values, event } = self.done.recv().unwrap_or_else(|_| Err(gone()))?;
        self.events.push(event);
        Ok(Some(values))
    }

    /// What was sent since the last call, and when.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Bytes of the buckets that were handed over since the last call.
    pub fn bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Seconds since the origin.
    pub fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.jobs = None;
        // It may wait for one that hangs: whoever drops this must not.
        drop(self.thread.take());
    }
}

fn carry_out(group: &Group, job: Job, origin: Instant, purpose: &'static str) -> Result<Done, Lost> {
    let Job { name, operation, mut values, parts } = job;
    let start = origin.elapsed().as_secs_f64();
    match operation {
        Operation::Reduce => group.all_reduce(&mut values)?,
        Operation::ReduceOwned => group.reduce_scatter(&mut values, &parts)?,
        Operation::Gather => group.all_gather(&mut values, &parts)?,
        Operation::Collect => group.collect(&mut values, &parts)?,
    }
    let seconds = origin.elapsed().as_secs_f64() - start;
    Ok(Done { values, event: Event { lane: Lane::Link(purpose), name, start, seconds } })
}
