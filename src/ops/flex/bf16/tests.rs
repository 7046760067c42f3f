use super::{
    blocks::{self, BLOCKS, Blocks},
    pack::{LANES, Round, STEPS, pack},
    tile::{COLUMNS, ROWS, Tile},
    *,
};
use crate::ops::check::noise;
use proptest::prelude::*;
use std::ops::Range;

/// What the instructions of AVX512-BF16 are documented to do, so that all around them is tested on any processor.
struct Emulated;

/// Subnormal numbers count as 0.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

fn word(early: f32, late: f32) -> u32 {
    nearest(flushed(early)).to_bits() >> 16 | nearest(flushed(late)).to_bits()
}

impl Round for Emulated {
    unsafe fn zip(early: [f32; LANES], late: [f32; LANES]) -> [u32; LANES] {
        std::array::from_fn(|i| word(early[i], late[i]))
    }

    unsafe fn turn(rows: [&[f32; STEPS]; LANES]) -> [[u32; LANES]; LANES] {
        std::array::from_fn(|pair| std::array::from_fn(|lane| word(rows[lane][2 * pair], rows[lane][2 * pair + 1])))
    }
}

impl Tile for Emulated {
    unsafe fn pack<const W: usize>(source: Matrix, lanes: Range<usize>, steps: Range<usize>, to: &mut [u32]) {
        unsafe { pack::<Self, W>(source, lanes, steps, to) }
    }

    unsafe fn multiply(a: &[u32], b: &[u32], out: *mut f32, stride: usize, accumulate: bool) {
        assert_eq!(a.len() * COLUMNS, b.len() * ROWS);
        let [early, late] = [|word: u32| f32::from_bits(word << 16), |word: u32| f32::from_bits(word & 0xffff_0000)];
        let mut sums = [[0.0; COLUMNS]; ROWS];
        for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLUMNS)) {
            for (sums, a) in sums.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = flushed(*sum + late(*a) * late(*b));
                    *sum = flushed(*sum + early(*a) * early(*b));
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                let to = unsafe { &mut *out.add(row * stride + column) };
                *to = if accumulate { *to + sum } else { *sum };
            }
        }
    }
}

/// A way to multiply.
type Product = fn(Matrix, Matrix, &mut [f32], bool);

fn blocked(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    unsafe { blocks::multiply::<Emulated>(a, b, out, accumulate, &BLOCKS) }
}

/// So small that small products have many of each.
fn finely_blocked(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    let blocks = Blocks { steps: 6, panels: 2, packed: [3 * ROWS, 2 * COLUMNS] };
    unsafe { blocks::multiply::<Emulated>(a, b, out, accumulate, &blocks) }
}

const PRODUCTS: [(&str, Product); 4] =
    [("as chosen", product), ("rounded", rounded_product), ("blocked", blocked), ("finely blocked", finely_blocked)];

/// To bf16 by its definition: the nearest of the numbers with 8 bits, the even one of two.
fn round64(x: f64) -> f64 {
    if x == 0.0 {
        return x;
    }
    let unit = 2f64.powi(x.abs().log2().floor() as i32 - 7);
    (x / unit).round_ties_even() * unit
}

/// Products of the rounded operands, and how far sums of f32 may be from each.
fn reference(a: Matrix, b: Matrix) -> Vec<(f64, f64)> {
    let rounded = |m: Matrix| -> Vec<f64> {
        let row = |i: usize| (0..m.columns).map(move |j| round64(m.data[i * m.row + j * m.column].into()));
        (0..m.rows).flat_map(row).collect()
    };
    let (k, n) = (a.columns, b.columns);
    let (x, y) = (rounded(a), rounded(b.transposed()));
    let element = |i: usize, j: usize| {
        let terms = || x[i * k..][..k].iter().zip(&y[j * k..][..k]).map(|(x, y)| x * y);
        (terms().sum(), terms().map(f64::abs).sum::<f64>() * (k + 2) as f64 * 2f64.powi(-24))
    };
    (0..a.rows).flat_map(|i| (0..n).map(move |j| element(i, j))).collect()
}

