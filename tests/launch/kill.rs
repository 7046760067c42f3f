//! The kill test: a sweep whose whole process tree is killed again and again, at random moments, ends as the undisturbed one.

use super::{Bench, assert_same, wait};
use std::{fs, os::unix::process::CommandExt, process::Stdio, thread, time::Duration};

/// Numbers that differ from kill to kill; which, no test depends on.
struct Moments(u64);

impl Moments {
    /// Uniform below `most`.
    fn next(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        most.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// Living processes of a session, that of the session's leader first.
pub(super) fn session(leader: u32) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name is in parentheses and may hold anything; state, parent, group, session follow.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.get(3) == Some(&leader.to_string().as_str()) && fields[0] != "Z" {
            found.push(process);
        }
    }
    found.sort_by_key(|process| *process != leader as i32);
    found
}

/// Kills until nothing of the session lives.
fn kill_all(leader: u32) {
    wait("the end of the session", || {
        let alive = session(leader);
        for process in &alive {
            // SAFETY: a plain system call; the session is the test's own.
            unsafe { libc::kill(*process, libc::SIGKILL) };
        }
        alive.is_empty()
    });
}

/// `ABLATE_KILLS` and `ABLATE_KILL_STEPS` make it longer: see `benches/kill.sh`.
#[test]
fn a_sweep_that_is_killed_again_and_again_ends_as_the_undisturbed_one() {
    let number = |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (kills, steps) = (number("ABLATE_KILLS", 5), number("ABLATE_KILL_STEPS", 120));
    let bench = Bench::new(2, steps);
    let begun = std::time::Instant::now();
    bench.run("calm", &["--jobs", "2"], 0);
    let calm = begun.elapsed();
    let expected = bench.outcome("calm");
    assert_eq!(expected.len(), 8);
    assert!(expected.values().all(|(_, logged)| logged.len() == steps));

    let mut moments = Moments(std::process::id().into());
    let (mut done, mut early, mut in_training) = (0, 0, 0);
    while done < kills {
        let mut command = bench.command(&["run", "e.toml", "--out", "wild", "--json", "--jobs", "2"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: the call between fork and exec is one that may be made there.
        unsafe {
            command.pre_exec(|| if libc::setsid() < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
        }
        let mut child = command.spawn().unwrap();
        // So that the kills spread over the whole sweep, from its first moments on.
        thread::sleep(moments.next(calm.mul_f64(1.2 / kills as f64) + Duration::from_millis(400)));
        if child.try_wait().unwrap().is_some() {
            // All is done: the next kill falls on a sweep that begins again.
            assert_same(&bench.outcome("wild"), &expected);
            fs::remove_dir_all(bench.path("wild")).unwrap();
            early += 1;
            assert!(early < 3 + kills, "the sweep is too short for {kills} kills");
            continue;
        }
        in_training += usize::from(session(child.id()).len() > 1);
        kill_all(child.id());
        child.wait().unwrap();
        done += 1;
    }
    bench.run("wild", &["--jobs", "2"], 0);
    assert_same(&bench.outcome("wild"), &expected);
    assert_eq!(bench.records("wild").len(), 8, "none lost, none doubled");
    eprintln!(
        "{done} kills, {in_training} of them while runs trained, {early} sweeps done meanwhile; {} runs, {steps} steps each",
        expected.len()
    );
    assert!(in_training > 0, "no kill met a run");
}

/// Only the conductor dies: its workers notice, write their checkpoints and go, and the next command waits for them.
#[test]
fn orphans_stop_and_are_waited_for() {
    let bench = Bench::new(1, 4000);
    let mut child = bench.start("out", &["--only", "layer", "--jobs", "2"]);
    bench.wait_for_steps("out/base/seed-0", 30);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = super::steps(&bench.path("out/base/seed-0")).len();
    assert!(before < 4000, "it was over too soon");
    bench.run("out", &["--only", "layer", "--jobs", "2"], 0);
    bench.run("calm", &["--only", "layer", "--jobs", "2"], 0);
    assert_same(&bench.outcome("out"), &bench.outcome("calm"));
}
