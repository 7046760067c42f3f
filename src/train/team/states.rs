//! States of optimizers that were taken apart by parameters.

use burn::{optim::OptimizerRecord, store::RecordError, tensor::Bytes};
use burn_pack::{Reader, Writer};
use std::{collections::HashMap, ops::Range};

/// A part of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The dimension that is cut.
    pub dimension: usize,
    /// What of it stays.
    pub range: Range<usize>,
}

/// How parts of a tensor lie in the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joint {
    /// Along which dimension they follow each other.
    pub dimension: usize,
    /// How long that is in the whole.
    pub length: usize,
}

/// One state of several, none of which has a parameter that another has.
///
/// # Errors
///
/// Bytes that are no state.
pub fn merged(parts: Vec<Vec<u8>>) -> Result<OptimizerRecord, RecordError> {
    selected(parts, &|_| true, &|_, _| None)
}

/// Of the states of neighbours one of the whole: `joint` says of a parameter and the shape of a tensor of the first one how those
/// of the others follow; none where all have the same.
///
/// # Errors
///
/// Bytes that are no state.
pub fn assembled(neighbours: Vec<OptimizerRecord>, joint: &dyn Fn(u64, &[usize]) -> Option<Joint>) -> Result<OptimizerRecord, RecordError> {
    let mut readers = neighbours.into_iter().map(|record| Ok::<_, RecordError>(Reader::from_bytes(record.into_bytes()?)?));
    let first = readers.next().expect("somebody has a state")?;
    let (scalars, paths) = (first.scalars().clone(), first.metadata().clone());
    let mut others: Vec<HashMap<String, Vec<u8>>> = vec![];
    for reader in readers {
        let mut found = HashMap::new();
        for tensor in reader?.into_tensors()? {
            let (name, _, _, _, bytes) = tensor.into_parts()?;
            found.insert(name, bytes.to_vec());
        }
        others.push(found);
    }
    let mut tensors = vec![];
    for tensor in first.into_tensors()? {
        let (name, dtype, shape, parameter, bytes) = tensor.into_parts()?;
        let sizes: Vec<usize> = shape.iter().copied().collect();
        let tensor = match parameter_of(&name).and_then(|id| joint(id, &sizes)) {
            None => burn_pack::Tensor::new(name, dtype, shape, parameter, bytes),
            Some(Joint { dimension, length }) => {
                let missing = || burn_pack::Error::TensorNotFound(name.clone());
                let theirs = others.iter_mut().map(|other| other.remove(&name).ok_or_else(missing));
                let parts = std::iter::once(Ok(bytes.to_vec())).chain(theirs).collect::<Result<Vec<Vec<u8>>, _>>()?;
                let whole = joined(&parts, &sizes, dimension);
                let mut sizes = sizes;
                sizes[dimension] = length;
                burn_pack::Tensor::new(name, dtype, sizes, parameter, Bytes::from_bytes_vec(whole))
            }
        };
        tensors.push(tensor);
    }
    written(tensors, scalars, paths)
}

/// Parts of a tensor one behind the other along a dimension; `shape` is that of any of them.
pub fn joined(parts: &[Vec<u8>], shape: &[usize], dimension: usize) -> Vec<u8> {
    let rows: usize = shape[..dimension].iter().product();
    let mut whole = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for row in 0..rows {
        for part in parts {
            let length = part.len() / rows;
            whole.extend_from_slice(&part[row * length..(row + 1) * length]);
        }
    }
    whole
}

/// The bytes of a part of a tensor.
fn cut_out(bytes: &[u8], shape: &[usize], cut: &Cut) -> Vec<u8> {
    let rows: usize = shape[..cut.dimension].iter().product();
    let step = bytes.len() / (rows * shape[cut.dimension]).max(1);
    let row = |row: usize| row * shape[cut.dimension];
    (0..rows).flat_map(|at| bytes[(row(at) + cut.range.start) * step..(row(at) + cut.range.end) * step].to_vec()).collect()
}

/// Everything is named by the parameter: `IDENTIFIER` or `IDENTIFIER.FIELD`.
fn parameter_of(name: &str) -> Option<u64> {
    name.split('.').next().and_then(|id| id.parse().ok())
}

/// The state of the parameters that are wanted, by their identifiers, and what `cut` says of their tensors, by shape.
///
/// # Errors
///
/// Bytes that are no state.
pub fn selected(
    parts: Vec<Vec<u8>>,
    wanted: &dyn Fn(u64) -> bool,
    cut: &dyn Fn(u64, &[usize]) -> Option<Cut>,
) -> Result<OptimizerRecord, RecordError> {
    let is_wanted = |name: &str| parameter_of(name).is_none_or(wanted);
    let (mut tensors, mut scalars, mut paths) = (vec![], vec![], vec![]);
    for part in parts {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(part))?;
        scalars.extend(reader.scalars().iter().filter(|(name, _)| is_wanted(name)).map(|(name, value)| (name.clone(), *value)));
        paths.extend(reader.metadata().iter().filter(|(name, _)| is_wanted(name)).map(|(name, path)| (name.clone(), path.clone())));
        for tensor in reader.into_tensors()? {
            let (name, dtype, shape, parameter, bytes) = tensor.into_parts()?;
            if !is_wanted(&name) {
                continue;
            }
            let mut sizes: Vec<usize> = shape.iter().copied().collect();
            tensors.push(match parameter_of(&name).and_then(|id| cut(id, &sizes)) {
                None => burn_pack::Tensor::new(name, dtype, shape, parameter, bytes),
                Some(cut) => {
                    let part = cut_out(&bytes, &sizes, &cut);
                    sizes[cut.dimension] = cut.range.len();
                    burn_pack::Tensor::new(name, dtype, sizes, parameter, Bytes::from_bytes_vec(part))
                }
            });
        }
    }
    written(tensors, scalars, paths)
}

fn written(
    tensors: Vec<burn_pack::Tensor>,
    scalars: impl IntoIterator<Item = (String, burn_pack::Scalar)>,
    paths: impl IntoIterator<Item = (String, String)>,
) -> Result<OptimizerRecord, RecordError> {
    let writer = scalars.into_iter().fold(Writer::new(tensors), |writer, (name, value)| writer.with_scalar(&name, value));
    let writer = paths.into_iter().fold(writer, |writer, (name, path)| writer.with_metadata(&name, &path));
    OptimizerRecord::from_bytes(writer.into_bytes()?)
}

/// Names, shapes and bytes of a state, by name.
#[cfg(test)]
pub fn sorted(state: Vec<u8>) -> std::collections::BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let tensors = Reader::from_bytes(Bytes::from_bytes_vec(state)).unwrap().into_tensors().unwrap();
    let parts = tensors.into_iter().map(|tensor| tensor.into_parts().unwrap());
    parts.map(|(name, _, shape, _, bytes)| (name, (shape.iter().copied().collect(), bytes.to_vec()))).collect()
}
