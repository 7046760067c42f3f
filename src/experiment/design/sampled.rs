//! Arms drawn from ranges: at random, or from a Halton sequence (Halton 1960).

use super::{
    super::spec::{BASE, Design, ExperimentConfig, FactorConfig, Scale},
    Change, Layer, Role, Variant,
    factors::{conditions_last, level_layer},
};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// The arms of a random or Halton design.
pub(super) fn sampled(config: &ExperimentConfig) -> Vec<Variant> {
    let count = config.design.count.unwrap_or(0);
    let digits = count.to_string().len();
    let mut random = ChaCha8Rng::seed_from_u64(config.design.seed);
    let mut draw = |number: usize| {
        let mut variant = Variant {
            name: format!("draw-{:0digits$}", number + 1),
            note: None,
            role: Role::Compared,
            layers: vec![],
            steps: None,
            references: vec![BASE.into()],
            home: Some(BASE.into()),
            levels: Default::default(),
            size: None,
            at: "design".into(),
            generated: true,
        };
        for (index, factor) in config.factors.iter().enumerate() {
            let share = match config.design.kind {
                Design::Halton => halton(number as u64 + 1, prime(index)),
                _ => random.random::<f64>(),
            };
            let (value, layer) = level(factor, index, share);
            variant.levels.insert(factor.name.clone(), value);
            variant.layers.push(layer);
        }
        conditions_last(&mut variant.layers);
        variant
    };
    (0..count).map(&mut draw).collect()
}

/// The level of a factor at a share in [0, 1) of its range, or of its list.
fn level(factor: &FactorConfig, index: usize, share: f64) -> (Value, Layer) {
    let (Some(key), Some(min), Some(max)) = (&factor.key, factor.min, factor.max) else {
        let (_, value, layer) = level_layer(factor, index, ((share * factor.levels() as f64) as usize).min(factor.levels() - 1));
        return (value, layer);
    };
    let number = match (factor.scale, factor.int) {
        // Every whole number of the range is as likely as any other.
        (Scale::Linear, true) => (min.ceil() + share * (max.floor() - min.ceil() + 1.0)).floor().min(max.floor()),
        (Scale::Linear, false) => min + share * (max - min),
        (Scale::Log, int) => {
            let number = (min.ln() + share * (max.ln() - min.ln())).exp();
            if int { number.round().clamp(min.ceil(), max.floor()) } else { number }
        }
    };
    let drawn = if factor.int { toml::Value::Integer(number as i64) } else { toml::Value::Float(short(number)) };
    let value = if factor.int { Value::from(number as i64) } else { Value::from(short(number)) };
    let when = factor.when.as_ref().map(|_| format!("factor[{index}].when"));
    (value, Layer { at: format!("factor[{index}]"), change: Change::Drawn(key.clone(), drawn), when })
}

/// Four significant digits: what people can read, and write into another file.
fn short(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

/// Number `index` of the van der Corput sequence in a base: its digits behind the point, the last one first.
fn halton(mut index: u64, base: u64) -> f64 {
    let (mut value, mut weight) = (0.0, 1.0 / base as f64);
    while index > 0 {
        value += weight * (index % base) as f64;
        index /= base;
        weight /= base as f64;
    }
    value
}

/// The prime number of this index: 2, 3, 5, …
fn prime(index: usize) -> u64 {
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..).filter(is_prime).nth(index).expect("there is no last prime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halton_points_are_the_published_ones() {
        let points = |base| [1, 2, 3, 4, 5].map(|index| halton(index, base));
        assert_eq!(points(2), [0.5, 0.25, 0.75, 0.125, 0.625]);
        let thirds = points(3).map(|x| (x * 9.0).round());
        assert_eq!(thirds, [3.0, 6.0, 1.0, 4.0, 7.0]);
        assert_eq!([0, 1, 2, 3, 9].map(prime), [2, 3, 5, 7, 29]);
    }

    #[test]
    fn levels_cover_their_range() {
        let range = |min, max, scale, int| FactorConfig {
            name: "x".into(),
            key: Some("a.b".into()),
            min: Some(min),
            max: Some(max),
            scale,
            int,
            ..FactorConfig::default()
        };
        let drawn =
            |factor: &FactorConfig| -> Vec<f64> { (0..1000).map(|i| level(factor, 0, i as f64 / 1000.0).0.as_f64().unwrap()).collect() };
        let whole = drawn(&range(1.0, 4.0, Scale::Linear, true));
        for value in [1.0, 2.0, 3.0, 4.0] {
            assert_eq!(whole.iter().filter(|x| **x == value).count(), 250);
        }
        let log = drawn(&range(1e-4, 1e-2, Scale::Log, false));
        assert_eq!(log.iter().filter(|x| **x < 1e-3).count(), 500, "half of them below the geometric middle");
        assert!(log.iter().all(|x| (1e-4..=1e-2).contains(x)));
        assert_eq!(short(0.000_123_456), 1.235e-4);
    }
}