/// Every way to multiply, into poisoned output and onto what is there.
fn check(a: Matrix, b: Matrix) {
    let truth = reference(a, b);
    let what = format!("{}x{}x{}", a.rows, a.columns, b.columns);
    for (name, product) in PRODUCTS {
        let mut out = vec![f32::NAN; truth.len()];
        product(a, b, &mut out, false);
        let written = out.clone();
        product(a, b, &mut out, true);
        for (i, (t, tolerance)) in truth.iter().enumerate() {
            let error = (f64::from(written[i]) - t).abs();
            assert!(error <= *tolerance, "{name} {what}: {} for {t} at {i}", written[i]);
            let error = (f64::from(out[i]) - f64::from(written[i]) - t).abs();
            let tolerance = tolerance + f64::from(out[i].abs()) * 2f64.powi(-23);
            assert!(error <= tolerance, "{name} {what}: {} added to {} for {t} at {i}", out[i], written[i]);
        }
    }
}

/// A matrix in its data with gaps: by rows if `column` is 1, by columns if `row` is 1, spread otherwise.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows(usize),
    Columns(usize),
    Spread(usize),
}

impl Layout {
    fn matrix(self, key: &str, rows: usize, columns: usize) -> (Vec<f32>, [usize; 2]) {
        let strides @ [row, column] = match self {
            Self::Rows(gap) => [columns + gap, 1],
            Self::Columns(gap) => [1, rows + gap],
            Self::Spread(gap) => [columns * (gap + 2) + gap, gap + 2],
        };
        let count = if rows * columns == 0 { 0 } else { (rows - 1) * row + (columns - 1) * column + 1 };
        (noise(key, count), strides)
    }
}

fn check_layouts([m, k, n]: [usize; 3], left: Layout, right: Layout) {
    let ((a, a_strides), (b, b_strides)) = (left.matrix("a", m, k), right.matrix("b", k, n));
    check(Matrix::new(&a, [m, k], a_strides), Matrix::new(&b, [k, n], b_strides));
}

#[test]
fn rounding_is_to_nearest_even_and_keeps_what_is_not_finite() {
    for i in 0..1u32 << 16 {
        // A ninth bit and what lies below it, around every tie.
        for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
            let x = f32::from_bits(i << 16 | low);
            let y = nearest(x);
            assert_eq!(y.to_bits() & 0xffff, 0);
            assert_eq!(x.is_nan(), y.is_nan());
            if x.is_normal() {
                let truth = round64(x.into());
                assert_eq!(f64::from(y), if truth.abs() >= 2f64.powi(128) { truth * f64::INFINITY } else { truth }, "{x}");
            } else if !x.is_nan() {
                assert!((y - x).abs() <= f32::MIN_POSITIVE / 256.0 || x == y);
            }
        }
    }
}

#[test]
fn panels_hold_pairs_by_lane() {
    fn check<const W: usize>(layout: Layout, lanes: usize, steps: usize) {
        let (data, strides) = layout.matrix("x", lanes, steps);
        let source = Matrix::new(&data, [lanes, steps], strides);
        for lanes in [0..lanes.min(W), lanes / 3..lanes.min(lanes / 3 + W)] {
            for steps in [0..steps, steps / 3..steps] {
                let mut to = vec![u32::MAX; steps.len().div_ceil(2) * W];
                unsafe { Emulated::pack::<W>(source, lanes.clone(), steps.clone(), &mut to) };
                let at = |lane: usize, step: usize| {
                    let inside = lanes.contains(&lane) && steps.contains(&step);
                    if inside { source.data[lane * source.row + step * source.column] } else { 0.0 }
                };
                for (i, got) in to.iter().enumerate() {
                    let (lane, step) = (lanes.start + i % W, steps.start + i / W * 2);
                    assert_eq!(*got, word(at(lane, step), at(lane, step + 1)), "{layout:?} {lanes:?} {steps:?} at {i}");
                }
            }
        }
    }
    for layout in [Layout::Rows(0), Layout::Rows(3), Layout::Columns(0), Layout::Columns(5), Layout::Spread(1)] {
        for lanes in [1, 7, 8, 13, 14, 15, 29, 32, 50] {
            for steps in [1, 2, 15, 16, 17, 32, 47] {
                check::<ROWS>(layout, lanes, steps);
                check::<COLUMNS>(layout, lanes, steps);
            }
        }
    }
}

