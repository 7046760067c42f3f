//! Tuning the C library's allocator for training.
//!
//! Every operator on the CPU allocates its output anew. By default glibc gives blocks of some hundred KiB back to the
//! system when they are freed and takes fresh pages for the next one; the page faults cost a fifth of a training step.

/// Keeps freed memory in the process. To be called first thing, before other threads start.
pub fn tune() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` only sets parameters of the allocator; no other thread runs yet.
    unsafe {
        // Large blocks from the heap, not from mappings of their own that vanish when they are freed.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        // Never shrink the heap, and grow it in steps of 64 MiB.
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// What [`tune`] made of the allocator, in words.
pub fn name() -> &'static str {
    if cfg!(all(target_os = "linux", target_env = "gnu")) { "glibc, keeping freed memory" } else { "the system's" }
}
