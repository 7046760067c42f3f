//! Arms that another implementation of the operators computes than the arms they are compared with.

use super::Plan;
use crate::ops::OperatorPath;

/// A warning for every comparison whose speeds mean nothing, because an operator of one arm runs by a path that the other
/// does not take. `operators` gives the rows of the capability matrix of an arm; an arm without rows is passed over.
pub(super) fn mixed<'a>(plan: &'a Plan, operators: impl Fn(&str) -> &'a [OperatorPath]) -> Vec<String> {
    let warning = |(arm, reference): (&'a super::PlannedArm, &'a str)| {
        let (ours, theirs) = (operators(&arm.name), operators(reference));
        if ours.is_empty() || theirs.is_empty() {
            return None;
        }
        let here = others(ours, theirs).into_iter().map(|row| sentence(row, "there"));
        let there = others(theirs, ours).into_iter().map(|row| sentence(row, &format!("in {reference}")));
        let mut causes: Vec<String> = here.chain(there).collect();
        causes.dedup();
        // One cause is enough to know, three to see the kind.
        if causes.len() > CAUSES {
            let more = causes.len() - CAUSES;
            causes.truncate(CAUSES);
            causes.push(format!("and {more} more"));
        }
        (!causes.is_empty()).then(|| format!("tokens/s of {} cannot be compared with {reference}: {}", arm.name, causes.join("; ")))
    };
    plan.comparisons().filter_map(warning).collect()
}

/// Causes that a warning names.
const CAUSES: usize = 3;

fn sentence(row: &OperatorPath, place: &str) -> String {
    let OperatorPath { operator, variant, path, reason, .. } = row;
    let variant = if variant.is_empty() { String::new() } else { format!(" ({variant})") };
    format!("{operator}{variant} runs {path} {place}, because {reason}")
}

/// Rows by a path that `against` does not take for that operator; for an operator that it does not have, not at all.
fn others<'a>(rows: &'a [OperatorPath], against: &[OperatorPath]) -> Vec<&'a OperatorPath> {
    let taken = |row: &OperatorPath| {
        let mut same = against.iter().filter(|other| other.operator == row.operator).peekable();
        match same.peek() {
            Some(_) => same.any(|other| other.path == row.path),
            None => against.iter().any(|other| other.path == row.path),
        }
    };
    rows.iter().filter(|row| !taken(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::plan, *};

    fn row(operator: &str, path: &str, reason: &str) -> OperatorPath {
        let [operator, path, reason] = [operator, path, reason].map(String::from);
        OperatorPath { operator, variant: String::new(), dtype: "f32".into(), path, reason }
    }

    fn warned(base: &[OperatorPath], arm: &[OperatorPath]) -> Vec<String> {
        let plan = plan(&["a"], 1);
        mixed(&plan, |name| if name == "a" { arm } else { base })
    }

    #[test]
    fn only_comparisons_across_paths_are_warned_of() {
        let (fused, other) = (row("attention", "fused-flex", "kernels"), row("attention", "composed", "no kernel for it"));
        let norm = row("rms_norm", "fused-flex", "kernels");
        assert_eq!(warned(&[fused.clone(), norm.clone()], std::slice::from_ref(&fused)), Vec::<String>::new());
        assert_eq!(warned(&[], std::slice::from_ref(&other)), Vec::<String>::new(), "old records have no rows");
        let warnings = warned(&[fused.clone(), norm.clone()], &[other.clone(), norm.clone()]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("tokens/s of a cannot be compared with base: attention runs composed there, because no kernel"));
        // In the place of an operator that is fused stands another that is not; and the other way round.
        let tanh = row("dynamic_tanh", "composed", "it has no kernel");
        assert_eq!(warned(&[fused.clone(), norm.clone()], &[fused.clone(), tanh.clone()]).len(), 1);
        let back = warned(&[fused.clone(), tanh], &[fused, norm]);
        assert!(back.len() == 1 && back[0].contains("dynamic_tanh runs composed in base"), "{back:?}");
    }
}
