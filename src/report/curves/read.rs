//! `metrics.jsonl`: of each line the step, the loss and one metric, and nothing else made of the rest.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::{fmt, fs, path::Path};

/// A quantity by step.
pub type Run = Vec<(f64, f64)>;

/// Loss and metric by step; none if there is no file.
///
/// A line that a crash cut short, or that holds no step, ends nothing but itself; of what a resumed run wrote again the
/// last word counts.
pub fn metrics(run: &Path, metric: &str) -> Option<[Run; 2]> {
    let text = fs::read(run.join("metrics.jsonl")).ok()?;
    let mut runs = [Run::new(), Run::new()];
    for line in text.split(|byte| *byte == b'\n') {
        let Ok((Some(step), values)) = Line(metric).deserialize(&mut serde_json::Deserializer::from_slice(line)) else { continue };
        for (run, value) in runs.iter_mut().zip(values) {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                while run.last().is_some_and(|(last, _)| *last >= step) {
                    run.pop();
                }
                run.push((step, value));
            }
        }
    }
    Some(runs)
}

/// Reads a line: the step, then the loss and the metric of this name.
struct Line<'a>(&'a str);

type Found = (Option<f64>, [Option<f64>; 2]);

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Found, M::Error> {
        let (mut step, mut values) = (None, [None; 2]);
        while let Some(key) = map.next_key_seed(Key(self.0))? {
            match key {
                Wanted::Step => step = map.next_value_seed(Number)?,
                Wanted::Loss => values[0] = map.next_value_seed(Number)?,
                Wanted::Metric => values[1] = map.next_value_seed(Number)?,
                Wanted::No => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // The loss may be the metric as well.
        if self.0 == "loss" {
            values[1] = values[0];
        }
        Ok((step, values))
    }
}

enum Wanted {
    Step,
    Loss,
    Metric,
    No,
}

struct Key<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Wanted;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Wanted, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Wanted;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Wanted, E> {
        Ok(match key {
            "step" => Wanted::Step,
            "loss" => Wanted::Loss,
            _ if key == self.0 => Wanted::Metric,
            _ => Wanted::No,
        })
    }
}

/// A number; none of anything else that is short, such as `null` or `"NaN"`.
struct Number;

impl<'de> DeserializeSeed<'de> for Number {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Number {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Option<f64>, E> {
        Ok(Some(x))
    }

    fn visit_u64<E: Error>(self, x: u64) -> Result<Option<f64>, E> {
        Ok(Some(x as f64))
    }

    fn visit_i64<E: Error>(self, x: i64) -> Result<Option<f64>, E> {
        Ok(Some(x as f64))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_passed_over_and_the_last_word_counts() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [
            r#"{"step":1,"loss":2.0,"other":{"deep":[1,2]}}"#,
            "noise",
            r#"{"loss":7.0}"#,
            r#"{"step":2,"loss":null,"m":"NaN"}"#,
            r#"{"step":3,"loss":1.9}"#,
            r#"{"step":3,"loss":1.5,"m":0.5}"#,
            r#"{"m":-1,"step":4}"#,
            r#"{"step":5,"lo"#,
        ];
        fs::write(folder.path().join("metrics.jsonl"), lines.join("\n")).unwrap();
        let [losses, scores] = metrics(folder.path(), "m").unwrap();
        assert_eq!((losses, scores), (vec![(1.0, 2.0), (3.0, 1.5)], vec![(3.0, 0.5), (4.0, -1.0)]));
        assert_eq!(metrics(folder.path(), "loss").unwrap()[1].len(), 2);
        assert!(metrics(&folder.path().join("missing"), "m").is_none());
    }
}
