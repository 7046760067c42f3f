//! The worker's end of the line: it shows that it is alive, and notices when nobody is there any more.

use crate::pulse;
use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

/// How often the parent is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// How often a sign of life is sent at most, beside those of steps.
const SIGNS: Duration = Duration::from_secs(5);
/// How long an orphan that has been told to stop may do nothing at all before it ends without a checkpoint.
const ORPHAN: Duration = Duration::from_secs(15 * 60);

/// A thread that looks after this process, which trains for a parent.
pub struct Lifeline;

impl Lifeline {
    /// Starts it: it sends a sign of life on standard output while work goes on, and calls `stop` once `parent` is no longer
    /// the parent of this process.
    pub fn start(parent: Option<u32>, stop: impl Fn() + Send + 'static) -> Self {
        thread::spawn(move || {
            let (mut seen, mut signed, mut moved) = (pulse::beats(), Instant::now(), Instant::now());
            let mut orphan = false;
            loop {
                thread::sleep(LOOK);
                let beats = pulse::beats();
                if beats != seen {
                    (seen, moved) = (beats, Instant::now());
                }
                if moved > signed && signed.elapsed() >= SIGNS {
                    signed = Instant::now();
                    let mut output = std::io::stdout().lock();
                    orphan |= output.write_all(b"{\"alive\":true}\n").and_then(|()| output.flush()).is_err();
                }
                orphan |= gone(parent);
                if orphan {
                    stop();
                    if moved.elapsed() > ORPHAN {
                        std::process::exit(130);
                    }
                }
            }
        });
        Self
    }
}

#[cfg(unix)]
fn gone(parent: Option<u32>) -> bool {
    parent.is_some_and(|parent| std::os::unix::process::parent_id() != parent)
}

/// Elsewhere a closed pipe tells.
#[cfg(not(unix))]
fn gone(_parent: Option<u32>) -> bool {
    false
}
