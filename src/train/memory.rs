//! Memory between two phases of a run.

/// Gives memory that is free back to the system. To be called after an evaluation: its tensors leave holes of other sizes
/// than training needs, and without this the process would keep them and grow a little with each of the first ones.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no memory is touched that is in use; the allocator takes its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
