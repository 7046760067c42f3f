//! Batches that are given, token by token, so that a whole training run can be held against another implementation's.

use crate::settings::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// What is read, and how.
const NAME: &str = "batches";

/// Rows of tokens in the order in which they are trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    tokens: Vec<u32>,
    shape: [usize; 3],
}

impl Batches {
    /// Reads `batches` `[steps, batch, seq + 1]`, int64 or int32, of a safetensors file.
    ///
    /// # Errors
    ///
    /// No such file or tensor, other elements or shapes, negative tokens.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |message: String| Error::input(path.display(), message, "write `batches` [steps, batch, seq + 1], int64 or int32");
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(format!("is no safetensors file: {error}")))?;
        let tensor = file.tensor(NAME).map_err(|_| wrong(format!("holds no tensor {NAME}")))?;
        let &[steps, batch, length] = tensor.shape() else { return Err(wrong(format!("{NAME} is {:?}", tensor.shape()))) };
        if steps == 0 || batch == 0 || length < 2 {
            return Err(wrong(format!("{NAME} is {:?}", tensor.shape())));
        }
        let numbers: Vec<i64> = match tensor.dtype() {
            Dtype::I64 => tensor.data().chunks_exact(8).map(|it| i64::from_le_bytes(it.try_into().expect("eight bytes"))).collect(),
            Dtype::I32 => tensor.data().chunks_exact(4).map(|it| i32::from_le_bytes(it.try_into().expect("four bytes")).into()).collect(),
            other => return Err(wrong(format!("{NAME} has elements of type {other:?}"))),
        };
        let token = |number: i64| u32::try_from(number).map_err(|_| wrong(format!("{number} is no token")));
        Ok(Self { tokens: numbers.into_iter().map(token).collect::<Result<_>>()?, shape: [steps, batch, length] })
    }

    /// Steps, rows of a step, tokens of a row: one more than its inputs.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// One more than the highest token.
    pub fn vocab(&self) -> usize {
        self.tokens.iter().max().map_or(0, |token| *token as usize + 1)
    }

    /// Row `index`, from the first one of the first step on.
    ///
    /// # Panics
    ///
    /// Beyond the last row.
    pub fn row(&self, index: u64) -> &[u32] {
        let length = self.shape[2];
        &self.tokens[index as usize * length..][..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file(dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let view = TensorView::new(dtype, shape, bytes).unwrap();
        std::fs::write(file.path(), safetensors::serialize([(NAME, view)], None).unwrap()).unwrap();
        file
    }

    #[test]
    fn rows_come_in_the_order_of_the_file() {
        let bytes: Vec<u8> = (0..12i64).flat_map(i64::to_le_bytes).collect();
        let batches = Batches::read(file(Dtype::I64, vec![2, 2, 3], &bytes).path()).unwrap();
        assert_eq!((batches.shape(), batches.vocab(), batches.row(2)), ([2, 2, 3], 12, &[6, 7, 8][..]));
        let bytes: Vec<u8> = (0..12i32).flat_map(i32::to_le_bytes).collect();
        assert_eq!(Batches::read(file(Dtype::I32, vec![2, 2, 3], &bytes).path()).unwrap(), batches);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let refused = |file: tempfile::NamedTempFile, reason: &str| {
            let error = Batches::read(file.path()).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("[steps, batch, seq + 1]"), "{error}");
        };
        refused(file(Dtype::I64, vec![2], &[0; 16]), "batches is [2]");
        refused(file(Dtype::I64, vec![1, 2, 1], &[0; 16]), "batches is [1, 2, 1]");
        refused(file(Dtype::F32, vec![1, 1, 2], &[0; 8]), "type F32");
        refused(file(Dtype::I64, vec![1, 1, 2], &[255; 16]), "-1 is no token");
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "tokens").unwrap();
        refused(text, "no safetensors file");
    }
}
