//! Several devices by name, for runs beside each other.

use super::DeviceName;
use crate::settings::{Error, Result};
use std::{fmt, str::FromStr};

/// Devices of one kind: `flex`, `cuda:0,cuda:1`, `cuda:all`. Never empty, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Vec<DeviceName>);

impl Devices {
    /// The first one, which estimates are made for.
    pub fn first(&self) -> &DeviceName {
        &self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &DeviceName> {
        self.0.iter()
    }
}

impl From<DeviceName> for Devices {
    fn from(device: DeviceName) -> Self {
        Self(vec![device])
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Devices {
    type Err = Error;

    fn from_str(names: &str) -> Result<Self> {
        let wrong = |message: &str, help: &str| Error::input(format!("--device {names}"), message, help);
        let mut devices = Vec::new();
        for name in names.split(',') {
            match name {
                "cuda:all" => devices.extend(all(name, super::cuda::list())?),
                "wgpu:all" => devices.extend(all(name, super::wgpu::list())?),
                one => devices.push(one.parse()?),
            }
        }
        if devices.iter().any(|device| device.backend() != devices[0].backend()) {
            return Err(wrong("names devices of different kinds, whose losses do not compare", "name devices of one kind"));
        }
        if devices.iter().enumerate().any(|(index, device)| devices[..index].contains(device)) {
            return Err(wrong("names a device twice", "name it once; --jobs says how many runs share a device"));
        }
        Ok(Self(devices))
    }
}

/// All devices of a kind.
fn all(name: &str, found: Result<Vec<String>, String>) -> Result<Vec<DeviceName>> {
    let none = |why: String| Error::input(format!("--device {name}"), why, "use --device flex, or see `ablate doctor`");
    found.map_err(none)?.iter().map(|name| name.parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        for names in ["flex", "cuda:0", "cuda:0,cuda:3", "wgpu:0,wgpu:1", "wgpu:cpu"] {
            assert_eq!(names.parse::<Devices>().unwrap().to_string(), names);
        }
        for (names, expected) in [("", "no such device"), ("cuda:0,", "no such"), ("cuda:0,flex", "kinds"), ("cuda,cuda:0", "twice")] {
            let error = names.parse::<Devices>().unwrap_err().to_string();
            assert!(error.contains(expected), "{names}: {error}");
        }
        if !cfg!(feature = "cuda") {
            assert!("cuda:all".parse::<Devices>().unwrap_err().to_string().contains("--features cuda"));
        }
    }
}
