//! Choosing a device at run time.

use crate::settings::{Error, Result};
use burn::tensor::Device;
use std::{fmt, str::FromStr};

/// A device by name: `flex`, `cuda`, `cuda:1`, `wgpu`, `wgpu:0`, `wgpu:cpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceName {
    /// The CPU, through Burn's Flex.
    #[default]
    Flex,
    /// An NVIDIA GPU by index.
    Cuda(usize),
    /// A GPU through Vulkan, Metal or DirectX; the best one without an index.
    Wgpu(Option<usize>),
    /// A software Vulkan device.
    WgpuCpu,
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => write!(f, "flex"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Wgpu(None) => write!(f, "wgpu"),
            Self::Wgpu(Some(index)) => write!(f, "wgpu:{index}"),
            Self::WgpuCpu => write!(f, "wgpu:cpu"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let unknown = || Error::input(format!("--device {name}"), "no such device", "use flex, cuda[:INDEX] or wgpu[:INDEX|:cpu]");
        let index = |text: &str| text.parse::<usize>().map_err(|_| unknown());
        match name.split_once(':') {
            None => match name {
                "flex" => Ok(Self::Flex),
                "cuda" => Ok(Self::Cuda(0)),
                "wgpu" => Ok(Self::Wgpu(None)),
                _ => Err(unknown()),
            },
            Some(("cuda", i)) => Ok(Self::Cuda(index(i)?)),
            Some(("wgpu", "cpu")) => Ok(Self::WgpuCpu),
            Some(("wgpu", i)) => Ok(Self::Wgpu(Some(index(i)?))),
            _ => Err(unknown()),
        }
    }
}

impl DeviceName {
    /// Opens the device, without autodiff, in f32.
    ///
    /// # Errors
    ///
    /// A backend that is not built in, a missing driver or header folder, an index beyond the last device.
    pub fn open(&self) -> Result<Device> {
        match self {
            Self::Flex => Ok(Device::flex()),
            _ => todo!(),
        }
    }
}
