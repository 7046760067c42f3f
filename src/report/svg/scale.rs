//! Axes: from data to places, and round numbers along them.

/// A linear map from a range of data to a range of places.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    data: [f64; 2],
    place: [f64; 2],
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
        Self { data: [low, high], place }
    }

    /// The range of data.
    pub fn data(&self) -> [f64; 2] {
        self.data
    }

    /// Where `x` lies; beyond the range it lies on its edge.
    pub fn place(&self, x: f64) -> f64 {
        let share = (x.clamp(self.data[0], self.data[1]) - self.data[0]) / (self.data[1] - self.data[0]);
        self.place[0] + share * (self.place[1] - self.place[0])
    }

    /// Where `x` lies, beyond the range as well, up to ten times its extent.
    pub fn place_beyond(&self, x: f64) -> f64 {
        let share = (x - self.data[0]) / (self.data[1] - self.data[0]);
        self.place[0] + share.clamp(-10.0, 10.0) * (self.place[1] - self.place[0])
    }

    /// About `wanted` round numbers inside the range (multiples of 1, 2 or 5 times a power of ten).
    pub fn ticks(&self, wanted: usize) -> Ticks {
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
    fn places_are_finite_for_any_range() {
        for data in [[f64::NAN, 1.0], [1.0, f64::INFINITY], [2.0, 2.0], [0.0, 0.0], [f64::MIN, f64::MAX], [3.0, 1.0]] {
            let scale = Scale::new(data, [10.0, 90.0]);
            for x in [-1e300, 0.0, 2.0, 1e300] {
                assert!((10.0..=90.0).contains(&scale.place(x)), "{data:?} {x}");
                assert!(scale.place_beyond(x).is_finite());
            }
            assert!(scale.ticks(5).values.iter().all(|t| t.is_finite()));
        }
    }
}
