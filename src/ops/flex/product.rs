//! Matrix products, by the `gemm` crate.

use crate::ops::profile::span;

/// A strided matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a> Matrix<'a> {
    /// Element (i, j) is `data[i · row + j · column]`.
    ///
    /// # Panics
    ///
    /// If the last element lies outside `data`.
    pub fn new(data: &'a [f32], [rows, columns]: [usize; 2], [row, column]: [usize; 2]) -> Self {
        assert!(rows * columns == 0 || (rows - 1) * row + (columns - 1) * column < data.len(), "a matrix outside its data");
        Self { data, rows, columns, row, column }
    }

    /// Rows one after the other.
    ///
    /// # Panics
    ///
    /// If `data` does not hold as many elements.
    pub fn contiguous(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::new(data, [rows, columns], [columns, 1])
    }

    /// Rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }
}

/// Products of fewer multiply-adds stay on one thread.
pub(super) const PARALLEL: usize = 1 << 21;

/// out = a·b, or out += a·b if `accumulate`; `out` holds its rows one after the other. No sum is split over threads.
///
/// # Panics
///
/// If the shapes disagree.
pub fn product(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    let _span = span("matrix products");
    assert!(a.columns == b.rows && out.len() == a.rows * b.columns, "a product of shapes that disagree");
    if out.is_empty() {
        return;
    }
    let threads = if a.rows * a.columns * b.columns < PARALLEL { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(0) };
    let alpha = if accumulate { 1.0 } else { 0.0 };
    // SAFETY: the constructors of `Matrix` and the assertion above keep every element inside its slice, and `out` is
    // borrowed mutably.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            accumulate,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            alpha,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::noise;

    fn reference(a: Matrix, b: Matrix) -> Vec<f64> {
        let at = |m: &Matrix, i: usize, j: usize| f64::from(m.data[i * m.row + j * m.column]);
        let row = |i: usize| (0..b.columns).map(move |j| (0..a.columns).map(|k| at(&a, i, k) * at(&b, k, j)).sum());
        (0..a.rows).flat_map(row).collect()
    }

    #[test]
    fn agrees_with_float64_in_any_layout() {
        for [m, k, n] in [[1, 1, 1], [3, 17, 5], [64, 32, 48], [130, 140, 150]] {
            let (a, b) = (noise("a", m * k), noise("b", k * n));
            for a in [Matrix::contiguous(&a, m, k), Matrix::contiguous(&a, k, m).transposed()] {
                for b in [Matrix::contiguous(&b, k, n), Matrix::contiguous(&b, n, k).transposed()] {
                    let truth = reference(a, b);
                    let mut out = vec![f32::NAN; m * n];
                    product(a, b, &mut out, false);
                    let close = |out: &[f32], factor: f64| out.iter().zip(&truth).all(|(o, t)| (f64::from(*o) - factor * t).abs() < 1e-4);
                    assert!(close(&out, 1.0));
                    product(a, b, &mut out, true);
                    assert!(close(&out, 2.0));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside its data")]
    fn a_matrix_lies_inside_its_data() {
        Matrix::new(&[0.0; 5], [2, 3], [3, 1]);
    }
}
