//! Choosing a device at run time.

use crate::{
    ops,
    settings::{Error, Result},
};
use burn::tensor::{DType, Device};
use std::{fmt, str::FromStr};

mod list;

pub use list::Devices;

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
            Self::Cuda(index) => cuda::open(self, *index),
            Self::Wgpu(_) | Self::WgpuCpu => wgpu::open(self),
        }
    }

    /// Opens the device with autodiff.
    ///
    /// # Errors
    ///
    /// As [`DeviceName::open`].
    pub fn train_device(&self) -> Result<Device> {
        Ok(self.open()?.autodiff())
    }

    /// The device of another thread of the same run: the one so many places behind this on a machine with several GPUs, else this.
    pub fn nth(&self, behind: usize) -> Self {
        match self {
            Self::Cuda(index) => Self::Cuda(index + behind),
            Self::Wgpu(Some(index)) => Self::Wgpu(Some(index + behind)),
            Self::Flex | Self::Wgpu(None) | Self::WgpuCpu => self.clone(),
        }
    }

    /// What runs the tensors of the device.
    pub fn backend(&self) -> ops::Backend {
        match self {
            Self::Flex => ops::Backend::Flex,
            Self::Cuda(_) => ops::Backend::Cuda,
            Self::Wgpu(_) | Self::WgpuCpu => ops::Backend::Wgpu,
        }
    }

    /// Tries a matrix product of that type.
    ///
    /// # Errors
    ///
    /// A device that has none.
    pub fn computes(&self, precision: ops::Precision) -> Result<()> {
        if precision.is_f32() || self.path() == "fused-flex" {
            return Ok(());
        }
        let device = self.open()?;
        let product = || {
            let one = burn::tensor::Tensor::<2>::ones([8, 8], &device).cast(burn::tensor::FloatDType::BF16);
            one.clone().matmul(one).cast(burn::tensor::FloatDType::F32).sum().into_scalar::<f32>()
        };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(product)) {
            Ok(512.0) => Ok(()),
            _ => Err(Error::input(
                format!("train.precision = \"{precision}\""),
                format!("device {self} multiplies no matrices of that type"),
                "set train.precision = \"f32\", or take another device",
            )),
        }
    }

    /// Which implementation of the operators runs there in f32, as things are chosen: `fused-flex`, `composed`, …, or
    /// several joined by `+`.
    pub fn path(&self) -> String {
        ops::capability::summary(self.backend(), DType::F32)
    }

    /// A warning, if the operators there do not carry out a policy of what is kept for the backward pass.
    pub fn ignores(&self, activations: ops::Activations) -> Option<String> {
        ignored(&self.path(), activations)
    }
}

/// A backend, and what it finds on this machine.
#[derive(Clone, Debug)]
pub struct Found {
    /// `flex`, `cuda` or `wgpu`.
    pub backend: &'static str,
    /// Whether this build has it.
    pub built_in: bool,
    /// Names for `--device`; or why there are none.
    pub devices: Result<Vec<String>, String>,
}

/// Every backend with its devices. Opens none of them.
pub fn backends() -> [Found; 3] {
    [
        Found { backend: "flex", built_in: true, devices: Ok(vec![DeviceName::Flex.to_string()]) },
        Found { backend: "cuda", built_in: cfg!(feature = "cuda"), devices: cuda::list() },
        Found { backend: "wgpu", built_in: cfg!(feature = "wgpu"), devices: wgpu::list() },
    ]
}

/// The names of a backend's devices. A driver that panics has none.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn list(kind: burn::tensor::DeviceType, name: fn(usize) -> DeviceName) -> Result<Vec<String>, String> {
    match std::panic::catch_unwind(move || Device::enumerate(kind).into_vec().len()) {
        Ok(0) => Err("no driver or no device is there".into()),
        Ok(count) => Ok((0..count).map(|index| name(index).to_string()).collect()),
        Err(_) => Err("the driver does not start".into()),
    }
}

/// Why a policy has no effect, if it has none: what is kept is then what composed operators keep.
fn ignored(path: &str, activations: ops::Activations) -> Option<String> {
    (path.contains("composed") && activations.needs_fused_operators()).then(|| {
        format!("train.activations = \"{activations}\" needs fused operators; composed ones (here: {path}) keep all that they read")
    })
}

/// Makes the CPU what Burn falls back to where no device is named. To be called first thing, before other threads start.
///
/// Burn keeps the state of an optimizer it reads on its default device for a moment, and takes a GPU for that as soon as
/// one is built in, whether or not the machine has one. A `BURN_DEVICE` that is already set stays.
pub fn pin_default() {
    if cfg!(any(feature = "cuda", feature = "wgpu")) && std::env::var_os("BURN_DEVICE").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("BURN_DEVICE", "flex") };
    }
}

/// Uses the device once, so that whatever is wrong with it shows before anything starts.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn try_out(name: &DeviceName, device: Device, help: &str) -> Result<Device> {
    use crate::settings::said;
    use burn::tensor::Tensor;
    let first_use = || Tensor::<1>::ones([2], &device).sum().into_scalar::<f32>();
    // The runtimes panic where a driver refuses; the message is the best there is.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(first_use)) {
        Ok(2.0) => Ok(device),
        Ok(value) => Err(Error::input(format!("--device {name}"), format!("1 + 1 gives {value} there"), help)),
        Err(panic) => {
            let text = said(panic.as_ref()).unwrap_or_else(|| "the device does not start".into());
            Err(Error::input(format!("--device {name}"), text.split_whitespace().collect::<Vec<_>>().join(" "), help))
        }
    }
}

