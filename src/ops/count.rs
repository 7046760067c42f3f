//! Counts the matrix products that the operators really run, to hold the accounting against.

use std::cell::Cell;

thread_local! {
    static FLOPS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `body` and returns its result with the floating-point operations of the forward matrix products that this
/// thread's operators reported meanwhile (a multiply-add counts 2; of attention, only the visible query-key pairs).
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
