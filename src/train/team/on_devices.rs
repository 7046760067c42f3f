//! Gradients that are added up where they lie: between the GPUs of one process, by NCCL as Burn has it, on a stream of its own
//! beside the kernels of the backward pass.

use burn::tensor::{
    Device, Tensor,
    distributed::{CollectiveTensor, ReduceOperation, all_reduce},
};

/// Buckets on their way.
pub struct OnDevices {
    /// Of all ranks, in their order.
    devices: Vec<Device>,
    sent: Vec<CollectiveTensor<1>>,
}

impl OnDevices {
    /// None where gradients go through the host: on a CPU, and between processes.
    pub fn between(devices: Vec<Device>) -> Option<Self> {
        (!devices.is_empty()).then(|| Self { devices, sent: vec![] })
    }

    /// Adds a bucket of `count` numbers to those of the other ranks, from its pieces and where each begins; what has no piece is 0.
    pub fn send(&mut self, mut pieces: Vec<(usize, Tensor<1>)>, count: usize, device: &Device) {
        pieces.sort_by_key(|(start, _)| *start);
        let (mut all, mut at) = (vec![], 0);
        for (start, piece) in pieces {
            if at < start {
                all.push(Tensor::zeros([start - at], &piece.device()));
            }
            at = start + piece.dims()[0];
            all.push(piece);
        }
        if at < count {
            let place = all.first().map_or(device.clone(), Tensor::device);
            all.push(Tensor::zeros([count - at], &place));
        }
        self.sent.push(all_reduce(Tensor::cat(all, 0), ReduceOperation::Sum, self.devices.clone()));
    }

    /// The sums of all buckets, in the order in which they were sent.
    pub fn sums(&mut self) -> Vec<Tensor<1>> {
        self.sent.drain(..).map(CollectiveTensor::resolve).collect()
    }
}

impl std::fmt::Debug for OnDevices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnDevices").field("devices", &self.devices).finish_non_exhaustive()
    }
}
