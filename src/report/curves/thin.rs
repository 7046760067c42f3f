//! Fewer points that look the same: of each stretch of a line its lowest and its highest.

/// At most `most` of `points` (at least ten), in order: the first, the last, and of equal stretches the points where any of
/// these `heights` is lowest or highest. A spike of one point survives; what lies between is dropped.
pub fn thin<T: Copy>(points: &[T], most: usize, heights: &[fn(&T) -> f64]) -> Vec<T> {
    let most = most.max(10);
    if points.len() <= most {
        return points.to_vec();
    }
    let stretches = ((most - 2) / (2 * heights.len().max(1))).max(1);
    let mut kept = vec![0, points.len() - 1];
    for stretch in 0..stretches {
        let places = stretch * points.len() / stretches..(stretch + 1) * points.len() / stretches;
        for height in heights {
            let order = |a: &usize, b: &usize| height(&points[*a]).total_cmp(&height(&points[*b]));
            kept.extend(places.clone().min_by(order));
            kept.extend(places.clone().max_by(order));
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|place| points[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn y(point: &(f64, f64)) -> f64 {
        point.1
    }

    #[test]
    fn spikes_and_ends_survive() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), (f64::from(i) * 0.01).sin())).collect();
        (points[1234].1, points[8765].1, points[9999].1) = (9.0, -9.0, 0.123);
        for most in [10, 64, 240, 3000] {
            let thinned = thin(&points, most, &[y]);
            assert!(thinned.len() <= most && thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for kept in [points[0], points[1234], points[8765], points[9999]] {
                assert!(thinned.contains(&kept), "{most}: {kept:?}");
            }
        }
    }

    #[test]
    fn every_stretch_keeps_its_own_extremes_in_every_height() {
        let points: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i * 7 % 31), f64::from(i * 13 % 101))).collect();
        let x: fn(&(f64, f64)) -> f64 = |p| p.0;
        let thinned = thin(&points, 42, &[x, y]);
        assert!(thinned.len() <= 42);
        for height in [x, y] {
            for pick in [f64::min, f64::max] {
                let of = |points: &[(f64, f64)]| points.iter().map(height).reduce(pick);
                assert_eq!(of(&thinned), of(&points));
            }
        }
        assert_eq!(thin(&points[..7], 10, &[x]), points[..7]);
        assert!(thin::<(f64, f64)>(&[], 10, &[]).is_empty());
    }
}
