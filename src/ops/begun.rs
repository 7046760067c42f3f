//! Gradients that have begun: whether something of the gradient of a tensor is there already, so that an operator that
//! reads the tensor can add its part in its own pass over the numbers.
//!
//! ```text
//! x ─┬─► norm ─► branch ─┐      backward: add brings its part of dx and says so;
//!    └────────────────► add     the norm's backward takes that part and gives the whole
//! ```
//!
//! An addition made of Burn's operations says nothing; then the tape adds the parts in a pass of its own. The sums are of
//! the same two numbers either way.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

thread_local! {
    /// By the node of the tensor that an operator waits for. Forward passes run on one thread.
    static AWAITED: RefCell<HashMap<u64, Weak<AtomicBool>>> = RefCell::new(HashMap::new());
}

/// Whether something of the gradient of one tensor is there.
#[derive(Clone, Debug)]
pub(super) struct Begun(Arc<AtomicBool>);

impl Begun {
    /// For an operator that reads the tensor of this node and can add to its gradient.
    pub fn awaited(node: u64) -> Self {
        AWAITED.with_borrow_mut(|awaited| {
            let there = awaited.get(&node).and_then(Weak::upgrade);
            let flag = there.unwrap_or_else(|| {
                awaited.retain(|_, flag| flag.strong_count() > 0);
                let flag = Arc::new(AtomicBool::new(false));
                awaited.insert(node, Arc::downgrade(&flag));
                flag
            });
            Self(flag)
        })
    }

    /// For any other operator that reads the tensor of this node later; none if nobody waits for it.
    pub fn of(node: u64) -> Option<Self> {
        AWAITED.with_borrow(|awaited| awaited.get(&node).and_then(Weak::upgrade)).map(Self)
    }

    /// Something is there.
    pub fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether something is there.
    pub fn said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_read_one_tensor_share_what_is_said_of_it() {
        assert!(Begun::of(7).is_none());
        let (norm, other_norm) = (Begun::awaited(7), Begun::awaited(7));
        let add = Begun::of(7).unwrap();
        assert!(!norm.said() && Begun::of(8).is_none());
        add.say();
        assert!(norm.said() && other_norm.said());
        drop((norm, other_norm, add));
        assert!(Begun::of(7).is_none());
    }
}