/// The error of an index without a device.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn out_of_range(name: &DeviceName, count: usize) -> Error {
    let (noun, last) = (if count == 1 { "device" } else { "devices" }, count.saturating_sub(1));
    Error::input(format!("--device {name}"), format!("there is no such device: {count} {noun} found"), format!("use an index up to {last}"))
}

/// The error of a backend that this build leaves out.
#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_built_in(name: &DeviceName, feature: &str) -> Error {
    Error::input(
        format!("--device {name}"),
        format!("this build has no {feature} devices"),
        format!("build with `cargo build --release --features {feature}`, or use --device flex"),
    )
}

mod cuda {
    use super::{Device, DeviceName, Result};

    #[cfg(not(feature = "cuda"))]
    pub(super) fn list() -> Result<Vec<String>, String> {
        Err("not in this build: needs --features cuda".into())
    }

    #[cfg(feature = "cuda")]
    pub(super) fn list() -> Result<Vec<String>, String> {
        super::list(burn::tensor::DeviceType::Cuda, DeviceName::Cuda)
    }

    #[cfg(not(feature = "cuda"))]
    pub(super) fn open(name: &DeviceName, _index: usize) -> Result<Device> {
        Err(super::not_built_in(name, "cuda"))
    }

    #[cfg(feature = "cuda")]
    pub(super) fn open(name: &DeviceName, index: usize) -> Result<Device> {
        use super::{Error, out_of_range, try_out};
        use burn::tensor::DeviceType;
        // Empty both without a driver and without a GPU; it asks for the library before it loads it.
        let count = Device::enumerate(DeviceType::Cuda).into_vec().len();
        if count == 0 {
            return Err(Error::input(
                format!("--device {name}"),
                "no NVIDIA driver (libcuda) or no NVIDIA GPU is there",
                "install the driver, check that `nvidia-smi` lists a GPU, or use --device flex",
            ));
        }
        if index >= count {
            return Err(out_of_range(name, count));
        }
        // Kernels are compiled when they are first used, and need the headers of the toolkit; without them the runtime panics.
        let headers = cubecl_cuda::install::cuda_path().map(|folder| folder.join("include"));
        if !headers.as_ref().is_some_and(|folder| folder.join("cuda_runtime.h").exists()) {
            return Err(Error::input(
                format!("--device {name}"),
                match headers {
                    Some(folder) => format!("no CUDA headers in {}", folder.display()),
                    None => "no CUDA headers found".into(),
                },
                "install the CUDA toolkit or its headers, and set CUDA_PATH to the folder that holds `include`",
            ));
        }
        try_out(name, Device::cuda(index), "check that the versions of the NVIDIA driver and of the CUDA toolkit fit")
    }
}

mod wgpu {
    use super::{Device, DeviceName, Result};

    #[cfg(not(feature = "wgpu"))]
    pub(super) fn list() -> Result<Vec<String>, String> {
        Err("not in this build: needs --features wgpu".into())
    }

    #[cfg(feature = "wgpu")]
    pub(super) fn list() -> Result<Vec<String>, String> {
        super::list(burn::tensor::DeviceType::Wgpu, |index| DeviceName::Wgpu(Some(index)))
    }

    #[cfg(not(feature = "wgpu"))]
    pub(super) fn open(name: &DeviceName) -> Result<Device> {
        Err(super::not_built_in(name, "wgpu"))
    }

    #[cfg(feature = "wgpu")]
    pub(super) fn open(name: &DeviceName) -> Result<Device> {
        use super::{Error, out_of_range, try_out};
        use burn::tensor::{DeviceKind, DeviceType};
        let help = "install a Vulkan driver (Linux: mesa-vulkan-drivers has a software device), or use --device flex";
        let mut devices = Device::enumerate(DeviceType::Wgpu).into_vec();
        if devices.is_empty() {
            return Err(Error::input(format!("--device {name}"), "no Vulkan, Metal or DirectX 12 device is there", help));
        }
        let count = devices.len();
        let device = match name {
            DeviceName::Wgpu(Some(index)) if *index < count => devices.swap_remove(*index),
            DeviceName::Wgpu(Some(_)) => return Err(out_of_range(name, count)),
            DeviceName::WgpuCpu => Device::wgpu(DeviceKind::Cpu),
            _ => Device::wgpu(DeviceKind::DefaultDevice),
        };
        try_out(name, device, help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["flex", "cuda:0", "cuda:3", "wgpu", "wgpu:1", "wgpu:cpu"] {
            assert_eq!(name.parse::<DeviceName>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
        for wrong in ["", "gpu", "flex:0", "cuda:", "cuda:x", "cuda:-1", "wgpu:gpu"] {
            assert!(wrong.parse::<DeviceName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn policies_of_fused_operators_are_named_where_there_are_none() {
        use ops::Activations::{All, LinearOutputs, Recompute, Selective};
        assert!([All, LinearOutputs, Selective, Recompute].into_iter().all(|policy| ignored("fused-flex", policy).is_none()));
        assert!([All, Recompute].into_iter().all(|policy| ignored("composed", policy).is_none()));
        assert!(ignored("composed", Selective).unwrap().contains("\"selective\""));
        assert!(ignored("composed", LinearOutputs).unwrap().contains("\"linear-outputs\""));
    }

    #[test]
    fn a_backend_that_is_not_built_in_is_an_error_that_says_how_to_build_it() {
        let backends = [(DeviceName::Cuda(0), "cuda", cfg!(feature = "cuda")), (DeviceName::Wgpu(None), "wgpu", cfg!(feature = "wgpu"))];
        for (name, feature, built_in) in backends {
            if !built_in {
                let error = name.open().unwrap_err().to_string();
                assert!(error.contains(&format!("--features {feature}")), "{error}");
            }
        }
        assert!(DeviceName::Flex.train_device().unwrap().is_autodiff());
    }
}
