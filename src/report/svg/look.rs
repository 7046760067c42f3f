//! What tells arms apart: colour and dash.

/// Colours besides the base's; the style sheet defines as many.
const COLOURS: usize = 6;
const DASHES: [&str; 4] = ["", "7 3", "2 2.5", "9 3 2 3"];

/// Colour class and dash pattern by place; 0 is the base. Pairs repeat only after 24, and neighbours differ in both.
pub fn look(index: usize) -> (String, &'static str) {
    match index.checked_sub(1) {
        None => ("c0".into(), DASHES[0]),
        Some(k) => (format!("c{}", 1 + k % COLOURS), DASHES[(k + k / COLOURS) % DASHES.len()]),
    }
}

/// A short sample of an arm's line for the legend.
pub fn swatch(index: usize) -> String {
    let (colour, dash) = look(index);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 34 10\" width=\"34\" height=\"10\" aria-hidden=\"true\">\
         <path class=\"line {colour}\" stroke-dasharray=\"{dash}\" d=\"M1 5L33 5\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn looks_differ_between_arms() {
        assert_eq!((0..25).map(look).collect::<BTreeSet<_>>().len(), 25);
    }
}
