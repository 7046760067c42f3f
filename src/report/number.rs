//! Numbers as people read them: as many digits as the interval supports, one count of decimals per column.

/// What stands where there is no number.
pub const NONE: &str = "–";

/// Decimals at which the median of these half-widths shows two significant digits; 4 if there is none.
///
/// Zero and non-finite half-widths do not count: they belong to exact zeros and to missing intervals.
pub fn decimals(half_widths: impl IntoIterator<Item = f64>) -> usize {
    let mut widths: Vec<f64> = half_widths.into_iter().filter(|w| w.is_finite() && *w > 0.0).collect();
    if widths.is_empty() {
        return 4;
    }
    widths.sort_by(f64::total_cmp);
    let median = widths[(widths.len() - 1) / 2];
    (1.0 - median.log10().floor()).clamp(0.0, 8.0) as usize
}

/// Half the width of an interval.
pub fn half(interval: [f64; 2]) -> f64 {
    (interval[1] - interval[0]) / 2.0
}

/// `x` with a fixed number of decimals and a true minus sign; never a negative zero.
pub fn fixed(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let text = format!("{:.decimals$}", x.abs());
    if x < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { format!("−{text}") } else { text }
}

/// The same with a sign always, except for what rounds to zero.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = fixed(x, decimals);
    let zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if zero || x < 0.0 || !x.is_finite() { text } else { format!("+{text}") }
}

/// A difference and its 95 % interval that are all exactly zero.
pub fn exact_zero(delta: Option<f64>, interval: Option<[f64; 2]>) -> bool {
    delta == Some(0.0) && interval == Some([0.0, 0.0])
}

/// `[low, high]`, signed.
pub fn interval(interval: Option<[f64; 2]>, decimals: usize) -> String {
    match interval {
        Some([0.0, 0.0]) => "[0, 0]".into(),
        Some([low, high]) if low.is_finite() && high.is_finite() => format!("[{}, {}]", signed(low, decimals), signed(high, decimals)),
        _ => NONE.into(),
    }
}

/// `1.234 ± 0.012`; without an interval only the number. With `sign`, a difference: signed, and exact zeros named so.
pub fn plus_minus(x: Option<f64>, interval: Option<[f64; 2]>, decimals: usize, sign: bool) -> String {
    let Some(x) = x.filter(|x| x.is_finite()) else { return NONE.into() };
    if sign && exact_zero(Some(x), interval) {
        return "0 ± 0".into();
    }
    let value = if sign { signed(x, decimals) } else { fixed(x, decimals) };
    match interval.map(half).filter(|half| half.is_finite()) {
        Some(half) => format!("{value} ± {}", fixed(half, decimals)),
        None => value,
    }
}

/// A probability: two significant digits, at least three decimals' resolution.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        Some(p) if !p.is_finite() => NONE.into(),
        Some(p) if p < 0.001 => "<0.001".into(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) if p >= 0.995 => "1".into(),
        Some(p) => format!("{p:.2}"),
        None => NONE.into(),
    }
}

/// An integer with thousands separated: `6,738,415,616`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits and a unit prefix: `1.23M`, `45.6k`, `789`.
pub fn short(x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let mut scaled = x.abs();
    let mut prefix = 0;
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let decimals = if prefix == 0 && scaled.fract() == 0.0 || scaled >= 99.95 {
        0
    } else if scaled >= 9.995 {
        1
    } else {
        2
    };
    format!("{}{scaled:.decimals$}{}", if x < 0.0 { "−" } else { "" }, PREFIXES[prefix])
}

/// A span of time: `48 s`, `12 min`, `3 h 5 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.into();
    }
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        _ if minutes < 100 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// Memory: `512 MiB`, `1.50 GiB`.
pub fn bytes(n: u64) -> String {
    let mebibytes = n as f64 / (1u64 << 20) as f64;
    match mebibytes {
        m if m < 0.95 => format!("{} KiB", n.div_ceil(1024)),
        m if m < 9.95 => format!("{m:.1} MiB"),
        m if m < 1023.5 => format!("{m:.0} MiB"),
        m => format!("{:.1} GiB", m / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_interval() {
        assert_eq!(decimals([0.0123]), 3);
        assert_eq!(decimals([0.0045, 0.0061, 0.3]), 4);
        assert_eq!(decimals([25.0]), 0);
        assert_eq!(decimals([0.0, f64::NAN]), 4);
        for exponent in -6..3 {
            let half = 3.7 * 10f64.powi(exponent);
            let shown = format!("{half:.*}", decimals([half]));
            let significant = shown.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
            assert!(significant == 2 || half > 99.0, "{half} shown as {shown}");
        }
    }

    #[test]
    fn signs_are_typographic_and_zero_has_none() {
        assert_eq!(fixed(-1.25, 1), "−1.2");
        assert_eq!(fixed(-0.0001, 2), "0.00");
        assert_eq!(signed(0.0001, 2), "0.00");
        assert_eq!(signed(0.126, 2), "+0.13");
        assert_eq!(signed(-0.126, 2), "−0.13");
        assert_eq!(fixed(f64::NAN, 3), NONE);
        assert_eq!(signed(f64::INFINITY, 3), NONE);
        assert_eq!(interval(Some([f64::NEG_INFINITY, 1.0]), 2), NONE);
    }

    #[test]
    fn probabilities_counts_and_prefixes() {
        assert_eq!(p_value(Some(0.0004)), "<0.001");
        assert_eq!(p_value(Some(0.0123)), "0.012");
        assert_eq!(p_value(Some(0.456)), "0.46");
        assert_eq!(p_value(Some(1.0)), "1");
        assert_eq!(p_value(Some(f64::NAN)), NONE);
        assert_eq!(count(6_738_415_616), "6,738,415,616");
        assert_eq!(count(12), "12");
        assert_eq!(short(999.6), "1.00k");
        assert_eq!(short(6_738_415_616.0), "6.74G");
        assert_eq!(short(512.0), "512");
        assert_eq!(short(99_960.0), "100k");
        assert_eq!([0, 3 << 20, 600 << 20, 5 << 30].map(bytes), ["0 KiB", "3.0 MiB", "600 MiB", "5.0 GiB"]);
        assert_eq!(plus_minus(Some(-0.0123), Some([-0.0223, -0.0023]), 3, true), "−0.012 ± 0.010");
        assert_eq!(plus_minus(Some(0.0), Some([0.0, 0.0]), 3, true), "0 ± 0");
        assert_eq!(duration(59.0), "59 s");
        assert_eq!(duration(7200.0), "2 h 0 min");
    }
}
