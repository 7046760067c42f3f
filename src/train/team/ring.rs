//! Those among whom each layer is divided, as its operators see them.

use super::values::{data_of, of_data};
use crate::{
    ops::Neighbours,
    parallel::{
        Event, Lane,
        group::{Group, Lost, Numbers, even_parts},
    },
};
use burn::tensor::TensorData;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The neighbours of a rank, whom operators exchange numbers with in the middle of a pass.
///
/// An operator cannot fail. Where one is lost, what it is given are numbers of no meaning, and [`Ring::lost`] says so at the end
/// of the pass.
#[derive(Debug)]
pub struct Ring {
    rank: usize,
    size: usize,
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None once this one has left.
    group: Option<Group>,
    lost: Option<Lost>,
    /// When was sent, since the last look.
    events: Vec<Event>,
    bytes: u64,
}

impl Ring {
    pub fn new(group: Group, origin: Instant) -> Self {
        let (rank, size) = (group.rank(), group.size());
        Self { rank, size, origin, state: Mutex::new(State { group: Some(group), lost: None, events: vec![], bytes: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something together, unless one was lost before.
    fn together<T>(&self, name: &str, bytes: usize, work: impl FnOnce(&Group) -> Result<T, Lost>) -> Option<T> {
        let mut state = self.state();
        let group = state.group.as_ref().filter(|_| state.lost.is_none())?;
        let start = self.origin.elapsed().as_secs_f64();
        let result = work(group);
        let result = result.map_err(|lost| state.lost = Some(lost)).ok();
        let seconds = self.origin.elapsed().as_secs_f64() - start;
        state.events.push(Event { lane: Lane::Link("neighbours"), name: name.to_owned(), start, seconds });
        state.bytes += bytes as u64;
        result
    }

    /// Fails if one was lost.
    ///
    /// # Errors
    ///
    /// Who.
    pub fn complete(&self) -> Result<(), Lost> {
        self.state().lost.clone().map_or(Ok(()), Err)
    }

    /// Tells the others why this one leaves.
    pub fn leave(&self, why: &str) {
        if let Some(group) = &self.state().group {
            group.leave(why);
        }
    }

    /// Closes the connections, whoever else still holds this: steps of a tape that nobody will run any more.
    pub fn close(&self) {
        self.state().group = None;
    }

    /// Leaves the sums over all with each of them.
    pub fn sum(&self, values: &mut Numbers) {
        let bytes = values.len() * values.width();
        self.together("sums", bytes, |group| group.all_reduce(values));
    }

    /// What each has, in their order, with the first one; nothing with the others.
    ///
    /// # Errors
    ///
    /// One is lost.
    pub fn collect(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        let bytes = message.len();
        let found = self.together("parts", bytes, |group| group.gather(message));
        self.complete()?;
        Ok(found.unwrap_or_default())
    }

    /// What was sent since the last call, and when.
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.state().events)
    }

    /// Bytes that were handed over since the last call.
    pub fn bytes(&self) -> u64 {
        std::mem::take(&mut self.state().bytes)
    }
}

impl Neighbours for Ring {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, own: TensorData) -> TensorData {
        let own = of_data(own);
        let count = own.len();
        let mut all = own.zeros(self.size * count);
        all.put(self.rank * count, &own);
        self.together("tokens", count * own.width(), |group| group.all_gather(&mut all, &even_parts(self.size * count, self.size)));
        data_of(all)
    }

    fn scatter(&self, all: TensorData) -> TensorData {
        let mut all = of_data(all);
        let parts = even_parts(all.len(), self.size);
        let bytes = (all.len() - parts[self.rank].len()) * all.width();
        self.together("sums of tokens", bytes, |group| group.reduce_scatter(&mut all, &parts));
        data_of(all.part(parts[self.rank].clone()))
    }
}
