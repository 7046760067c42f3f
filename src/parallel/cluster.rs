//! Devices and what connects them.

use crate::settings::{Error, Result};
use std::{fmt, str::FromStr};

/// A kind of device, by its maker's data sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceKind {
    /// Its name on the command line.
    pub name: &'static str,
    /// Dense bf16 products with f32 sums, FLOP/s.
    pub flops: f64,
    /// Bytes of memory.
    pub memory: f64,
    /// Bytes per second of that memory.
    pub bandwidth: f64,
    /// Devices of a node, which [`DeviceKind::inside`] connects.
    pub node: usize,
    /// Bytes per second that a device sends within its node, and receives at the same time.
    pub inside: f64,
    /// The same between nodes, for each device.
    pub between: f64,
}

const GB: f64 = 1e9;

/// Data sheets of the SXM modules: FLOP/s without sparsity, NVLink's bandwidth one way. Between nodes a network card for each
/// device, as in DGX and HGX systems: 200 Gb/s beside an A100, 400 Gb/s beside the others.
const KINDS: [DeviceKind; 5] = [
    DeviceKind {
        name: "a100-40g",
        flops: 312e12,
        memory: 40.0 * GB,
        bandwidth: 1555.0 * GB,
        node: 8,
        inside: 300.0 * GB,
        between: 25.0 * GB,
    },
    DeviceKind {
        name: "a100-80g",
        flops: 312e12,
        memory: 80.0 * GB,
        bandwidth: 2039.0 * GB,
        node: 8,
        inside: 300.0 * GB,
        between: 25.0 * GB,
    },
    DeviceKind {
        name: "h100",
        flops: 989.4e12,
        memory: 80.0 * GB,
        bandwidth: 3350.0 * GB,
        node: 8,
        inside: 450.0 * GB,
        between: 50.0 * GB,
    },
    DeviceKind {
        name: "h200",
        flops: 989.4e12,
        memory: 141.0 * GB,
        bandwidth: 4800.0 * GB,
        node: 8,
        inside: 450.0 * GB,
        between: 50.0 * GB,
    },
    DeviceKind {
        name: "b200",
        flops: 2250e12,
        memory: 180.0 * GB,
        bandwidth: 8000.0 * GB,
        node: 8,
        inside: 900.0 * GB,
        between: 50.0 * GB,
    },
];

/// Devices of one kind, as `a100-80g:2048`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cluster {
    /// What they are.
    pub kind: DeviceKind,
    /// How many.
    pub devices: usize,
}

impl Cluster {
    /// Bytes per second between the devices of a group, of which each stands `stride` devices from the next.
    pub fn link(&self, members: usize, stride: usize) -> f64 {
        if members * stride <= self.kind.node { self.kind.inside } else { self.kind.between }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name, self.devices)
    }
}

impl FromStr for Cluster {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = || KINDS.map(|kind| kind.name).join(", ");
        let wrong = |message: &str| {
            Error::input(
                format!("--cluster {text}"),
                message,
                format!("write KIND:DEVICES, for example a100-80g:2048; kinds are {}", known()),
            )
        };
        let (name, devices) = text.split_once(':').ok_or_else(|| wrong("does not say how many devices there are"))?;
        let kind = KINDS.into_iter().find(|kind| kind.name == name).ok_or_else(|| wrong("is no kind of device that is known"))?;
        match devices.parse() {
            Ok(devices) if (1..=1 << 20).contains(&devices) => Ok(Self { kind, devices }),
            _ => Err(wrong("is no number of devices")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_read_as_they_are_written() {
        for text in ["a100-80g:2048", "h200:1"] {
            assert_eq!(text.parse::<Cluster>().unwrap().to_string(), text);
        }
        for (text, message) in [("a100-80g", "how many"), ("tpu:8", "kinds are a100-40g, "), ("h100:0", "number"), ("h100:-1", "number")] {
            let error = text.parse::<Cluster>().unwrap_err().to_string();
            assert!(error.contains(message) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn groups_within_a_node_have_its_links() {
        let cluster: Cluster = "a100-80g:64".parse().unwrap();
        assert_eq!([cluster.link(8, 1), cluster.link(4, 2), cluster.link(8, 8), cluster.link(16, 1)], [3e11, 3e11, 2.5e10, 2.5e10]);
    }
}
