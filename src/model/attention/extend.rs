//! Attention of tokens that continue others, whose keys and values were kept.

use super::{Attention, KeyValue};
use crate::{
    model::position::{Places, Position},
    ops::{self, Rotation},
};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// What the layers share of tokens that continue others.
pub struct Extension<'a> {
    /// Where the tokens stand.
    pub places: Places<'a>,
    /// [`Position::rotation_at`] of these places.
    pub rotation: Option<Rotation>,
}

impl Attention {
    /// The memory of this layer, empty.
    pub fn key_value(&self) -> KeyValue {
        KeyValue::new(self.spec.window_at(self.layer))
    }

    /// What [`Attention::forward`] gives for the last tokens of a text of which `memory` knows the others. A row is one
    /// document, whatever it holds.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[rows, count, width]`
    pub fn extend(&self, x: Tensor<3>, position: &Position, extension: &Extension, memory: &mut KeyValue) -> Tensor<3> {
        let [q, k, v] = self.heads(x);
        let turned = |x: Tensor<4>| match &extension.rotation {
            Some(rotation) if position.rotates(self.layer) => turned(x, rotation, extension.places.shared().is_some()),
            _ => x,
        };
        let (q, k) = (turned(q), turned(k));
        let [k, v] = memory.append(k, v);
        let starts = starts(&extension.places, k.dims()[2], &k.device());
        let options = self.options_from(position, starts);
        self.output.forward(ops::join_heads(ops::attention(q, k, v, &options)))
    }
}

/// `x`, `[rows, heads, count, head_dim]`, rotated by `count` positions that all rows share, or by `rows · count`.
fn turned(x: Tensor<4>, rotation: &Rotation, shared: bool) -> Tensor<4> {
    if shared {
        return ops::rotary(x, rotation);
    }
    let [rows, heads, count, head_dim] = x.dims();
    let one_row = x.swap_dims(0, 1).reshape([1, heads, rows * count, head_dim]);
    ops::rotary(one_row, rotation).reshape([heads, rows, count, head_dim]).swap_dims(0, 1)
}

/// For queries behind filling, `[rows, visible]`: each row's text is one document that begins behind its filling, and the
/// filling another. None if no filling is left among the visible keys, the last of all columns.
fn starts(places: &Places, visible: usize, device: &Device) -> Option<Tensor<2, Int>> {
    let dropped = places.first + places.count - visible;
    if places.filling.iter().all(|filling| *filling <= dropped) {
        return None;
    }
    let row = |filling: &usize| {
        let filling = filling.saturating_sub(dropped);
        (0..visible).map(move |key| if key < filling { 0 } else { filling as i32 })
    };
    let starts: Vec<i32> = places.filling.iter().flat_map(row).collect();
    Some(Tensor::from_data(TensorData::new(starts, [places.filling.len(), visible]), device))
}
