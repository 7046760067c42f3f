//! Memory of this process, and between two phases of a run.

/// Gives memory that is free back to the system. To be called after an evaluation: its tensors leave holes of other sizes
/// than training needs, and without this the process would keep them and grow a little with each of the first ones.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no memory is touched that is in use; the allocator takes its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Largest resident memory of this process so far, in bytes.
pub fn peak() -> Option<u64> {
    // `getrusage` would count what the parent had before it started this program.
    #[cfg(target_os = "linux")]
    return status("VmHWM:");
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a valid, writable structure.
        let code = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        return (code == 0).then(|| usage.ru_maxrss as u64 * unit);
    }
    #[allow(unreachable_code)]
    None
}

/// Resident memory of this process, in bytes; only known on Linux.
pub fn resident() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return status("VmRSS:");
    #[allow(unreachable_code)]
    None
}

/// Lets [`peak`] start again from what is resident now, free memory given back; false where the system cannot.
pub(super) fn reset_peak() -> bool {
    give_back();
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[cfg(target_os = "linux")]
fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
