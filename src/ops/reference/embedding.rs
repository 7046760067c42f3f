//! Rows of a matrix by index.

use super::Sums;

/// The rows of a table `[vocab, width]` that `tokens` name.
pub fn forward(table: &[f64], width: usize, tokens: &[usize]) -> Sums {
    Sums::of(&tokens.iter().flat_map(|token| &table[token * width..(token + 1) * width]).copied().collect::<Vec<_>>())
}

/// The gradient of the table: sums over the places of each token.
pub fn backward(vocab: usize, width: usize, tokens: &[usize], dy: &[f64]) -> Sums {
    let mut table = Sums::zeros(vocab * width);
    for (token, dy) in tokens.iter().zip(dy.chunks(width)) {
        for (i, dy) in dy.iter().enumerate() {
            table.add(token * width + i, *dy);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (vocab, width, tokens) = (5, 3, [4, 1, 1, 0, 1, 4]);
        let (table, dy) = (numbers("table", vocab * width), numbers("dy", tokens.len() * width));
        gradient("dtable", &backward(vocab, width, &tokens, &dy), &table, &dy, |table| forward(table, width, &tokens).value);
    }
}
