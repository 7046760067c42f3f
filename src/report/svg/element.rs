//! Pieces that every drawing needs: escaped text, short coordinates, paths.

use std::fmt::Write;

/// Text that is safe between tags and inside quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML knows no control characters besides these.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A coordinate with at most two decimals. What is not finite is drawn at 0: data must be cleaned before it is drawn.
pub fn coordinate(x: f64) -> String {
    rounded(x, 2)
}

fn rounded(x: f64, decimals: usize) -> String {
    debug_assert!(x.is_finite());
    let x = if x.is_finite() { x } else { 0.0 };
    let text = format!("{x:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// The `d` of a line through these points, to a tenth of a unit, which nobody sees; empty without points.
pub fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (x, y) in points {
        let command = if d.is_empty() { 'M' } else { 'L' };
        let _ = write!(d, "{command}{} {}", rounded(x, 1), rounded(y, 1));
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_leaves_no_markup() {
        assert_eq!(escape("<script>\"a\" & 'b'</script>"), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
        assert_eq!(escape("a\u{0}b\u{1b}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn paths_are_short_and_finite() {
        assert_eq!(path([(0.0, -0.001), (1.5, 2.16), (100.0, 3.0)]), "M0 0L1.5 2.2L100 3");
        assert_eq!(path([]), "");
    }
}
