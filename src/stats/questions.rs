//! Two questions of every comparison, corrected together: do the arms differ, and is the difference too small to matter?

use super::holm;

/// Adjusted p values of both questions, in the order given: of "there is no difference" and, where a margin was declared, of
/// "the difference is the margin or more".
///
/// The chance of any false claim, of either kind, stays below the level: Shaffer's modified sequentially rejective procedure
/// (Shaffer 1986, "Modified sequentially rejective multiple test procedures", S1). A true difference is not both 0 and beyond
/// the margin, so that of m comparisons at most m hypotheses are true, and one fewer for every comparison of which both were
/// rejected. Without a margin it is Holm's procedure.
///
/// # Panics
///
/// Lists of different lengths.
pub fn two_questions(different: &[Option<f64>], equivalent: &[Option<f64>], margin: bool) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
    assert_eq!(different.len(), equivalent.len());
    let comparisons = different.len();
    if !margin {
        return (holm(different), vec![None; comparisons]);
    }
    let mut adjusted = [vec![None; comparisons], vec![None; comparisons]];
    let of = |question: usize, list: &[Option<f64>]| -> Vec<(f64, usize, usize)> {
        list.iter().enumerate().filter_map(|(index, p)| Some(((*p)?, question, index))).collect()
    };
    let mut order = [of(0, different), of(1, equivalent)].concat();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut floor: f64 = 0.0;
    let mut settled = 0;
    for (p, question, index) in order {
        floor = floor.max(((comparisons - settled) as f64 * p).min(1.0));
        adjusted[question][index] = Some(floor);
        settled += usize::from(adjusted[1 - question][index].is_some());
    }
    let [different, equivalent] = adjusted;
    (different, equivalent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_margin_it_is_holms() {
        let p = [Some(0.01), None, Some(0.03), Some(0.02)];
        assert_eq!(two_questions(&p, &[None; 4], false).0, holm(&p));
    }

    #[test]
    fn every_comparison_counts_once_until_both_its_questions_are_answered() {
        let (different, equivalent) = two_questions(&[Some(0.001), Some(0.02)], &[Some(0.002), Some(0.4)], true);
        // Ordered: 0.001 · 2, 0.002 · 2, then the first comparison is settled: 0.02 · 1, 0.4 · 1.
        assert_eq!((different, equivalent), (vec![Some(0.002), Some(0.02)], vec![Some(0.004), Some(0.4)]));
        // Adjusted values never fall.
        let (different, _) = two_questions(&[Some(0.03), Some(0.031)], &[None, None], true);
        assert_eq!(different, [Some(0.06), Some(0.062)]);
    }
}
