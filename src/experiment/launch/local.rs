//! Children on this machine, some at a time.

use super::{
    child::{Running, Worker, failure, finish, listen, record},
    interrupt,
};
use crate::{
    device::DeviceName,
    experiment::{Job, Record},
    settings::{Error, Result},
    train::Tick,
};
use std::{
    collections::{BTreeSet, VecDeque},
    path::{Path, PathBuf},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

/// How to launch.
pub struct Launch<'a> {
    /// The program: this one.
    pub program: &'a Path,
    /// Device.
    pub device: &'a DeviceName,
    /// Children at a time.
    pub jobs: usize,
}

/// News from the children.
pub enum Signal {
    /// A run starts.
    Started(Job),
    /// A run is alive.
    Tick(Job, Tick),
    /// A run ended, with its record; without one it was interrupted.
    Ended(Job, Box<Option<Record>>),
    /// The machinery itself broke.
    Broken(Error),
}

/// Trains all jobs, in order, and hands on what happens, on the calling thread. Answers whether it was interrupted.
///
/// `prepare` makes the folder of a job ready. After an interrupt no job starts, and the running ones are asked once to
/// stop and waited for; after a second they are killed.
///
/// # Errors
///
/// What `prepare` and `news` answer with, or a program that cannot be started; running children are stopped first.
pub fn local(
    launch: &Launch,
    jobs: Vec<Job>,
    prepare: &(dyn Fn(&Job) -> Result<PathBuf> + Sync),
    news: &mut dyn FnMut(Signal) -> Result<()>,
) -> Result<bool> {
    let slots = launch.jobs.clamp(1, jobs.len().max(1));
    let worker = Worker { program: launch.program, device: launch.device, threads: threads(slots) };
    let queue = Mutex::new(VecDeque::from(jobs));
    let children = Mutex::new(BTreeSet::new());
    let (sender, receiver) = mpsc::channel();
    let mut broken = None;
    thread::scope(|scope| {
        for _ in 0..slots {
            let (sender, queue, children, worker) = (sender.clone(), &queue, &children, &worker);
            scope.spawn(move || {
                while interrupt::asked() == 0 {
                    let Some(job) = lock(queue).pop_front() else { break };
                    let signal = match one(worker, &job, prepare, children, &sender) {
                        Ok(record) => Signal::Ended(job, Box::new(record)),
                        Err(error) => Signal::Broken(error),
                    };
                    if sender.send(signal).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut told = 0;
        loop {
            let signal = match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(Signal::Broken(error)) => Some(Err(error)),
                Ok(signal) => Some(news(signal)),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            if let Some(Err(error)) = signal {
                lock(&queue).clear();
                broken.get_or_insert(error);
                stop(&children, false);
            }
            let asked = interrupt::asked();
            if asked > told {
                stop(&children, asked > 1);
                told = asked;
            }
        }
    });
    match broken {
        Some(error) => Err(error),
        None => Ok(interrupt::asked() > 0),
    }
}

/// One run from folder to record.
fn one(
    worker: &Worker,
    job: &Job,
    prepare: &(dyn Fn(&Job) -> Result<PathBuf> + Sync),
    children: &Mutex<BTreeSet<u32>>,
    sender: &mpsc::Sender<Signal>,
) -> Result<Option<Record>> {
    let folder = prepare(job)?;
    // A receiver that is gone has stopped listening for a reason of its own.
    let _ = sender.send(Signal::Started(job.clone()));
    let mut running: Running = match worker.start(folder) {
        Ok(running) => running,
        Err(error) => return Ok(Some(record(job, failure(job, error.to_string(), worker, 0.0)))),
    };
    let process = running.child.id();
    lock(children).insert(process);
    // An interrupt between the look at the counter and the start would otherwise miss this child.
    if interrupt::asked() > 0 {
        signal(process, false);
    }
    if let Some(output) = running.child.stdout.take() {
        listen(output, |tick| {
            let _ = sender.send(Signal::Tick(job.clone(), tick));
        });
    }
    let ended = finish(running, job, worker);
    lock(children).remove(&process);
    ended
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds the lock")
}

fn stop(children: &Mutex<BTreeSet<u32>>, kill: bool) {
    for process in lock(children).iter() {
        signal(*process, kill);
    }
}

#[cfg(unix)]
fn signal(process: u32, kill: bool) {
    let number = if kill { libc::SIGKILL } else { libc::SIGINT };
    // SAFETY: a plain system call. The process is a child that has not been waited for, so its number is not reused.
    unsafe { libc::kill(process as libc::pid_t, number) };
}

/// Elsewhere Ctrl-C reaches the children by itself.
#[cfg(not(unix))]
fn signal(_process: u32, _kill: bool) {}

/// Threads for each of so many children: an even share of the cores. None leaves one child, or a user's own
/// `RAYON_NUM_THREADS`, alone.
fn threads(slots: usize) -> Option<usize> {
    if slots == 1 || std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return None;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Some((cores / slots).max(1))
}
