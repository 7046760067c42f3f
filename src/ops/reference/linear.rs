//! x·W + b.

use super::Sums;

/// y = x·W + b; x `[rows, inputs]`, W `[inputs, outputs]`, b `[outputs]`.
pub fn forward(x: &[f64], weight: &[f64], bias: Option<&[f64]>, outputs: usize) -> Sums {
    let inputs = weight.len() / outputs;
    let mut y = Sums::zeros(x.len() / inputs * outputs);
    for (row, x) in x.chunks(inputs).enumerate() {
        for (x, w) in x.iter().zip(weight.chunks(outputs)) {
            for (o, w) in w.iter().enumerate() {
                y.add(row * outputs + o, x * w);
            }
        }
        for (o, b) in bias.into_iter().flatten().enumerate() {
            y.add(row * outputs + o, *b);
        }
    }
    y
}

/// The gradients of x, W and b from that of y.
pub fn backward(x: &[f64], weight: &[f64], dy: &Sums, outputs: usize) -> [Sums; 3] {
    let inputs = weight.len() / outputs;
    let [mut dx, mut dw, mut db] = [x.len(), weight.len(), outputs].map(Sums::zeros);
    for row in 0..x.len() / inputs {
        for o in 0..outputs {
            let (dy, size) = (dy.value[row * outputs + o], dy.size[row * outputs + o]);
            for i in 0..inputs {
                let (x, w) = (x[row * inputs + i], weight[i * outputs + o]);
                dx.add_sized(row * inputs + i, dy * w, size * w.abs());
                dw.add_sized(i * outputs + o, x * dy, x.abs() * size);
            }
            db.add_sized(o, dy, size);
        }
    }
    [dx, dw, db]
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (rows, inputs, outputs) = (3, 4, 5);
        let (x, w, b) = (numbers("x", rows * inputs), numbers("w", inputs * outputs), numbers("b", outputs));
        let dy = numbers("dy", rows * outputs);
        let [dx, dw, db] = backward(&x, &w, &Sums::of(&dy), outputs);
        gradient("dx", &dx, &x, &dy, |x| forward(x, &w, Some(&b), outputs).value);
        gradient("dw", &dw, &w, &dy, |w| forward(&x, w, Some(&b), outputs).value);
        gradient("db", &db, &b, &dy, |b| forward(&x, &w, Some(b), outputs).value);
    }

    #[test]
    fn a_product_by_hand() {
        let y = forward(&[1.0, 2.0], &[1.0, -1.0, 0.5, 3.0], Some(&[10.0, 20.0]), 2);
        assert_eq!(y.value, [12.0, 25.0]);
        assert_eq!(y.size, [102f64.sqrt(), 437f64.sqrt()]);
    }
}
