//! Matrices of models: as numbers, or as codes of a product quantiser (Jégou et al. 2011).

use super::{add, source::Source};
use crate::settings::Result;

/// Rows of numbers.
pub(super) struct Dense {
    values: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Dense {
    pub(super) fn zeros(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows * width], rows, width }
    }

    #[inline]
    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    pub(super) fn row_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.values[at * self.width..(at + 1) * self.width]
    }
}

/// Parts of rows as numbers of centroids, 256 for every part.
struct Quantiser {
    width: usize,
    parts: usize,
    part: usize,
    last: usize,
    centroids: Vec<f32>,
}

impl Quantiser {
    const CENTROIDS: usize = 256;

    fn read(source: &mut Source) -> Result<Self> {
        let sizes = [source.i32()?, source.i32()?, source.i32()?, source.i32()?];
        let [width, parts, part, last] = sizes.map(|size| usize::try_from(size).unwrap_or(0));
        let whole = parts.checked_sub(1).and_then(|parts| parts.checked_mul(part)).and_then(|most| most.checked_add(last));
        if whole != Some(width) || part == 0 || last == 0 || last > part {
            return Err(source.wrong("its quantiser is damaged"));
        }
        let centroids = source.vec_f32((width * Self::CENTROIDS) as i64)?;
        Ok(Self { width, parts, part, last, centroids })
    }

    /// Adds the row of some codes, times a factor.
    fn add(&self, codes: &[u8], factor: f32, sum: &mut [f32]) {
        for (at, code) in codes.iter().enumerate() {
            let centroid = self.centroid(at, *code);
            sum[at * self.part..][..centroid.len()].iter_mut().zip(centroid).for_each(|(sum, value)| *sum += factor * value);
        }
    }

    /// `ProductQuantizer::get_centroids`: the last part may be shorter.
    fn centroid(&self, at: usize, code: u8) -> &[f32] {
        let code = usize::from(code);
        if at + 1 == self.parts {
            return &self.centroids[at * Self::CENTROIDS * self.part + code * self.last..][..self.last];
        }
        &self.centroids[(at * Self::CENTROIDS + code) * self.part..][..self.part]
    }
}

/// Rows of codes.
pub(super) struct Quantised {
    codes: Vec<u8>,
    rows: usize,
    quantiser: Quantiser,
    /// Lengths of rows, if rows were divided by them.
    norms: Option<(Vec<u8>, Quantiser)>,
}

/// A matrix of either kind.
pub(super) enum Matrix {
    Dense(Dense),
    Quantised(Quantised),
}

impl Matrix {
    pub(super) fn read(source: &mut Source, quantised: bool) -> Result<Self> {
        let norms = quantised && source.flag()?;
        let (rows, width) = (source.i64()?, source.i64()?);
        if !(0..1 << 40).contains(&rows) || !(1..1 << 20).contains(&width) {
            return Err(source.wrong("a matrix has an impossible size"));
        }
        if !quantised {
            let values = source.vec_f32(rows * width)?;
            return Ok(Self::Dense(Dense { values, rows: rows as usize, width: width as usize }));
        }
        let size = source.i32()?;
        let codes = source.vec_u8(i64::from(size))?;
        let quantiser = Quantiser::read(source)?;
        let rows = rows as usize;
        if quantiser.width != width as usize || codes.len() != rows * quantiser.parts {
            return Err(source.wrong("a quantised matrix does not fit its quantiser"));
        }
        let norms = match norms {
            false => None,
            true => {
                let codes = source.vec_u8(rows as i64)?;
                let quantiser = Quantiser::read(source)?;
                if quantiser.width != 1 {
                    return Err(source.wrong("the quantiser of lengths is damaged"));
                }
                Some((codes, quantiser))
            }
        };
        Ok(Self::Quantised(Quantised { codes, rows, quantiser, norms }))
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.rows,
            Self::Quantised(codes) => codes.rows,
        }
    }

    pub(super) fn width(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.width,
            Self::Quantised(codes) => codes.quantiser.width,
        }
    }

    /// Adds a row to a sum.
    #[inline]
    pub(super) fn add_to(&self, row: usize, sum: &mut [f32]) {
        match self {
            Self::Dense(dense) => add(dense.row(row), sum),
            Self::Quantised(codes) => codes.add_to(row, sum),
        }
    }

    /// All rows as numbers.
    pub(super) fn dense(self) -> Dense {
        match self {
            Self::Dense(dense) => dense,
            Self::Quantised(codes) => {
                let mut dense = Dense::zeros(codes.rows, codes.quantiser.width);
                (0..codes.rows).for_each(|row| codes.add_to(row, dense.row_mut(row)));
                dense
            }
        }
    }
}

impl Quantised {
    fn add_to(&self, row: usize, sum: &mut [f32]) {
        let norm = self.norms.as_ref().map_or(1.0, |(codes, quantiser)| quantiser.centroid(0, codes[row])[0]);
        let parts = self.quantiser.parts;
        self.quantiser.add(&self.codes[row * parts..(row + 1) * parts], norm, sum);
    }
}