#[test]
fn agrees_with_float64_in_any_layout() {
    let shapes = [[1, 1, 1], [3, 17, 5], [14, 32, 32], [15, 33, 31], [53, 101, 67], [64, 32, 48], [1, 300, 70], [70, 1, 1], [29, 7, 1]];
    for shape in shapes {
        for left in [Layout::Rows(0), Layout::Rows(3), Layout::Columns(0), Layout::Columns(2), Layout::Spread(0)] {
            for right in [Layout::Rows(0), Layout::Rows(5), Layout::Columns(0), Layout::Columns(1), Layout::Spread(1)] {
                check_layouts(shape, left, right);
            }
        }
    }
}

#[test]
fn agrees_with_float64_across_blocks() {
    let [steps, [rows, columns]] = [[BLOCKS.steps; 2], BLOCKS.packed];
    for shape in [[131, 2 * steps[0] + 1, 140], [rows + 3, 5, 40], [17, 9, columns + 33], [260, steps[0], 300]] {
        check_layouts(shape, Layout::Rows(0), Layout::Rows(0));
        check_layouts(shape, Layout::Columns(0), Layout::Columns(0));
    }
}

#[test]
fn nothing_times_nothing() {
    for [m, k, n] in [[3, 0, 4], [0, 3, 4], [3, 4, 0], [0, 0, 0]] {
        check_layouts([m, k, n], Layout::Rows(0), Layout::Rows(0));
    }
}

#[test]
fn repeated_elements_are_read_again() {
    let x = noise("x", 40);
    check(Matrix::new(&x, [20, 40], [0, 1]), Matrix::new(&x, [40, 35], [1, 0]));
}

