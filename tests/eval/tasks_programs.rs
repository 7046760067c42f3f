//! Programs that models write: what passes, and what is stopped.

use super::{task, tasks_fake::Fake};
use ablate::eval::scoring::{Asking, Limits, Network, Outcome, Sandbox, evaluate_task};
use std::{net::TcpListener, time::Duration};

/// None where there is no Python.
fn sandbox(limits: Limits) -> Option<Sandbox> {
    match Sandbox::new(limits) {
        Ok(sandbox) => Some(sandbox),
        Err(error) if error.to_string().contains("cannot be started") => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn outcome(limits: Limits, program: &str) -> Option<Outcome> {
    Some(sandbox(limits)?.run(program).unwrap_or_else(|error| panic!("{error}")))
}

/// Time that no program needs here, however busy the machine is.
fn patient() -> Limits {
    Limits { time: Duration::from_secs(60), ..Limits::default() }
}

#[test]
fn programs_pass_that_run_to_their_end() {
    let Some(sandbox) = sandbox(patient()) else { return };
    for (program, expected) in [
        ("assert 1 + 1 == 2", Outcome::Passed),
        ("assert 1 + 1 == 3", Outcome::Failed),
        ("def f(:", Outcome::Failed),
        ("import sys; sys.exit(0)", Outcome::Failed),
        ("import os; os._exit(0)", Outcome::Failed),
        ("print('x' * 1000); input()", Outcome::Failed),
        ("import os; assert 'PATH' not in os.environ and os.listdir('.') == ['program.py']", Outcome::Passed),
    ] {
        assert_eq!(sandbox.run(program).unwrap(), expected, "{program}");
    }
}

#[test]
fn endless_loops_are_stopped() {
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    for program in [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
    ] {
        let Some(outcome) = outcome(limits, program) else { return };
        assert_eq!(outcome, Outcome::TimedOut, "{program}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_limited() {
    let hog = "block = bytearray(1 << 30)\nassert len(block) == 1 << 30";
    let Some(free) = outcome(Limits { memory: 4 << 30, ..patient() }, hog) else { return };
    assert_eq!(free, Outcome::Passed);
    assert_eq!(outcome(Limits { memory: 512 << 20, ..patient() }, hog), Some(Outcome::Failed));
}

#[test]
fn files_are_limited() {
    let hog = "with open('big', 'wb') as file:\n    file.write(bytes(1 << 20))";
    let Some(free) = outcome(Limits { file: 2 << 20, ..patient() }, hog) else { return };
    assert_eq!(free, Outcome::Passed);
    assert_eq!(outcome(Limits { file: 1 << 16, ..patient() }, hog), Some(Outcome::Failed));
}

#[test]
fn the_network_is_cut_off_or_said_to_be_open() {
    let Some(sandbox) = sandbox(patient()) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!("import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=30)");
    let cut = sandbox.network() == Network::Cut;
    assert_eq!(sandbox.run(&call).unwrap(), if cut { Outcome::Failed } else { Outcome::Passed });
    assert_eq!(listener.accept().is_err(), cut, "what the sandbox says of the network is not so");
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_program_leaves_behind_is_ended_with_it() {
    let Some(sandbox) = sandbox(patient()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pid");
    let program = format!(
        "import os, time\npid = os.fork()\nif pid == 0:\n    time.sleep(1000)\n    os._exit(0)\nwith open({:?}, 'w') as file:\n    file.write(str(pid))",
        note.display().to_string()
    );
    assert_eq!(sandbox.run(&program).unwrap(), Outcome::Passed);
    let pid = std::fs::read_to_string(note).unwrap();
    // It may be waiting for somebody to take note of its end.
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| stat.rsplit(") ").next()?.chars().next());
    while state().is_some_and(|state| !"ZX".contains(state)) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_runs_without_leave() {
    let mut fake = Fake::default();
    for name in ["humaneval/HumanEval.jsonl", "mbpp/mbpp.jsonl"] {
        let error = evaluate_task(&task(name), &mut fake, &Asking { samples: 1, ..Asking::default() }, &|_, _| ()).unwrap_err().to_string();
        assert!(error.contains("--allow-code-execution"), "{error}");
        assert!(fake.decodings.is_empty(), "nothing is generated either");
    }
}

#[test]
fn benchmarks_of_programs_count_what_passes() {
    let Some(sandbox) = sandbox(patient()) else { return };
    let how = Asking { samples: 2, temperature: 0.5, top_p: 1.0, sandbox: Some(sandbox), ..Asking::default() };
    let run = |name: &str, texts: &[&str]| {
        let mut fake = Fake { texts: texts.iter().map(|text| (*text).to_string()).collect(), ..Fake::default() };
        let results = evaluate_task(&task(name), &mut fake, &how, &|_, _| ()).unwrap();
        let metrics = results.records.iter().map(|record| (record.metrics["pass@1"], record.metrics["pass@2"])).collect::<Vec<_>>();
        let seeds: Vec<u64> = fake.decodings.iter().map(|decoding| decoding.seed).collect();
        assert_eq!(seeds, [0, 2], "samples of one question are no samples of another");
        metrics
    };
    let human =
        run("humaneval/HumanEval.jsonl", &["    return 2 * x\n", "    return x\n", "    return items[0]\n", "    return items[5]\n"]);
    assert_eq!(human, [(0.5, 1.0), (0.0, 0.0)]);
    let mbpp =
        run("mbpp/mbpp.jsonl", &["def cube(a):\r\n  return a ** 3", "def cube(a):\n  return a * a * a\n", "def words(s): return 1", "x ="]);
    assert_eq!(mbpp, [(1.0, 1.0), (0.0, 0.0)]);
    let too_many = Asking { pass_at: vec![3], ..how.clone() };
    let error = evaluate_task(&task("mbpp/mbpp.jsonl"), &mut Fake::default(), &too_many, &|_, _| ()).unwrap_err().to_string();
    assert!(error.contains("pass@3") && error.contains("--samples"), "{error}");
}
