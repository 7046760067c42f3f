//! How the elements of a matrix are stored.

use burn::tensor::{bf16, f16};

/// Elements that share a scale.
const BLOCK: usize = 32;

/// The type of matrices; vectors stay in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantisation {
    /// 32 bits.
    F32,
    /// 16 bits, 5 of them exponent.
    F16,
    /// 16 bits, 8 of them exponent.
    Bf16,
    /// 8 bits, and a scale in f16 for each 32 elements of a row.
    Q8,
}

impl std::str::FromStr for Quantisation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            "q8_0" => Ok(Self::Q8),
            _ => Err("expected f32, f16, bf16 or q8_0".into()),
        }
    }
}

impl Quantisation {
    /// `general.file_type`, by `llama_ftype`.
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8 => 7,
            Self::Bf16 => 32,
        }
    }

    /// The type of a tensor, by `ggml_type`.
    pub(super) fn tensor_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8 => 8,
            Self::Bf16 => 30,
        }
    }

    /// This for matrices; f32 for vectors, f16 for rows that are no whole blocks.
    pub(super) fn of(self, shape: &[usize]) -> Self {
        match (self, shape) {
            (_, [] | [_]) => Self::F32,
            (Self::Q8, [.., row]) if !row.is_multiple_of(BLOCK) => Self::F16,
            _ => self,
        }
    }

    /// Bytes of so many elements.
    pub(super) fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => 4 * elements,
            Self::F16 | Self::Bf16 => 2 * elements,
            Self::Q8 => elements / BLOCK * (BLOCK + 2),
        }
    }

    /// Row-major values as they are stored.
    pub(super) fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
            Self::Bf16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
            Self::Q8 => values.chunks(BLOCK).flat_map(block).collect(),
        }
    }
}

/// Scale and elements of a block, as `quantize_row_q8_0_ref` of ggml: the largest becomes ±127, halves go away from zero.
fn block(values: &[f32]) -> Vec<u8> {
    let scale = values.iter().fold(0.0f32, |most, value| most.max(value.abs())) / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let elements = values.iter().map(|value| (value * inverse).round() as i8 as u8);
    f16::from_f32(scale).to_le_bytes().into_iter().chain(elements).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_within_half_a_step() {
        let values: Vec<f32> = (0..64).map(|i| ((i * 37 % 64) as f32 - 31.5) * 0.01 * if i < 32 { 1.0 } else { 50.0 }).collect();
        let bytes = Quantisation::Q8.encode(&values);
        assert_eq!(bytes.len(), Quantisation::Q8.bytes(64));
        for (block, values) in bytes.chunks(34).zip(values.chunks(32)) {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            for (byte, value) in block[2..].iter().zip(values) {
                // Half a step, and what rounding the scale to 11 bits adds.
                assert!((f32::from(*byte as i8) * scale - value).abs() <= scale * (0.5 + 127.0 / 2048.0), "{value}");
            }
        }
        assert_eq!(Quantisation::Q8.encode(&[0.0; 32]), [0; 34]);
    }
}
