//! Counts the matrix products that the operators really run and the bytes they really keep, to hold the accounting
//! against.

use super::memory;
use burn::{backend::DispatchTensorKind, tensor::Tensor};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

thread_local! {
    static FLOPS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `body` and returns its result with the floating-point operations of the forward matrix products that this
/// thread's operators reported meanwhile (a multiply-add counts 2; of attention, only the visible query-key pairs). A
/// forward product that a backward pass repeats counts, the products of gradients do not.
pub fn count_flops<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let before = FLOPS.replace(Some(0));
    let value = body();
    let counted = FLOPS.replace(before).unwrap_or(0);
    (value, counted)
}

/// Reports a product; free when nobody counts. Takes a closure so that counting costs nothing otherwise.
pub(crate) fn report(flops: impl FnOnce() -> u64) {
    FLOPS.with(|counter| {
        if let Some(sum) = counter.get() {
            counter.set(Some(sum + flops()));
        }
    });
}

thread_local! {
    /// Bytes by the address they start at.
    static KEPT: RefCell<Option<BTreeMap<usize, u64>>> = const { RefCell::new(None) };
}

/// Runs `body` and returns its result with the bytes that this thread's operators kept for backward passes meanwhile.
/// What lies at one place counts once, whoever keeps it; parameters count, indices do not. On the CPU only.
///
/// What is kept must not have been freed before `body` ends.
pub fn count_kept<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let before = KEPT.replace(Some(BTreeMap::new()));
    let value = body();
    let kept = KEPT.replace(before).unwrap_or_default();
    (value, kept.values().sum())
}

/// Reports a tensor without gradients that is kept by something else than an operator.
pub fn report_kept<const D: usize>(x: &Tensor<D>) {
    report_place(|| match x.clone().into_dispatch().kind {
        DispatchTensorKind::Flex(tensor) => memory::place_of_flex(tensor.as_float()),
        #[allow(unreachable_patterns, reason = "the only one without GPU features")]
        _ => None,
    });
}

/// Reports a tensor that is kept, by address and bytes; free when nobody counts.
pub(super) fn report_place(place: impl FnOnce() -> Option<(usize, u64)>) {
    KEPT.with_borrow_mut(|kept| {
        if let Some(kept) = kept
            && let Some((address, bytes)) = place()
        {
            kept.insert(address, bytes);
        }
    });
}
