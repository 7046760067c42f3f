//! How far a phase of a build is, within files too.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Bytes that a phase has read: of what it is done with, and of the files that it is reading.
#[derive(Debug, Default)]
pub(super) struct Done(Mutex<Bytes>);

#[derive(Debug, Default)]
struct Bytes {
    done: u64,
    /// What has been read of each file, counted by its reader, and for how much the file counts.
    open: Vec<(Arc<AtomicU64>, u64)>,
}

impl Done {
    /// Begins another phase.
    pub fn begin(&self) {
        *self.bytes() = Bytes::default();
    }

    /// Adds what has been done before.
    pub fn add(&self, bytes: u64) {
        self.bytes().done += bytes;
    }

    /// Counts with `read` what is read of something that counts for so many bytes, until that is dropped: then it counts for all.
    pub fn reading(&self, read: Arc<AtomicU64>, bytes: u64) -> Reading<'_> {
        self.bytes().open.push((Arc::clone(&read), bytes));
        Reading { done: self, read, bytes }
    }

    /// Bytes so far.
    pub fn now(&self) -> u64 {
        let bytes = self.bytes();
        // Readers read ahead, and what a file counts for is not always its size.
        bytes.done + bytes.open.iter().map(|(read, most)| read.load(Ordering::Relaxed).min(*most)).sum::<u64>()
    }

    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is being read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    done: &'a Done,
    read: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut bytes = self.done.bytes();
        bytes.open.retain(|(read, _)| !Arc::ptr_eq(read, &self.read));
        bytes.done += self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_read_counts_up_to_its_size_and_then_as_a_whole() {
        let done = Done::default();
        done.add(5);
        let counters = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let first = done.reading(Arc::clone(&counters[0]), 100);
        let second = done.reading(Arc::clone(&counters[1]), 10);
        assert_eq!(done.now(), 5);
        counters[0].store(30, Ordering::Relaxed);
        counters[1].store(11, Ordering::Relaxed);
        assert_eq!(done.now(), 5 + 30 + 10);
        drop(first);
        assert_eq!(done.now(), 5 + 100 + 10);
        drop(second);
        assert_eq!(done.now(), 115);
        done.begin();
        assert_eq!(done.now(), 0);
    }
}
