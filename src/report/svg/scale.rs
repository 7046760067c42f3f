//! Axes: from data to places, and round numbers along them.

/// A map from a range of data to a range of places, linear in the data or in its logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    data: [f64; 2],
    place: [f64; 2],
    log: bool,
}

impl Scale {
    /// Maps `data` onto `place`. A range of data without extent, or none at all, becomes one around its value.
    pub fn new(data: [f64; 2], place: [f64; 2]) -> Self {
        let [low, high] = match data {
            [low, high] if low.is_finite() && high.is_finite() && high > low && (high - low).is_finite() => data,
            [low, _] if low.abs() < 1e300 => {
                let around = (low.abs() * 0.05).max(0.5);
                [low - around, low + around]
            }
            _ => [0.0, 1.0],
        };
        Self { data: [low, high], place, log: false }
    }

    /// The same by the logarithm; what is not positive has none, and lies at the lower end.
    pub fn log(data: [f64; 2], place: [f64; 2]) -> Self {
        let mut scale = Self::new(data.map(f64::log10), place);
        scale.log = true;
        scale
    }

    /// The same onto other places.
    pub fn onto(self, place: [f64; 2]) -> Self {
        Self { place, ..self }
    }

    /// The range of data.
    pub fn data(&self) -> [f64; 2] {
        if self.log { self.data.map(|end| 10f64.powf(end)) } else { self.data }
    }

    fn share(&self, x: f64) -> f64 {
        let x = match self.log {
            true if x > 0.0 => x.log10(),
            true => f64::NEG_INFINITY,
            false => x,
        };
        (x - self.data[0]) / (self.data[1] - self.data[0])
    }

    fn at(&self, share: f64) -> f64 {
        self.place[0] + share * (self.place[1] - self.place[0])
    }

    /// Where `x` lies; beyond the range it lies on its edge.
    pub fn place(&self, x: f64) -> f64 {
        self.at(self.share(x).clamp(0.0, 1.0))
    }

    /// Where `x` lies, beyond the range as well, up to ten times its extent.
    pub fn place_beyond(&self, x: f64) -> f64 {
        self.at(self.share(x).clamp(-10.0, 10.0))
    }

    /// About `wanted` round numbers inside the range (multiples of 1, 2 or 5 times a power of ten).
    pub fn ticks(&self, wanted: usize) -> Ticks {
        if self.log {
            return self.decades(wanted);
        }
        let [low, high] = self.data;
        let rough = (high - low) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power);
        let decimals = (-(step * 1.000_001).log10().floor()).clamp(0.0, 12.0) as usize;
        // Multiples, not sums: the hundredth tick is as round as the first.
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let count = (last - first + 1.0).clamp(0.0, 100.0) as usize;
        Ticks { values: (0..count).map(|i| (first + i as f64) * step).collect(), decimals }
    }

    /// As many of 1, 2 and 5 in each power of ten as there is room for.
    fn decades(&self, wanted: usize) -> Ticks {
        let [low, high] = self.data;
        let inside = |every: i32, digits: &[f64]| -> Vec<f64> {
            let (first, last) = (low.floor().max(-300.0) as i32, high.ceil().min(300.0) as i32);
            let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
            let all = powers.flat_map(|power| digits.iter().map(move |digit| (power, *digit)));
            all.map(|(power, digit)| (digit.log10() + f64::from(power), digit * 10f64.powi(power)))
                .filter(|(log, _)| (low - 1e-9..=high + 1e-9).contains(log))
                .map(|(_, value)| value)
                .collect()
        };
        let every = ((high - low) / wanted.max(1) as f64).ceil().clamp(1.0, 600.0) as i32;
        let choices = [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0][..], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
        let found = choices.iter().map(|digits| inside(1, digits)).find(|values| values.len() <= wanted + 2);
        Ticks { values: found.unwrap_or_else(|| inside(every, &[1.0])), decimals: 0 }
    }
}

/// Round numbers along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// Ascending.
    pub values: Vec<f64>,
    /// Decimals that tell neighbours apart.
    pub decimals: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_inside_and_few() {
        for (low, high) in [(0.0, 1.0), (0.0, 4000.0), (2.113, 2.161), (-0.0312, 0.0071), (-5e-7, 3e-6), (1e9, 7e9), (3.0, 3.0)] {
            for wanted in 2..8 {
                let scale = Scale::new([low, high], [0.0, 100.0]);
                let ticks = scale.ticks(wanted);
                let [low, high] = scale.data();
                assert!((1..=wanted + 2).contains(&ticks.values.len()), "{low} {high} {wanted}: {ticks:?}");
                for pair in ticks.values.windows(2) {
                    let step = pair[1] - pair[0];
                    let lead = step / 10f64.powf((step * 1.000_001).log10().floor());
                    assert!([1.0, 2.0, 5.0].iter().any(|m| (lead - m).abs() < 1e-3), "step {step}");
                    assert_ne!(format!("{:.*}", ticks.decimals, pair[0]), format!("{:.*}", ticks.decimals, pair[1]));
                }
                let slack = (high - low) * 1e-6;
                assert!(ticks.values.iter().all(|t| (low - slack..=high + slack).contains(t)));
            }
        }
    }

    #[test]
    fn logarithms_are_even_and_their_ticks_round() {
        let scale = Scale::log([1e5, 1e9], [0.0, 100.0]);
        for (x, place) in [(1e5, 0.0), (1e6, 25.0), (1e9, 100.0), (0.0, 0.0), (-3.0, 0.0), (1e12, 100.0)] {
            assert!((scale.place(x) - place).abs() < 1e-9, "{x}");
        }
        for (low, high) in [(1e5, 1e9), (1.1e6, 4e6), (3e-4, 3e-2), (2e13, 2.2e13), (1e-30, 1e30)] {
            for wanted in 3..7 {
                let values = Scale::log([low, high], [0.0, 1.0]).ticks(wanted).values;
                assert!(values.len() <= wanted + 2 && values.is_sorted(), "{low} {high}: {values:?}");
                assert!(values.iter().all(|x| (low * 0.999..=high * 1.001).contains(x)), "{values:?}");
            }
        }
    }

    #[test]
    fn places_are_finite_for_any_range() {
        for data in [[f64::NAN, 1.0], [1.0, f64::INFINITY], [2.0, 2.0], [0.0, 0.0], [f64::MIN, f64::MAX], [3.0, 1.0]] {
            for scale in [Scale::new(data, [10.0, 90.0]), Scale::log(data, [10.0, 90.0])] {
                for x in [-1e300, 0.0, 2.0, 1e300] {
                    assert!((10.0..=90.0).contains(&scale.place(x)), "{data:?} {x}");
                    assert!(scale.place_beyond(x).is_finite());
                }
                assert!(scale.ticks(5).values.iter().all(|t| t.is_finite()));
            }
        }
    }
}
