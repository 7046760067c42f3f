//! The file itself: values by key, descriptions of tensors, data.

use super::Quantisation;
use crate::{
    files,
    settings::{Error, Result},
};
use std::{io::Write, path::Path};

const VERSION: u32 = 3;
/// Data of each tensor begins at a multiple of so many bytes.
const ALIGNMENT: usize = 32;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Unsigned.
    U32(u32),
    /// Floating.
    F32(f32),
    /// Switch.
    Bool(bool),
    /// Text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// Floating ones.
    Floats(Vec<f32>),
    /// Signed ones.
    Integers(Vec<i32>),
}

/// A tensor; its values are made when it is its turn to be written.
pub struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    quantisation: Quantisation,
    values: Box<dyn Fn() -> Vec<f32> + 'a>,
}

impl<'a> Tensor<'a> {
    /// A row-major tensor.
    pub fn new(name: String, shape: Vec<usize>, asked: Quantisation, values: impl Fn() -> Vec<f32> + 'a) -> Self {
        Self { name, quantisation: asked.of(&shape), shape, values: Box::new(values) }
    }

    fn bytes(&self) -> usize {
        self.quantisation.bytes(self.shape.iter().product())
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn list<T>(out: &mut Vec<u8>, kind: u32, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    out.extend(9u32.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend((items.len() as u64).to_le_bytes());
    items.iter().for_each(|it| item(out, it));
}

/// A value behind the number of its type, by `gguf_metadata_value_type`.
fn value(out: &mut Vec<u8>, value: &Value) {
    let mut plain = |kind: u32, bytes: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U32(number) => plain(4, &number.to_le_bytes()),
        Value::F32(number) => plain(6, &number.to_le_bytes()),
        Value::Bool(on) => plain(7, &[u8::from(*on)]),
        Value::Text(it) => {
            plain(8, &[]);
            text(out, it);
        }
        Value::Texts(items) => list(out, 8, items, |out, it| text(out, it)),
        Value::Floats(items) => list(out, 6, items, |out, it| out.extend(it.to_le_bytes())),
        Value::Integers(items) => list(out, 5, items, |out, it| out.extend(it.to_le_bytes())),
    }
}

/// Writes a file in one step.
pub fn write(path: &Path, values: &[(String, Value)], tensors: &[Tensor]) -> Result<()> {
    let mut head = b"GGUF".to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((values.len() as u64).to_le_bytes());
    for (key, it) in values {
        text(&mut head, key);
        value(&mut head, it);
    }
    let mut offset = 0;
    for tensor in tensors {
        text(&mut head, &tensor.name);
        head.extend((tensor.shape.len() as u32).to_le_bytes());
        // The innermost dimension comes first.
        tensor.shape.iter().rev().for_each(|size| head.extend((*size as u64).to_le_bytes()));
        head.extend(tensor.quantisation.tensor_type().to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset = (offset + tensor.bytes()).next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    let wrong = |error| Error::io("write", path)(error);
    files::replace_with(path, wrong, |file| {
        file.write_all(&head).map_err(wrong)?;
        for tensor in tensors {
            let mut bytes = tensor.quantisation.encode(&(tensor.values)());
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            file.write_all(&bytes).map_err(wrong)?;
        }
        Ok(())
    })
}
