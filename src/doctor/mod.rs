//! Whether a device can be trusted: every operator, forward and backward, against its float64 reference there.
//!
//! ```text
//! cases ─► Place: tensors on the device ─► ops::f, backward() ─► compared with ops::reference ─► Check, by operator
//! ```
//!
//! The operators are called as a model calls them, on a device with autodiff, so what is checked is what trains.

mod cases;
mod mode;
mod place;
mod system;

pub use mode::Mode;
pub use system::{Backends, Processor, System, system};

use crate::{
    device::DeviceName,
    ops::{self, Capability, Op, OperatorPath, Path},
    settings::{Error, Result, said},
};
use burn::tensor::Device;
use cases::Case;
use place::{Finding, Place};
use serde::{Deserialize, Serialize};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// What was found on a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The device.
    pub device: String,
    /// Whether no check missed.
    pub passed: bool,
    /// The capability matrix: what runs with the choice in force, by operator and element type.
    pub capabilities: Vec<OperatorPath>,
    /// The checks, by operator, element type and path.
    pub checks: Vec<Check>,
    /// How long it took.
    pub seconds: f64,
}

/// All cases of an operator, in one element type and by one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The operator.
    pub operator: String,
    /// Element type of its inputs; `bf16 products` for f32 that matrix products read as bf16.
    pub dtype: String,
    /// The implementation that ran.
    pub path: String,
    /// Number of cases.
    pub cases: usize,
    /// Number of results and gradients that were compared.
    pub results: usize,
    /// Largest relative error; none if some result was no number or did not come.
    pub worst_error: Option<f64>,
    /// Where: the case, and which of its results.
    pub worst: String,
    /// Largest error allowed.
    pub tolerance: f64,
    /// Whether all results are within it.
    pub passed: bool,
    /// The results that are not.
    pub misses: Vec<Miss>,
}

/// A result beyond its tolerance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// Shapes and options.
    pub case: String,
    /// The output or gradient.
    pub result: String,
    /// Its relative error; none if it was no number or did not come.
    pub error: Option<f64>,
    /// What went wrong, unless it is the error alone.
    pub message: Option<String>,
}

/// What of a device is asked; all by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Only this implementation of the operators.
    pub only: Option<Path>,
    /// Only this element type.
    pub mode: Option<Mode>,
    /// Only this operator.
    pub op: Option<Op>,
    /// An operator whose expected values are made wrong by a thousandth in f32 (a tenth elsewhere): a check that cannot
    /// fail proves nothing.
    pub distorted: Option<Op>,
}

/// Runs every case of every operator on a device, in each element type that it has and by each path.
///
/// `tell` hears the name of each operator as its turn comes.
///
/// # Errors
///
/// A device that is not there, or an operator that does not have the type asked for; what is wrong is part of the diagnosis.
pub fn examine(name: &DeviceName, asked: Asked, tell: &mut dyn FnMut(&str)) -> Result<Diagnosis> {
    let Asked { only, mode: asked, op: of, distorted } = asked;
    let started = Instant::now();
    let device = name.train_device()?;
    let cases = cases::all();
    let (mut capabilities, mut checks) = (vec![], vec![]);
    for op in Op::ALL.into_iter().filter(|op| of.is_none_or(|asked| asked == *op)) {
        tell(op.name());
        let of_op: Vec<&Case> = cases.iter().filter(|case| case.op == op).collect();
        for mode in Mode::ALL.into_iter().filter(|mode| asked.is_none_or(|asked| asked == *mode) && mode.applies(op, &device)) {
            let Capability { path, reason } = mode.path(op, name.backend(), ops::chosen());
            capabilities.push(OperatorPath {
                operator: op.name().into(),
                variant: String::new(),
                dtype: mode.name().into(),
                path: path.name().into(),
                reason: reason.into(),
            });
            let mut ran = vec![];
            for chosen in only.map_or(vec![Path::Fused, Path::Composed], |path| vec![path]) {
                let path = mode.path(op, name.backend(), chosen).path;
                if !ran.contains(&path) {
                    ran.push(path);
                    let findings = |case: &Case| ops::with(chosen, || run(case, &device, mode, distorted == Some(op)));
                    let allowed = mode.tolerance_of(op, path, name.backend());
                    checks.push(check(op, mode, path, allowed, of_op.iter().map(|case| (case.name.as_str(), findings(case)))));
                }
            }
        }
    }
    if checks.is_empty() {
        let (operator, dtype) = (of.map_or("an operator", Op::name), asked.map_or("of some type", Mode::name));
        let help = "leave out one of the two, or see which types an operator has: `ablate doctor`";
        return Err(Error::input(format!("{operator}, {dtype}"), format!("not on {name}"), help));
    }
    let passed = checks.iter().all(|check| check.passed);
    Ok(Diagnosis { device: name.to_string(), passed, capabilities, checks, seconds: started.elapsed().as_secs_f64() })
}