#[test]
fn what_is_not_finite_comes_through() {
    let (m, k, n) = (20, 37, 50);
    // The payload of this NaN lies where bf16 has no bits; rounding it like a number gives an infinity.
    let nan = f32::from_bits(0x7f80_0001);
    for (name, product) in PRODUCTS {
        let (mut a, b) = (noise("a", m * k), noise("b", k * n).iter().map(|x| x.abs() + 0.1).collect::<Vec<_>>());
        a[3 * k + 36] = nan;
        a[5 * k] = f32::INFINITY;
        // Rounds to an infinity.
        a[7 * k + 20] = f32::MIN;
        let mut out = vec![0.0; m * n];
        product(Matrix::contiguous(&a, m, k), Matrix::contiguous(&b, k, n), &mut out, false);
        for (row, out) in out.chunks(n).enumerate() {
            let expected: fn(f32) -> bool = match row {
                3 => f32::is_nan,
                5 => |x| x == f32::INFINITY,
                7 => |x| x == f32::NEG_INFINITY,
                _ => f32::is_finite,
            };
            assert!(out.iter().all(|x| expected(*x)), "{name}: row {row}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for shape @ [m, k, n] in [[150, 130, 170], [70, 801, 90], [500, 33, 129]] {
        let (a, b) = (noise("a", m * k), noise("b", k * n));
        for (name, product) in PRODUCTS {
            let run = |threads: usize| {
                let mut out = noise("out", m * n);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| product(Matrix::contiguous(&a, m, k), Matrix::contiguous(&b, n, k).transposed(), &mut out, true));
                out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            let one = run(1);
            assert!([2, 3, 7].iter().all(|threads| run(*threads) == one), "{name} {shape:?}");
        }
    }
}

#[test]
fn products_inside_of_products_tasks_keep_apart() {
    let (m, k, n) = (90, 200, 150);
    let (a, b) = (noise("a", m * k), noise("b", k * n));
    let run = || {
        let mut out = vec![f32::NAN; m * n];
        blocked(Matrix::contiguous(&a, m, k), Matrix::contiguous(&b, k, n), &mut out, false);
        out
    };
    let alone = run();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| (0..24).into_par_iter().for_each(|_| assert!(run() == alone)));
}

#[test]
fn shapes_that_disagree_are_refused() {
    for (name, product) in PRODUCTS {
        let refused = std::panic::catch_unwind(|| {
            product(Matrix::contiguous(&[1.0; 6], 2, 3), Matrix::contiguous(&[1.0; 6], 2, 3), &mut [0.0; 6], false);
        });
        assert!(refused.is_err(), "{name}");
    }
}

fn layouts() -> impl Strategy<Value = Layout> {
    prop_oneof![(0..4usize).prop_map(Layout::Rows), (0..4usize).prop_map(Layout::Columns), (0..4usize).prop_map(Layout::Spread)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_in_any_layout(m in 0..80usize, k in 0..80usize, n in 0..140usize, left in layouts(), right in layouts()) {
        check_layouts([m, k, n], left, right);
    }

    #[test]
    fn blocks_change_no_product_of_integers(
        [m, k, n] in [1..70usize, 1..60usize, 1..110usize],
        steps in 1..12usize,
        panels in 1..5usize,
        packed in [1..5usize, 1..4usize],
    ) {
        // Their sums are exact in any order.
        let integers = |key: &str, count: usize| noise(key, count).iter().map(|x| (x * 8.0).round()).collect::<Vec<_>>();
        let (a, b) = (integers("a", m * k), integers("b", k * n));
        let (a, b) = (Matrix::contiguous(&a, m, k), Matrix::contiguous(&b, n, k).transposed());
        let blocks = Blocks { steps: 2 * steps, panels, packed: [packed[0] * ROWS, packed[1] * COLUMNS] };
        let (mut cut, mut whole) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
        unsafe { blocks::multiply::<Emulated>(a, b, &mut cut, false, &blocks) };
        rounded_product(a, b, &mut whole, false);
        prop_assert_eq!(cut, whole);
    }
}

/// Tests of the instructions themselves run where the processor has them.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::*;
    use crate::ops::flex::bf16::tile::Avx512;

    fn available() -> bool {
        let available = Avx512::is_available();
        if !available {
            println!("skipped: this processor has no AVX512-BF16");
        }
        available
    }

    /// Numbers of every kind: each exponent, ties, subnormals, infinities and NaNs.
    fn any_bits(key: &str, count: usize) -> Vec<f32> {
        noise(key, count).iter().map(|x| f32::from_bits(x.to_bits().wrapping_mul(0x9e37_79b9))).collect()
    }

    #[test]
    fn panels_are_as_emulated() {
        if !available() {
            return;
        }
        fn check<const W: usize>(source: Matrix, lanes: Range<usize>, steps: Range<usize>) {
            let [mut got, mut expected] = [0, 1].map(|x| vec![x; steps.len().div_ceil(2) * W]);
            unsafe {
                Avx512::pack::<W>(source, lanes.clone(), steps.clone(), &mut got);
                Emulated::pack::<W>(source, lanes, steps, &mut expected);
            }
            assert_eq!(got, expected);
        }
        for (lanes, steps) in [(32, 64), (14, 16), (9, 31), (1, 1)] {
            let x = any_bits("x", lanes * steps);
            for source in [Matrix::contiguous(&x, lanes, steps), Matrix::contiguous(&x, steps, lanes).transposed()] {
                check::<ROWS>(source, 0..lanes.min(ROWS), 0..steps);
                check::<COLUMNS>(source, 0..lanes, 0..steps);
            }
        }
    }

    #[test]
    fn tiles_are_as_emulated() {
        if !available() {
            return;
        }
        for pairs in [0, 1, 7, 192] {
            // Exact sums, so that the order of additions is not asked about.
            let words = |key: &str, count: usize| -> Vec<u32> {
                let x: Vec<_> = noise(key, 2 * count).iter().map(|x| (x * 8.0).round()).collect();
                x.chunks(2).map(|x| word(x[0], x[1])).collect()
            };
            let (a, b) = (words("a", pairs * ROWS), words("b", pairs * COLUMNS));
            for (stride, accumulate) in [(COLUMNS, false), (COLUMNS + 5, true)] {
                let [mut got, mut expected] = [0, 1].map(|_| vec![3.0; ROWS * stride]);
                unsafe {
                    Avx512::multiply(&a, &b, got.as_mut_ptr(), stride, accumulate);
                    Emulated::multiply(&a, &b, expected.as_mut_ptr(), stride, accumulate);
                }
                assert_eq!(got, expected, "{pairs} {stride} {accumulate}");
            }
        }
    }

    #[test]
    fn transposes() {
        if !is_x86_feature_detected!("avx2") {
            println!("skipped: this processor has no AVX2");
            return;
        }
        let x: [[u32; LANES]; LANES] = std::array::from_fn(|i| std::array::from_fn(|j| (10 * i + j) as u32));
        let y = unsafe {
            crate::ops::flex::bf16::tile::transpose(std::mem::transmute::<[[u32; LANES]; LANES], [std::arch::x86_64::__m256i; LANES]>(x))
        };
        assert!((0..LANES).all(|i| (0..LANES).all(|j| y[i][j] == x[j][i])));
    }
}
