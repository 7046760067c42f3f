//! Normalisation of rows: by mean square (RMSNorm), or by variance around the mean (LayerNorm).

use super::Sums;

/// y = (x - mean) / √(variance + eps) · (offset + gain) + bias of each row of `width` numbers. RMSNorm takes 0 for the mean.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// Whether the mean is taken off.
    pub centred: bool,
    /// Added to the variance.
    pub eps: f64,
    /// `[width]`; all 1, whatever the offset, without one.
    pub gain: Option<&'a [f64]>,
    /// Added to the gain.
    pub offset: f64,
    /// `[width]`.
    pub bias: Option<&'a [f64]>,
}

/// A row before gain and bias.
struct Row {
    /// The normalised numbers.
    normal: Vec<f64>,
    /// With the sizes of what is subtracted.
    size: Vec<f64>,
    /// 1/√(variance + eps).
    scale: f64,
}

impl Norm<'_> {
    fn factor(&self, i: usize) -> f64 {
        self.gain.map_or(1.0, |gain| self.offset + gain[i])
    }

    fn row(&self, x: &[f64]) -> Row {
        let n = self.width as f64;
        let (mean, mean_size) =
            if self.centred { (x.iter().sum::<f64>() / n, x.iter().map(|x| x.abs()).sum::<f64>() / n) } else { (0.0, 0.0) };
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + self.eps).sqrt();
        Row {
            normal: x.iter().map(|x| (x - mean) * scale).collect(),
            size: x.iter().map(|x| (x.abs() + mean_size) * scale).collect(),
            scale,
        }
    }

    /// y.
    pub fn forward(&self, x: &[f64]) -> Sums {
        let mut y = Sums::zeros(x.len());
        for (r, x) in x.chunks(self.width).enumerate() {
            let row = self.row(x);
            for i in 0..self.width {
                y.add_sized(r * self.width + i, row.normal[i] * self.factor(i), row.size[i] * self.factor(i).abs());
                if let Some(bias) = self.bias {
                    y.add(r * self.width + i, bias[i]);
                }
            }
        }
        y
    }

    /// The gradients of x, gain and bias.
    pub fn backward(&self, x: &[f64], dy: &[f64]) -> [Sums; 3] {
        let (width, n) = (self.width, self.width as f64);
        let [mut dx, mut dgain, mut dbias] = [x.len(), width, width].map(Sums::zeros);
        for (r, (x, dy)) in x.chunks(width).zip(dy.chunks(width)).enumerate() {
            let Row { normal, size, scale } = self.row(x);
            let g: Vec<f64> = (0..width).map(|i| dy[i] * self.factor(i)).collect();
            // dx = scale·(g - mean(g) - normal·mean(g·normal)), without mean(g) where the mean is not taken off.
            let along = g.iter().zip(&normal).map(|(g, n)| g * n).sum::<f64>() / n;
            let along_size = g.iter().zip(&size).map(|(g, size)| (g * size).powi(2)).sum::<f64>().sqrt() / n;
            let (mean, mean_size) =
                if self.centred { (g.iter().sum::<f64>() / n, g.iter().map(|g| g * g).sum::<f64>().sqrt() / n) } else { (0.0, 0.0) };
            for i in 0..width {
                let all = g[i].abs() + mean_size + size[i] * along_size;
                dx.add_sized(r * width + i, scale * (g[i] - mean - normal[i] * along), scale * all);
                dgain.add_sized(i, dy[i] * normal[i], dy[i].abs() * size[i]);
                dbias.add(i, dy[i]);
            }
        }
        [dx, dgain, dbias]
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (rows, width) = (3, 5);
        let (x, w, b, dy) = (numbers("x", rows * width), numbers("w", width), numbers("b", width), numbers("dy", rows * width));
        for (centred, offset) in [(false, 0.0), (false, 1.0), (true, 0.0)] {
            let norm = Norm { width, centred, eps: 1e-3, gain: Some(&w), offset, bias: Some(&b) };
            let [dx, dgain, dbias] = norm.backward(&x, &dy);
            gradient("dx", &dx, &x, &dy, |x| norm.forward(x).value);
            gradient("dgain", &dgain, &w, &dy, |w| Norm { gain: Some(w), ..norm }.forward(&x).value);
            gradient("dbias", &dbias, &b, &dy, |b| Norm { bias: Some(b), ..norm }.forward(&x).value);
            let plain = Norm { gain: None, bias: None, ..norm };
            gradient("dx without gain", &plain.backward(&x, &dy)[0], &x, &dy, |x| plain.forward(x).value);
        }
    }

    #[test]
    fn rows_have_the_statistics_that_they_are_named_for() {
        let x = numbers("x", 14);
        for centred in [false, true] {
            let y = Norm { width: 7, centred, eps: 0.0, gain: None, offset: 1.0, bias: None }.forward(&x).value;
            for row in y.chunks(7) {
                assert!((row.iter().map(|y| y * y).sum::<f64>() / 7.0 - 1.0).abs() < 1e-12);
                assert!(!centred || row.iter().sum::<f64>().abs() < 1e-12);
            }
        }
    }
}