/// What a case finds; a panic is a finding too.
fn run(case: &Case, device: &Device, mode: Mode, distorted: bool) -> Vec<Finding> {
    let factor = if distorted { 1.0 + 100.0 * mode.tolerance().min(1e-3) } else { 1.0 };
    let mut place = Place::new(device, mode, &case.name, factor);
    let outcome = catch_unwind(AssertUnwindSafe(|| mode.run(|| (case.run)(&mut place))));
    let mut findings = place.findings();
    if let Err(panic) = outcome {
        let message = said(panic.as_ref()).unwrap_or_else(|| "it panicked".into()).split_whitespace().collect::<Vec<_>>().join(" ");
        findings.push(Finding { result: "all", error: f64::INFINITY, message: Some(message) });
    }
    findings
}

/// Sums up the findings of an operator's cases.
fn check<'a>(op: Op, mode: Mode, path: ops::Implementation, tolerance: f64, found: impl Iterator<Item = (&'a str, Vec<Finding>)>) -> Check {
    let finite = |error: f64| error.is_finite().then_some(error);
    let (mut cases, mut results, mut misses) = (0, 0, vec![]);
    let (mut worst_error, mut worst) = (0.0f64, String::new());
    for (case, findings) in found {
        cases += 1;
        results += findings.len();
        for Finding { result, error, message } in findings {
            if error >= worst_error {
                (worst_error, worst) = (error, format!("{case}: {result}"));
            }
            if error > tolerance {
                misses.push(Miss { case: case.into(), result: result.into(), error: finite(error), message });
            }
        }
    }
    Check {
        operator: op.name().into(),
        dtype: mode.name().into(),
        path: path.name().into(),
        cases,
        results,
        worst_error: finite(worst_error),
        worst,
        tolerance,
        // An operator without cases is not trusted.
        passed: misses.is_empty() && results > 0,
        misses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_has_cases_and_their_names_differ() {
        let cases = cases::all();
        for op in Op::ALL {
            assert!(cases.iter().any(|case| case.op == op), "{op:?}");
        }
        let mut names: Vec<_> = cases.iter().map(|case| (case.op, case.name.as_str())).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_cpu_passes() {
        let diagnosis = examine(&DeviceName::Flex, Asked::default(), &mut |_| ()).unwrap();
        let missed: Vec<&Check> = diagnosis.checks.iter().filter(|check| !check.passed).collect();
        assert!(diagnosis.passed && missed.is_empty(), "{missed:#?}");
        assert!(Op::ALL.iter().all(|op| diagnosis.checks.iter().any(|check| check.operator == op.name())));
    }

    #[test]
    fn nothing_to_check_is_no_pass() {
        let asked = Asked { op: Some(Op::Adamw), mode: Some(Mode::F16), ..Asked::default() };
        let refused = examine(&DeviceName::Flex, asked, &mut |_| ()).unwrap_err().to_string();
        assert!(refused.contains("adamw") && refused.contains("f16") && refused.contains("flex"), "{refused}");
    }

    #[test]
    fn whatever_is_no_number_or_panics_is_a_miss() {
        let device = Device::flex().autodiff();
        let broken = |run: fn(&mut Place)| {
            let case = Case { op: Op::Linear, name: "broken".into(), run: Box::new(run) };
            check(
                Op::Linear,
                Mode::F32,
                ops::Implementation::Composed,
                Mode::F32.tolerance(),
                std::iter::once(("broken", super::run(&case, &device, Mode::F32, false))),
            )
        };
        let panicked = broken(|_| panic!("out of memory"));
        assert!(!panicked.passed && panicked.worst_error.is_none());
        assert_eq!(panicked.misses[0].message.as_deref(), Some("out of memory"));
        let undefined = broken(|place| {
            let want = ops::reference::Sums::of(&[1.0]);
            let got = place.constant([f32::NAN].into(), [1]);
            place.compare("y", got.tensor, &want);
        });
        assert!(!undefined.passed && undefined.misses.len() == 1);
        assert!(!broken(|_| ()).passed, "nothing was compared");
    }
}
