//! Children on this machine, some at a time.

use super::{
    child::{Life, Running, Worker, failed, finish, listen},
    folder::wait_for_others,
    interrupt,
    packing::Memory,
};
use crate::{
    device::DeviceName,
    experiment::{Cause, Job, Record, RunLock},
    settings::{Error, Result},
    train::Tick,
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How to launch.
pub struct Launch<'a> {
    /// The program: this one.
    pub program: &'a Path,
    /// Folder of the experiment, which those of the jobs are in.
    pub root: &'a Path,
    /// The device of every child that may run at a time: a device that takes several is there several times.
    pub slots: Vec<DeviceName>,
    /// How long a child may be silent; none: as its pace suggests.
    pub patience: Option<Duration>,
    /// Bytes that a job is expected to need on a device.
    pub bytes: &'a (dyn Fn(&Job, &DeviceName) -> u64 + Sync),
}

/// Children at a time on a device where nobody says how many: on the CPU up to four, since small models leave cores idle;
/// elsewhere one.
pub fn default_jobs(device: &DeviceName) -> usize {
    match device {
        DeviceName::Flex => thread::available_parallelism().map_or(1, usize::from).min(4),
        _ => 1,
    }
}

/// News from the children.
pub enum Signal {
    /// The worker of an earlier command still trains a run, and is waited for.
    Waiting(Job),
    /// A run starts.
    Started(Job),
    /// A run is alive.
    Tick(Job, Tick),
    /// An attempt at a run ended, with its record; without one it was interrupted.
    Ended(Job, Box<Option<Record>>),
    /// The machinery itself broke.
    Broken(Error),
}

/// What waits, and what the devices have left.
struct Queue {
    jobs: VecDeque<Job>,
    memory: BTreeMap<String, Memory>,
}

/// What the threads share.
struct Shared<'a> {
    launch: &'a Launch<'a>,
    threads: Option<usize>,
    prepare: &'a (dyn Fn(&Job) -> Result<PathBuf> + Sync),
    queue: Mutex<Queue>,
    ended: Condvar,
    children: Mutex<BTreeMap<u32, Arc<Life>>>,
}

/// How often the children are looked after.
const LOOK: Duration = Duration::from_millis(100);

/// Tries every job once, in order as far as memory allows, and hands on what happens, on the calling thread. Answers whether
/// it was interrupted.
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
    let slots = &launch.slots[..launch.slots.len().min(jobs.len())];
    let memory = slots.iter().map(|device| (device.to_string(), Memory::of(device))).collect();
    let shared = Shared {
        launch,
        threads: threads(slots.len()),
        prepare,
        queue: Mutex::new(Queue { jobs: jobs.into(), memory }),
        ended: Condvar::new(),
        children: Mutex::default(),
    };
    let (sender, receiver) = mpsc::channel();
    let mut broken = None;
    thread::scope(|scope| {
        for device in slots {
            let (sender, shared) = (sender.clone(), &shared);
            scope.spawn(move || slot(shared, device, &sender));
        }
        drop(sender);
        let (mut told, mut looked) = (0, Instant::now());
        loop {
            let signal = match receiver.recv_timeout(LOOK) {
                Ok(Signal::Broken(error)) => Some(Err(error)),
                Ok(signal) => Some(news(signal)),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            if let Some(Err(error)) = signal {
                lock(&shared.queue).jobs.clear();
                broken.get_or_insert(error);
                stop(&shared, false);
            }
            if looked.elapsed() >= LOOK {
                watch(&shared, looked.elapsed());
                looked = Instant::now();
            }
            let asked = interrupt::asked();
            if asked > told {
                stop(&shared, asked > 1);
                told = asked;
            }
        }
    });
    match broken {
        Some(error) => Err(error),
        None => Ok(interrupt::asked() > 0),
    }
}

/// Takes jobs for a device until there are none.
fn slot(shared: &Shared, device: &DeviceName, sender: &mpsc::Sender<Signal>) {
    while let Some((job, bytes)) = next(shared, device) {
        let signal = match one(shared, device, &job, sender) {
            Ok(record) => Signal::Ended(job, Box::new(record)),
            Err(error) => Signal::Broken(error),
        };
        if let Some(memory) = lock(&shared.queue).memory.get_mut(&device.to_string()) {
            memory.give(bytes);
        }
        shared.ended.notify_all();
        if sender.send(signal).is_err() {
            break;
        }
    }
}

