//! What may go wrong: a clear message, and nothing lost.

use super::{Bench, assert_same, wait};
use ablate::{experiment::Cause, train::Outcome};
use std::{fs, thread, time::Duration};

fn attempts(bench: &Bench, out: &str, arm: &str) -> Vec<(u32, Outcome, Option<Cause>)> {
    let of_arm = bench.records(out).into_iter().filter(|record| record.arm == arm);
    of_arm.map(|record| (record.attempt, record.result.outcome, record.cause)).collect()
}

/// The process that trains in a run's folder.
#[cfg(target_os = "linux")]
fn worker(bench: &Bench, run: &str) -> i32 {
    let folder = bench.path(run).file_name().map(|_| run.to_string()).unwrap();
    let root = bench.0.path().to_str().unwrap().to_string();
    let mut found = 0;
    wait("a worker", || {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let words = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            let home = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if words.contains("\0worker\0") && words.contains(&folder) && home.to_str() == Some(&root) {
                found = process;
                return true;
            }
        }
        false
    });
    found
}

#[cfg(target_os = "linux")]
fn signal(process: i32, number: i32) {
    // SAFETY: a plain system call on a process that the test has started.
    assert_eq!(unsafe { libc::kill(process, number) }, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_killed_is_tried_again_and_its_record_says_why() {
    let bench = Bench::new(1, 1500);
    let child = bench.start("out", &["--only", "layer", "--jobs", "2"]);
    bench.wait_for_steps("out/layer/seed-0", 20);
    signal(worker(&bench, "out/layer/seed-0"), libc::SIGKILL);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("layer seed 0 failed (killed): signal: 9"), "{said}");
    let expected = [(1, Outcome::Failed, Some(Cause::Killed)), (2, Outcome::Finished, None)];
    assert_eq!(attempts(&bench, "out", "layer"), expected);
    assert_eq!(attempts(&bench, "out", "base"), [(1, Outcome::Finished, None)], "its neighbour noticed nothing");
    bench.run("calm", &["--only", "layer"], 0);
    assert_same(&bench.outcome("out"), &bench.outcome("calm"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_hangs_is_killed_and_without_retries_that_is_the_end_of_it() {
    let bench = Bench::new(1, 1500);
    let child = bench.start("out", &["--only", "layer", "--jobs", "1", "--patience", "2", "--retries", "0"]);
    bench.wait_for_steps("out/base/seed-0", 20);
    signal(worker(&bench, "out/base/seed-0"), libc::SIGSTOP);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("base seed 0 failed (hang)") && said.contains("without a sign of life"), "{said}");
    assert_eq!(attempts(&bench, "out", "base"), [(1, Outcome::Failed, Some(Cause::Hang))]);
    assert_eq!(attempts(&bench, "out", "layer"), [(1, Outcome::Finished, None)]);
    // A new command is a new chance.
    bench.run("out", &["--only", "layer"], 0);
    assert_eq!(attempts(&bench, "out", "base").last(), Some(&(2, Outcome::Finished, None)));
}

/// A limit on the size of files, which every user may set, stands for a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more() {
    use std::os::unix::process::CommandExt;
    let bench = Bench::new(1, 60);
    // The data is there already; what no longer fits is a checkpoint.
    bench.run("first", &["--only", "layer", "--steps", "1"], 0);
    let largest = fs::metadata(bench.path("first/base/seed-0/checkpoint/model.bpk")).unwrap().len();
    let mut command = bench.command(&["run", "e.toml", "--out", "out", "--only", "layer", "--jobs", "2"]);
    // SAFETY: the calls between fork and exec are such as may be made there. The signal would kill before the error is seen;
    // ignored, it leaves the error that a full disk gives.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: largest / 2, rlim_max: libc::RLIM_INFINITY };
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("checkpoint") && said.contains("File too large") && said.contains("free space"), "{said}");
    assert!(bench.records("out").iter().all(|record| record.cause == Some(Cause::Disk) && record.attempt == 1));
    bench.run("out", &["--only", "layer"], 0);
    bench.run("calm", &["--only", "layer"], 0);
    assert_same(&bench.outcome("out"), &bench.outcome("calm"));
}

/// A limit on the memory of every process stands for a machine that has no more.
#[cfg(target_os = "linux")]
#[test]
fn an_arm_that_does_not_fit_in_memory_is_its_own_record_alone() {
    use std::os::unix::process::CommandExt;
    const LIMIT: u64 = 6 << 30;
    let bench = Bench::new(1, 5);
    let experiment = fs::read_to_string(bench.path("e.toml")).unwrap();
    // A matrix of 16 × 10⁸ numbers alone is larger than the limit.
    let wide = "[[arm]]\nname = \"wide\"\nset = { \"model.feed_forward.hidden\" = 100_000_000 }\n";
    fs::write(bench.path("e.toml"), experiment + wide).unwrap();
    let mut command = bench.command(&["run", "e.toml", "--out", "out", "--only", "layer,wide", "--jobs", "1", "--retries", "0"]);
    // SAFETY: a call that may be made between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
            if libc::setrlimit(libc::RLIMIT_AS, &limit) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(attempts(&bench, "out", "wide"), [(1, Outcome::Failed, Some(Cause::OutOfMemory))], "{said}");
    assert_eq!(attempts(&bench, "out", "base"), [(1, Outcome::Finished, None)], "{said}");
    assert_eq!(attempts(&bench, "out", "layer"), [(1, Outcome::Finished, None)], "{said}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } == 0 {
        eprintln!("skipped: root may write everywhere; .ci/disk.sh does it with a mount");
        return;
    }
    let bench = Bench::new(1, 5);
    bench.run("out", &["--only", "layer"], 0);
    let before = fs::read(bench.path("out/records.jsonl")).unwrap();
    for folder in ["out", "out/base/seed-0"] {
        let path = bench.path(folder);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
        let said = bench.run("out", &["--steps", "6", "--only", "layer"], 2);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(said.contains("out") && said.contains("ermission"), "{said}");
    }
    assert!(fs::read(bench.path("out/records.jsonl")).unwrap().starts_with(&before));
}

#[test]
fn a_checkpoint_that_is_not_what_was_written_costs_time_and_no_result() {
    let bench = Bench::new(1, 3000);
    let mut child = bench.start("out", &["--only", "layer", "--jobs", "1"]);
    let checkpoint = bench.path("out/base/seed-0/checkpoint/model.bpk");
    wait("a checkpoint", || checkpoint.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // Its orphan writes one more, which is the one that counts.
    let folder = bench.path("out/base/seed-0");
    thread::sleep(Duration::from_millis(100));
    wait("the orphan's end", || !ablate::experiment::RunLock::is_held(&folder));
    let mut bytes = fs::read(&checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoint, bytes).unwrap();
    bench.run("out", &["--only", "layer"], 0);
    bench.run("calm", &["--only", "layer"], 0);
    assert_same(&bench.outcome("out"), &bench.outcome("calm"));
}

#[test]
fn a_damaged_record_is_named_and_its_run_is_not_trained_again() {
    let bench = Bench::new(1, 10);
    bench.run("out", &["--only", "layer"], 0);
    let (path, expected) = (bench.path("out/records.jsonl"), bench.outcome("out"));
    let whole = fs::read_to_string(&path).unwrap();
    let metrics = fs::metadata(bench.path("out/base/seed-0/metrics.jsonl")).unwrap().modified().unwrap();
    let damaged = whole.replacen("\"seed\"", "\"sead\"", 1);
    fs::write(&path, &damaged).unwrap();
    for command in [&["run", "e.toml", "--out", "out"][..], &["report", "out"], &["status", "out"]] {
        let output = bench.ablate(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("records.jsonl:1") && said.contains("seed") && said.contains("help"), "{command:?}: {said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged, "{command:?}");
    }
    // Torn and removed lines: what the runs left in their folders is read again.
    for text in [&whole[..whole.len() - 40], whole.split_inclusive('\n').next_back().unwrap(), ""] {
        fs::write(&path, text).unwrap();
        bench.run("out", &["--only", "layer"], 0);
        assert_same(&bench.outcome("out"), &expected);
    }
    let after = fs::metadata(bench.path("out/base/seed-0/metrics.jsonl")).unwrap().modified().unwrap();
    assert_eq!(metrics, after, "nothing was trained again");
}

#[test]
fn two_commands_on_one_folder() {
    let bench = Bench::new(1, 10_000);
    let first = bench.start("out", &["--only", "layer"]);
    bench.wait_for_steps("out/base/seed-0", 5);
    let said = bench.run("out", &["--only", "layer"], 2);
    assert!(said.contains("another process is running this experiment") && said.contains("ablate status"), "{said}");
    for verb in [&["rm", "out", "layer", "--yes"][..], &["gc", "out"]] {
        assert_eq!(bench.ablate(verb).status.code(), Some(2), "{verb:?}");
    }
    let output = first.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.records("out").len(), 2);
}
