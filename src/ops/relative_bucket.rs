//! The buckets of a relative bias.

/// The bucket of a causal `distance` (T5's `_relative_position_bucket` with `bidirectional=False`): the first half of
/// the buckets are exact, the second half logarithmic up to `max_distance`; all beyond share the last.
pub fn relative_bucket(distance: usize, buckets: usize, max_distance: usize) -> usize {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    let share = (distance as f64 / exact as f64).ln() / (max_distance as f64 / exact as f64).ln();
    // Distances on the edge of a bucket belong to the upper one; rounding must not push them below.
    let bucket = exact + (share * (buckets - exact) as f64 + 1e-9) as usize;
    bucket.min(buckets - 1)
}