/// The first job that fits on the device, and what it takes there; waits until one does. None when there are no more.
fn next(shared: &Shared, device: &DeviceName) -> Option<(Job, u64)> {
    let mut queue = lock(&shared.queue);
    loop {
        if interrupt::asked() > 0 || queue.jobs.is_empty() {
            return None;
        }
        let Queue { jobs, memory } = &mut *queue;
        let memory = memory.entry(device.to_string()).or_default();
        let fits = |job: &Job| memory.admits((shared.launch.bytes)(job, device));
        if let Some(job) = jobs.iter().position(fits).and_then(|index| jobs.remove(index)) {
            let bytes = (shared.launch.bytes)(&job, device);
            memory.take(bytes);
            return Some((job, bytes));
        }
        queue = shared.ended.wait_timeout(queue, LOOK).expect("no thread panics while it holds the lock").0;
    }
}

/// One attempt at a run, from folder to record.
fn one(shared: &Shared, device: &DeviceName, job: &Job, sender: &mpsc::Sender<Signal>) -> Result<Option<Record>> {
    let Launch { program, patience, root, .. } = *shared.launch;
    let worker = Worker { program, device, threads: shared.threads, patience };
    let run = root.join(&job.folder);
    if RunLock::is_held(&run) {
        // A receiver that is gone has stopped listening for a reason of its own.
        let _ = sender.send(Signal::Waiting(job.clone()));
    }
    if !wait_for_others(&run, || interrupt::asked() > 0) {
        return Ok(None);
    }
    let folder = (shared.prepare)(job)?;
    let _ = sender.send(Signal::Started(job.clone()));
    let mut running: Running = match worker.start(folder) {
        Ok(running) => running,
        Err(error) => return Ok(Some(failed(job, (Cause::Crash, error.to_string()), &worker, 0.0))),
    };
    let process = running.child.id();
    lock(&shared.children).insert(process, running.life.clone());
    // An interrupt between the look at the counter and the start would otherwise miss this child.
    if interrupt::asked() > 0 {
        signal(process, false);
    }
    if let Some(output) = running.child.stdout.take() {
        listen(output, &running.life.clone(), |tick| {
            let _ = sender.send(Signal::Tick(job.clone(), tick));
        });
    }
    let ended = finish(running, job, &worker);
    lock(&shared.children).remove(&process);
    ended
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds the lock")
}

/// Kills what has been silent for too long.
fn watch(shared: &Shared, pause: Duration) {
    for (process, life) in lock(&shared.children).iter() {
        if life.look(pause) {
            signal(*process, true);
        }
    }
}

fn stop(shared: &Shared, kill: bool) {
    for process in lock(&shared.children).keys() {
        signal(*process, kill);
    }
}

/// Asks a child to stop, or kills it with everything that it started: its process group.
#[cfg(unix)]
fn signal(process: u32, kill: bool) {
    let (process, number) = if kill { (-(process as libc::pid_t), libc::SIGKILL) } else { (process as libc::pid_t, libc::SIGINT) };
    // SAFETY: a plain system call. The process is a child that has not been waited for, so its number is not reused.
    unsafe { libc::kill(process, number) };
}

/// Elsewhere Ctrl-C reaches the children by itself.
#[cfg(not(unix))]
fn signal(_process: u32, _kill: bool) {}

/// Threads for each of so many children: an even share of the cores. None leaves one child, or a user's own
/// `RAYON_NUM_THREADS`, alone.
fn threads(slots: usize) -> Option<usize> {
    if slots <= 1 || std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return None;
    }
    Some(share(thread::available_parallelism().map_or(1, usize::from), slots))
}

fn share(cores: usize, slots: usize) -> usize {
    (cores / slots).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_and_none_goes_without() {
        assert_eq!([share(16, 4), share(7, 2), share(2, 4)], [4, 3, 1]);
        assert_eq!(threads(1), None);
    }
}
