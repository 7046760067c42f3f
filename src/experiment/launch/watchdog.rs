//! How long a child may be silent.

use std::time::Duration;

/// Silence that is borne from a child that has made a step, whatever the length of its steps.
const LEAST: Duration = Duration::from_secs(10 * 60);
/// Silence that is borne before the first step: kernels are compiled and tried out then.
const FIRST: Duration = Duration::from_secs(60 * 60);
/// And so many times the longest wait so far between two signs of life.
const FACTOR: u32 = 30;
/// A pause between two looks counts no more than this: the machine slept, or this process was stopped.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// The silence of one child.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watchdog {
    patience: Option<Duration>,
    silent: Duration,
    longest: Duration,
    steps: bool,
}

impl Watchdog {
    /// For a child that may be silent for `patience`; without it, for as long as its pace suggests.
    pub fn new(patience: Option<Duration>) -> Self {
        Self { patience, ..Self::default() }
    }

    /// A sign of life; `step` if it is a step of training.
    pub fn sign(&mut self, step: bool) {
        if self.steps {
            self.longest = self.longest.max(self.silent);
        }
        self.steps |= step;
        self.silent = Duration::ZERO;
    }

    /// A look after a pause: whether the child has been silent for too long.
    pub fn look(&mut self, pause: Duration) -> bool {
        self.silent += pause.min(LONGEST_LOOK);
        self.silent > self.bearable()
    }

    /// What is borne at present.
    pub fn bearable(&self) -> Duration {
        let by_pace = if self.steps { LEAST.max(self.longest * FACTOR) } else { FIRST };
        self.patience.unwrap_or(by_pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent_for(dog: &mut Watchdog, seconds: u64) -> bool {
        (0..seconds).any(|_| dog.look(Duration::from_secs(1)))
    }

    #[test]
    fn patience_is_what_was_asked_for() {
        let mut dog = Watchdog::new(Some(Duration::from_secs(5)));
        assert!(!silent_for(&mut dog, 5));
        assert!(silent_for(&mut dog, 1));
        dog.sign(false);
        assert!(!silent_for(&mut dog, 5));
    }

    #[test]
    fn else_it_grows_with_the_pace() {
        let mut dog = Watchdog::new(None);
        assert!(!silent_for(&mut dog, 3600), "kernels are compiled");
        dog.sign(true);
        assert_eq!(dog.bearable(), LEAST, "what came before the first step says nothing about pace");
        assert!(!silent_for(&mut dog, 60));
        dog.sign(true);
        assert_eq!(dog.bearable(), Duration::from_secs(30 * 60));
        assert!(!silent_for(&mut dog, 1800) && silent_for(&mut dog, 1));
    }

    #[test]
    fn a_machine_that_slept_kills_nothing() {
        let mut dog = Watchdog::new(Some(Duration::from_secs(60)));
        assert!(!dog.look(Duration::from_secs(8 * 3600)));
    }
}
