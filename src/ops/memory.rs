//! What a call leaves to its backward pass, and how results that were not kept come back.
//!
//! ```text
//! norm ─► linear            forward: linear keeps no input but the norm's memory
//! memory ◄─ Held::Again     backward: linear asks it for the norm's result, then the norm's backward runs
//! ```
//!
//! The graph of gradients is the same whatever is kept, so every sum is made in the same order and every gradient has
//! the same bits.

use super::{
    count,
    operator::{Keeps, Kept, Native, Operator, Reading},
};
use burn::backend::{
    flex::FlexTensor,
    tensor::{FloatTensor, IntTensor},
};
use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// What a call leaves to its backward pass.
#[derive(Debug)]
pub(super) struct Memory<B: Native> {
    operator: Arc<dyn Operator>,
    keeps: Keeps,
    contents: Mutex<Contents<B>>,
}

#[derive(Clone, Debug)]
struct Contents<B: Native> {
    /// Empty where nothing reads them again.
    inputs: Vec<Held<B>>,
    indices: Option<IntTensor<B>>,
    saved: Vec<FloatTensor<B>>,
    /// Whether `saved` is all that the forward pass gave.
    whole: bool,
    /// Operators that will still ask for the result.
    readers: usize,
    /// The result, while several ask for it.
    result: Option<FloatTensor<B>>,
}

/// An input of a call.
#[derive(Debug)]
pub(super) enum Held<B: Native> {
    /// Kept.
    Value(FloatTensor<B>),
    /// Made again by the call that it is the result of.
    Again(Arc<Memory<B>>),
}

impl<B: Native> Clone for Held<B> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(tensor) => Self::Value(tensor.clone()),
            Self::Again(memory) => Self::Again(memory.clone()),
        }
    }
}

impl<B: Native> Held<B> {
    fn value(self) -> FloatTensor<B> {
        match self {
            Self::Value(tensor) => tensor,
            Self::Again(memory) => memory.result(),
        }
    }
}

thread_local! {
    /// The calls whose results can be made again, by the node of the result. Forward passes run on one thread; a reader
    /// on another one keeps the tensor.
    static CALLS: RefCell<HashMap<u64, Weak<dyn Any + Send + Sync>>> = RefCell::new(HashMap::new());
}

impl<B: Native> Memory<B> {
    /// How a call that keeps `keeps` holds its inputs, results of the nodes `ids`.
    pub fn hold(keeps: Keeps, inputs: &[FloatTensor<B>], ids: &[u64]) -> Vec<Held<B>> {
        if !keeps.inputs && matches!(keeps.result, Reading::Kept | Reading::AgainFromSaved) {
            return vec![];
        }
        let call = |id: &u64| {
            let call = CALLS.with_borrow(|calls| calls.get(id).and_then(Weak::upgrade));
            call.and_then(|call| call.downcast::<Self>().ok())
        };
        let hold = |(input, id): (&FloatTensor<B>, &u64)| match call(id) {
            Some(memory) => {
                memory.contents().readers += 1;
                Held::Again(memory)
            }
            None => Held::Value(input.clone()),
        };
        // A view of what is kept anyway needs no memory: whoever reads it keeps the view.
        let needed = |held: &Held<B>| keeps.inputs || keeps.result != Reading::AsInput || matches!(held, Held::Again(_));
        inputs.iter().zip(ids).map(hold).filter(needed).collect()
    }

    /// The memory of a call.
    pub fn new(
        operator: Arc<dyn Operator>,
        keeps: Keeps,
        inputs: Vec<Held<B>>,
        indices: Option<IntTensor<B>>,
        mut saved: Vec<FloatTensor<B>>,
    ) -> Arc<Self> {
        let whole = saved.len() <= keeps.saved;
        saved.truncate(keeps.saved);
        for tensor in saved.iter().chain(inputs.iter().filter_map(|held| if let Held::Value(x) = held { Some(x) } else { None })) {
            count::report_place(|| B::place(tensor));
        }
        let contents = Contents { inputs, indices, saved, whole, readers: 0, result: None };
        Arc::new(Self { operator, keeps, contents: Mutex::new(contents) })
    }

    /// Names the node of the result, if it can be made again: whoever reads it from now on need not keep it.
    pub fn answers_for(self: Arc<Self>, id: u64) {
        let can = match self.keeps.result {
            Reading::Kept => false,
            Reading::AsInput => !self.contents().inputs.is_empty(),
            Reading::AgainFromInputs | Reading::AgainFromSaved => true,
        };
        if can {
            let call: Weak<Self> = Arc::downgrade(&self);
            CALLS.with_borrow_mut(|calls| {
                calls.retain(|_, call| call.strong_count() > 0);
                calls.insert(id, call);
            });
        }
    }

    /// The operator and all that its backward pass reads.
    pub fn recall(memory: Arc<Self>) -> (Arc<dyn Operator>, Kept<B>) {
        if !memory.contents().whole {
            memory.again();
        }
        // Nobody else holds the memory of a step unless the tape is walked twice.
        let (operator, keeps) = (memory.operator.clone(), memory.keeps);
        let contents = match Arc::try_unwrap(memory) {
            Ok(memory) => memory.contents.into_inner().unwrap_or_else(PoisonError::into_inner),
            Err(memory) => memory.contents().clone(),
        };
        let inputs = if keeps.inputs { contents.inputs.into_iter().map(Held::value).collect() } else { vec![] };
        (operator, Kept { inputs, indices: contents.indices, saved: contents.saved, begun: None })
    }

    /// The result, once for each reader.
    fn result(&self) -> FloatTensor<B> {
        let result = self.contents().result.take();
        let result = result.unwrap_or_else(|| self.again());
        let mut contents = self.contents();
        contents.readers = contents.readers.saturating_sub(1);
        if contents.readers > 0 {
            contents.result = Some(result.clone());
        }
        result
    }

    /// Computes the result, and what is missing behind it.
    fn again(&self) -> FloatTensor<B> {
        let Contents { inputs, indices, saved, .. } = self.contents().clone();
        let reads = self.keeps.result != Reading::AgainFromSaved;
        let inputs = if reads { inputs.into_iter().map(Held::value).collect() } else { vec![] };
        let mut all = B::again(self.operator.clone(), Kept { inputs, indices, saved, begun: None });
        let mut contents = self.contents();
        if !contents.whole {
            contents.saved = all.split_off(1);
            contents.whole = true;
        }
        all.swap_remove(0)
    }

    fn contents(&self) -> MutexGuard<'_, Contents<B>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the numbers of a tensor on the CPU lie, and how many bytes lie there.
pub(super) fn place_of_flex(tensor: &FlexTensor) -> Option<(usize, u64)> {
    let bytes = tensor.bytes();
    Some((bytes.as_ptr() as usize, bytes.len() as u64))
}
