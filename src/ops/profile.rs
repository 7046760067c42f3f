//! Where the time of a step goes, by kind of kernel.
//!
//! Kernels open a [`span`] where they begin. Spans nest, and each counts its own time without that of the spans inside, so
//! that the parts of a [`profile`] add up. Only spans of the profiled thread count: it waits for the threads that help it.
//! When nobody profiles, a span costs one look at a thread-local variable.

use std::{
    cell::RefCell,
    mem,
    time::{Duration, Instant},
};

/// The time that kernels of one kind took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The kind of kernel.
    pub name: &'static str,
    /// How often one ran.
    pub calls: u64,
    /// Time in them, without the kernels of other kinds that they called.
    pub time: Duration,
}

#[derive(Default)]
struct Watch {
    parts: Vec<Part>,
    /// Time in finished spans inside the one that is open.
    inner: Duration,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Runs `body` and returns its result with the time of the kernels that this thread started meanwhile, the largest part
/// first. What is missing from the time of `body` was spent outside of kernels.
///
/// Only kernels that run when they are called can be timed so: those of the CPU.
pub fn profile<T>(body: impl FnOnce() -> T) -> (T, Vec<Part>) {
    let before = WATCH.replace(Some(Watch::default()));
    let value = body();
    let mut parts = WATCH.replace(before).unwrap_or_default().parts;
    parts.sort_by_key(|part| std::cmp::Reverse(part.time));
    (value, parts)
}

/// Counts the time until its value is dropped for `name`.
#[must_use = "a span ends when it is dropped"]
pub(super) fn span(name: &'static str) -> Span {
    Span(
        WATCH.with_borrow_mut(|watch| {
            watch.as_mut().map(|watch| Open { name, outer: mem::take(&mut watch.inner), started: Instant::now() })
        }),
    )
}

/// An open span, if somebody profiles.
pub(super) struct Span(Option<Open>);

struct Open {
    name: &'static str,
    /// Time in finished spans beside this one.
    outer: Duration,
    started: Instant,
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(Open { name, outer, started }) = self.0.take() else { return };
        let all = started.elapsed();
        WATCH.with_borrow_mut(|watch| {
            let Some(watch) = watch else { return };
            let own = all.saturating_sub(watch.inner);
            watch.inner = outer + all;
            match watch.parts.iter_mut().find(|part| part.name == name) {
                Some(part) => {
                    part.calls += 1;
                    part.time += own;
                }
                None => watch.parts.push(Part { name, calls: 1, time: own }),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn parts_count_their_own_time_and_add_up() {
        let nap = Duration::from_millis(20);
        let started = Instant::now();
        let ((), parts) = profile(|| {
            let _outer = span("outer");
            for _ in 0..2 {
                let _inner = span("inner");
                sleep(nap);
                let _innermost = span("innermost");
                sleep(nap);
            }
        });
        let all = started.elapsed();
        let part = |name| parts.iter().find(|part| part.name == name).unwrap();
        assert_eq!(["outer", "inner", "innermost"].map(|name| part(name).calls), [1, 2, 2]);
        assert!(part("inner").time >= 2 * nap && part("innermost").time >= 2 * nap);
        // Naps may be long, but none is counted twice.
        assert!(parts.iter().map(|part| part.time).sum::<Duration>() <= all);
        assert!(part("outer").time <= all - 4 * nap);
    }

    #[test]
    fn a_profile_inside_a_profile_keeps_its_parts_to_itself() {
        let ((_, inner), outer) = profile(|| {
            let _span = span("a");
            profile(|| drop(span("b")))
        });
        assert_eq!((inner.len(), outer.len()), (1, 1));
        assert_eq!((inner[0].name, outer[0].name), ("b", "a"));
    }

    #[test]
    fn nothing_is_counted_when_nobody_profiles() {
        drop(span("before"));
        assert!(profile(|| ()).1.is_empty());
    }
}
