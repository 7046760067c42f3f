//! States of optimizers that were taken apart by parameters.

use burn::{optim::OptimizerRecord, store::RecordError, tensor::Bytes};
use burn_pack::{Reader, Writer};

/// One state of several, none of which has a parameter that another has.
///
/// # Errors
///
/// Bytes that are no state.
pub fn merged(parts: Vec<Vec<u8>>) -> Result<OptimizerRecord, RecordError> {
    selected(parts, &|_| true)
}

/// The state of the parameters that are wanted, by their identifiers.
///
/// # Errors
///
/// Bytes that are no state.
pub fn selected(parts: Vec<Vec<u8>>, wanted: &dyn Fn(u64) -> bool) -> Result<OptimizerRecord, RecordError> {
    // Everything is named by the parameter: `IDENTIFIER` or `IDENTIFIER.FIELD`.
    let is_wanted = |name: &str| name.split('.').next().and_then(|id| id.parse().ok()).is_none_or(wanted);
    let (mut tensors, mut scalars, mut paths) = (vec![], vec![], vec![]);
    for part in parts {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(part))?;
        scalars.extend(reader.scalars().iter().filter(|(name, _)| is_wanted(name)).map(|(name, value)| (name.clone(), *value)));
        paths.extend(reader.metadata().iter().filter(|(name, _)| is_wanted(name)).map(|(name, path)| (name.clone(), path.clone())));
        for tensor in reader.into_tensors()? {
            let (name, dtype, shape, parameter, bytes) = tensor.into_parts()?;
            if is_wanted(&name) {
                tensors.push(burn_pack::Tensor::new(name, dtype, shape, parameter, bytes));
            }
        }
    }
    let writer = scalars.iter().fold(Writer::new(tensors), |writer, (name, value)| writer.with_scalar(name, *value));
    let writer = paths.iter().fold(writer, |writer, (name, path)| writer.with_metadata(name, path));
    OptimizerRecord::from_bytes(writer.into_bytes()?)
}
