//! Options of MinHash.

use crate::settings::{Problem, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How shingles become signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// datatrove's: (a·x + b mod 2⁶⁴) mod 2⁶¹ − 1 with parameters from numpy's `RandomState(seed)`. Signatures are equal to
    /// its own where its word tokenizer splits at white space.
    Datatrove,
    /// Multiplication modulo 2³²: several times as fast, with the same probabilities.
    Fast,
}

/// How a shingle is hashed for datatrove's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShingleHash {
    /// XXH64, datatrove's default.
    Xxhash,
    /// The first 8 bytes of SHA-1, which FineWeb used.
    Sha1,
}

options! {
    /// Options of MinHash-LSH; the defaults are datatrove's (`MinhashConfig`, at a649de79c1).
    MinhashConfig {
        /// Words of a shingle.
        shingle: usize = 5,
        /// Bands: documents that agree in all rows of one are candidates. More bands find more pairs.
        bands: usize = 14,
        /// Rows of a band. More rows find fewer pairs: two documents of Jaccard similarity s are candidates with probability
        /// 1 − (1 − s^rows)^bands.
        rows: usize = 8,
        /// How shingles become signatures.
        scheme: Scheme = Scheme::Datatrove,
        /// How shingles are hashed in datatrove's scheme.
        hash: ShingleHash = ShingleHash::Xxhash,
        /// Seed of the functions' parameters.
        seed: u32 = 1,
        /// Candidates are duplicates only if the Jaccard similarity of their shingles is at least this; documents are read
        /// once more to know it. Unset (datatrove): every candidate is a duplicate.
        verify: Option<f64> = None,
        /// With `verify`, so many candidate pairs are written to `pairs.jsonl`, chosen by a hash, with the beginnings of
        /// their texts.
        sample: usize = 20,
    }
}

impl MinhashConfig {
    /// What is wrong, by key.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let help = "datatrove and FineWeb take shingles of 5 words, 14 bands and 8 rows";
        for (key, value, most) in [("shingle", self.shingle, 1000), ("bands", self.bands, 4096), ("rows", self.rows, 4096)] {
            if !(1..=most).contains(&value) {
                problems.push(Problem::new(key, format!("must be 1 to {most}")).help(help));
            }
        }
        if self.bands.saturating_mul(self.rows) > 1 << 16 {
            problems.push(Problem::new("bands", "bands × rows is more than 65536 hash functions").help(help));
        }
        if self.verify.is_some_and(|least| !(0.0..=1.0).contains(&least)) {
            problems.push(Problem::new("verify", "must be 0 to 1").help("0.72 is about where 14 bands of 8 rows find half of the pairs"));
        }
        problems
    }

    /// Probability that two documents of a Jaccard similarity become candidates: 1 − (1 − s^rows)^bands.
    pub fn probability(&self, similarity: f64) -> f64 {
        1.0 - (1.0 - similarity.powf(self.rows as f64)).powf(self.bands as f64)
    }
}
