//! The tables of a rotation.

use burn::tensor::{Device, Tensor, TensorData};
use std::sync::{Arc, OnceLock};

/// The rotation of `seq` positions, as tables on the host.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Row-major `[seq, pairs]`.
    pub(super) cos: Arc<[f32]>,
    /// Row-major `[seq, pairs]`.
    pub(super) sin: Arc<[f32]>,
    /// Pairs of a head that rotate.
    pub(super) pairs: usize,
    /// Whether pair p is the channels (2p, 2p + 1), or else (p, p + pairs).
    pub(super) interleaved: bool,
    head_dim: usize,
    uploaded: Arc<OnceLock<Uploaded>>,
    /// Cosines and sines on the first GPU that asked for them.
    #[cfg(feature = "cube")]
    pub(super) on_gpu: Arc<OnceLock<[burn_cubecl::tensor::CubeTensor; 2]>>,
}

/// Tables of the composed form: x·cos + (x·S)·sin, where S is the signed permutation that brings each channel its partner.
///
/// A product with S is exact, needs no slices (whose backward fills whole tensors), and leaves channels that do not
/// rotate alone (cos 1, sin 0).
#[derive(Clone, Debug)]
pub(super) struct Uploaded {
    /// `[1, 1, seq, head_dim]`.
    pub(super) cos: Tensor<4>,
    /// `[1, 1, seq, head_dim]`.
    pub(super) sin: Tensor<4>,
    /// `[1, 1, head_dim, head_dim]`.
    pub(super) swap: Tensor<4>,
}

impl Rotation {
    /// A rotation by `cos` and `sin`, row-major `[seq, pairs]`. The first 2·pairs channels of a head rotate; pair p is the
    /// channels (2p, 2p + 1) if `interleaved` (LLaMA's release), else (p, p + pairs) (GPT-NeoX).
    ///
    /// # Panics
    ///
    /// If the tables differ in length, are no multiple of `pairs`, or rotate more than `head_dim` channels.
    pub fn new(cos: &[f32], sin: &[f32], pairs: usize, head_dim: usize, interleaved: bool) -> Self {
        assert!(cos.len() == sin.len() && cos.len().is_multiple_of(pairs) && 2 * pairs <= head_dim, "rotation: tables");
        Self {
            cos: cos.into(),
            sin: sin.into(),
            pairs,
            interleaved,
            head_dim,
            uploaded: Arc::default(),
            #[cfg(feature = "cube")]
            on_gpu: Arc::default(),
        }
    }

    /// The tables of the composed form, on the device that asks first.
    pub(super) fn upload(&self, device: &Device) -> Uploaded {
        self.uploaded.get_or_init(|| self.composed(device)).clone()
    }

    fn composed(&self, device: &Device) -> Uploaded {
        let &Self { pairs, interleaved, head_dim, .. } = self;
        let seq = self.cos.len() / pairs;
        let channels = |p: usize| if interleaved { (2 * p, 2 * p + 1) } else { (p, p + pairs) };
        let mut full_cos = vec![1f32; seq * head_dim];
        let mut full_sin = vec![0f32; seq * head_dim];
        for row in 0..seq {
            for p in 0..pairs {
                let (a, b) = channels(p);
                for channel in [a, b] {
                    full_cos[row * head_dim + channel] = self.cos[row * pairs + p];
                    full_sin[row * head_dim + channel] = self.sin[row * pairs + p];
                }
            }
        }
        // (x·S)[a] = -x[b] and (x·S)[b] = x[a].
        let mut swap = vec![0f32; head_dim * head_dim];
        for p in 0..pairs {
            let (a, b) = channels(p);
            swap[b * head_dim + a] = -1.0;
            swap[a * head_dim + b] = 1.0;
        }
        let upload = |data: Vec<f32>, rows: usize| Tensor::from_data(TensorData::new(data, [1, 1, rows, head_dim]), device);
        Uploaded { cos: upload(full_cos, seq), sin: upload(full_sin, seq), swap: upload(swap, head_dim) }
    }
}
