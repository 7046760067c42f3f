//! The devices of a run among each other: who they are, and what they can do together.
//!
//! ```text
//! threads ──┐
//!           ├─► Mesh (an end of every connection) ─► Groups ─► Group: all_reduce, reduce_scatter, all_gather, broadcast, gather
//! processes ┘
//! ```
//!
//! Sums are taken in the order of ranks, whatever arrives first, so that the same numbers give the same bits, on every rank.

mod mesh;
mod numbers;
mod processes;
mod threads;

pub use mesh::{Groups, Link, Lost, Mesh};
pub use numbers::Numbers;
pub use processes::{Placement, processes};
pub use threads::threads;

use mesh::Channel;
use std::{ops::Range, time::Duration};

/// Ranks of a run, as one of them sees them. All must call the same operations in the same order.
#[derive(Debug)]
pub struct Group {
    rank: usize,
    /// Their numbers among all ranks of the run, in their order.
    members: Vec<usize>,
    channel: Channel,
    timeout: Duration,
}

impl Group {
    /// The place of this one among them, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The others.
    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let rank = self.rank;
        (0..self.size()).filter(move |other| *other != rank)
    }

    /// Leaves the sum over all ranks with each of them.
    ///
    /// # Errors
    ///
    /// A rank that has left, or does not answer: so for all operations.
    pub fn all_reduce(&self, values: &mut Numbers) -> Result<(), Lost> {
        let parts = even_parts(values.len(), self.size());
        self.reduce_scatter(values, &parts)?;
        self.all_gather(values, &parts)
    }

    /// Leaves the sum over all ranks of a part of the numbers with the rank whose part it is; the other parts stay as they are.
    ///
    /// # Errors
    ///
    /// See [`Group::all_reduce`].
    pub fn reduce_scatter(&self, values: &mut Numbers, parts: &[Range<usize>]) -> Result<(), Lost> {
        for other in self.others().filter(|other| !parts[*other].is_empty()) {
            self.channel.send(self.members[other], values.bytes(parts[other].clone()));
        }
        let mine = parts[self.rank].clone();
        if mine.is_empty() || self.size() == 1 {
            return Ok(());
        }
        let own = values.bytes(mine.clone());
        for rank in 0..self.size() {
            let received = if rank == self.rank { None } else { Some(self.part(rank, own.len())?) };
            let bytes = received.as_deref().unwrap_or(&own);
            if rank == 0 { values.put_bytes(mine.clone(), bytes) } else { values.add_bytes(mine.clone(), bytes) }
        }
        Ok(())
    }

    /// Leaves with each rank the parts of all, each as the rank has it whose part it is.
    ///
    /// # Errors
    ///
    /// See [`Group::all_reduce`].
    pub fn all_gather(&self, values: &mut Numbers, parts: &[Range<usize>]) -> Result<(), Lost> {
        if !parts[self.rank].is_empty() {
            for other in self.others() {
                self.channel.send(self.members[other], values.bytes(parts[self.rank].clone()));
            }
        }
        for other in self.others().filter(|other| !parts[*other].is_empty()) {
            let bytes = self.part(other, parts[other].len() * values.width())?;
            values.put_bytes(parts[other].clone(), &bytes);
        }
        Ok(())
    }

    /// Leaves with the first rank the parts of all, each as the rank has it whose part it is.
    ///
    /// # Errors
    ///
    /// See [`Group::all_reduce`].
    pub fn collect(&self, values: &mut Numbers, parts: &[Range<usize>]) -> Result<(), Lost> {
        if self.rank > 0 {
            let mine = parts[self.rank].clone();
            if !mine.is_empty() {
                self.channel.send(self.members[0], values.bytes(mine));
            }
            return Ok(());
        }
        for other in self.others().filter(|other| !parts[*other].is_empty()) {
            let bytes = self.part(other, parts[other].len() * values.width())?;
            values.put_bytes(parts[other].clone(), &bytes);
        }
        Ok(())
    }

    /// What a rank has sent, which must be so many bytes.
    fn part(&self, rank: usize, length: usize) -> Result<Vec<u8>, Lost> {
        let rank = self.members[rank];
        let bytes = self.channel.receive(rank, self.timeout)?;
        if bytes.len() == length { Ok(bytes) } else { Err(Lost::Apart(format!("rank {rank} does something else than this one"))) }
    }

    /// Gives each rank what the first one has: `message` is looked at there alone.
    ///
    /// # Errors
    ///
    /// See [`Group::all_reduce`].
    pub fn broadcast(&self, message: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, Lost> {
        if self.rank > 0 {
            return self.channel.receive(self.members[0], self.timeout);
        }
        let message = message();
        for other in self.others() {
            self.channel.send(self.members[other], message.clone());
        }
        Ok(message)
    }

    /// Gives the first rank what each has, in their order; the others get nothing.
    ///
    /// # Errors
    ///
    /// See [`Group::all_reduce`].
    pub fn gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        if self.rank > 0 {
            self.channel.send(self.members[0], message);
            return Ok(vec![]);
        }
        let rest = self.others().map(|other| self.channel.receive(self.members[other], self.timeout));
        std::iter::once(Ok(message)).chain(rest).collect()
    }

    /// Does something that the others wait for, and tells them as long as it goes on, by the pulse of this process.
    pub fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        self.channel.working(self.timeout / 4, work)
    }

    /// What a rank that was found missing said here before it left, if it did. One that did not answer may itself wait for another
    /// one, and find that out a moment later.
    pub fn last_words(&self, lost: Lost) -> Lost {
        let (rank, patience) = match lost {
            Lost::Left { rank, why: None } => (rank, Duration::from_millis(200)),
            Lost::Silent { rank, .. } => (rank, Duration::from_secs(3).min(self.timeout)),
            Lost::Left { why: Some(_), .. } | Lost::Apart(_) => return lost,
        };
        let why = if rank == self.members[self.rank] { None } else { self.channel.last_words(rank, patience) };
        why.map_or(lost, |why| Lost::Left { rank, why: Some(why) })
    }

    /// Tells the others why this one leaves; their next operations say so.
    pub fn leave(&self, why: &str) {
        for other in self.others() {
            self.channel.leave(self.members[other], why);
        }
    }
}

/// `count` numbers in as many parts as there are ranks, no two of which differ by more than one.
pub fn even_parts(count: usize, ranks: usize) -> Vec<Range<usize>> {
    (0..ranks).map(|rank| count * rank / ranks..count * (rank + 1) / ranks).collect()
}

#[cfg(test)]
mod tests;
