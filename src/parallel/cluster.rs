//! Devices and what connects them.

use crate::settings::{Error, Result};
use serde::Deserialize;
use std::{borrow::Cow, fmt, str::FromStr};

/// A kind of device: by its maker's data sheet, or as a file says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKind {
    /// Its name on the command line.
    #[serde(skip)]
    pub name: Cow<'static, str>,
    /// Dense products with f32 sums, FLOP/s: of bf16 on data sheets.
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
    /// Bytes of an operand of these products, and of what is kept and sent between them.
    #[serde(default = "two")]
    pub element: f64,
}

fn two() -> f64 {
    2.0
}

const GB: f64 = 1e9;

/// Data sheets of the SXM modules: FLOP/s without sparsity, NVLink's bandwidth one way. Between nodes a network card for each
/// device, as in DGX and HGX systems: 200 Gb/s beside an A100, 400 Gb/s beside the others.
const KINDS: [DeviceKind; 5] = [
    DeviceKind {
        name: Cow::Borrowed("a100-40g"),
        flops: 312e12,
        memory: 40.0 * GB,
        bandwidth: 1555.0 * GB,
        node: 8,
        inside: 300.0 * GB,
        between: 25.0 * GB,
        element: 2.0,
    },
    DeviceKind {
        name: Cow::Borrowed("a100-80g"),
        flops: 312e12,
        memory: 80.0 * GB,
        bandwidth: 2039.0 * GB,
        node: 8,
        inside: 300.0 * GB,
        between: 25.0 * GB,
        element: 2.0,
    },
    DeviceKind {
        name: Cow::Borrowed("h100"),
        flops: 989.4e12,
        memory: 80.0 * GB,
        bandwidth: 3350.0 * GB,
        node: 8,
        inside: 450.0 * GB,
        between: 50.0 * GB,
        element: 2.0,
    },
    DeviceKind {
        name: Cow::Borrowed("h200"),
        flops: 989.4e12,
        memory: 141.0 * GB,
        bandwidth: 4800.0 * GB,
        node: 8,
        inside: 450.0 * GB,
        between: 50.0 * GB,
        element: 2.0,
    },
    DeviceKind {
        name: Cow::Borrowed("b200"),
        flops: 2250e12,
        memory: 180.0 * GB,
        bandwidth: 8000.0 * GB,
        node: 8,
        inside: 900.0 * GB,
        between: 50.0 * GB,
        element: 2.0,
    },
];

impl DeviceKind {
    /// The kind that a file describes.
    fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let help = "write the numbers flops, memory, bandwidth, node, inside and between: see docs/parallel.md";
        let kind: Self = toml::from_str(&text).map_err(|error| Error::input(path, error.message(), help))?;
        let sizes = [kind.flops, kind.memory, kind.bandwidth, kind.node as f64, kind.inside, kind.between, kind.element];
        if !sizes.iter().all(|size| size.is_finite() && *size > 0.0) {
            return Err(Error::input(path, "has a number that is not positive", help));
        }
        Ok(Self { name: path.to_owned().into(), ..kind })
    }
}

/// Devices of one kind, as `a100-80g:2048`, or `FILE.toml:16` of a kind that the file describes.
#[derive(Clone, Debug, PartialEq)]
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
        let known = || KINDS.map(|kind| kind.name.into_owned()).join(", ");
        let wrong = |message: &str| {
            Error::input(
                format!("--cluster {text}"),
                message,
                format!("write KIND:DEVICES, for example a100-80g:2048; kinds are {}, or FILE.toml", known()),
            )
        };
        let (name, devices) = text.rsplit_once(':').ok_or_else(|| wrong("does not say how many devices there are"))?;
        let kind = match KINDS.into_iter().find(|kind| kind.name == name) {
            Some(kind) => kind,
            None if name.ends_with(".toml") => DeviceKind::read(name)?,
            None => return Err(wrong("is no kind of device that is known")),
        };
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
    fn a_file_can_describe_a_kind_of_device() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            format!("{}:16", path.display()).parse::<Cluster>().map_err(|error| error.to_string())
        };
        let all = "flops = 1e14\nmemory = 24e9\nbandwidth = 1e12\nnode = 4\ninside = 3e10\nbetween = 1e10\n";
        let cluster = read(all).unwrap();
        assert_eq!((cluster.devices, cluster.kind.node, cluster.kind.flops, cluster.kind.element), (16, 4, 1e14, 2.0));
        assert_eq!(read(&format!("{all}element = 4")).unwrap().kind.element, 4.0);
        for (text, message) in
            [("flops = 1e14", "missing field"), (&format!("{all}x = 1"), "unknown field"), (&all.replace("24e9", "0"), "not positive")]
        {
            assert!(read(text).unwrap_err().contains(message), "{text}");
        }
        assert!("none.toml:2".parse::<Cluster>().unwrap_err().to_string().contains("none.toml"));
    }

    #[test]
    fn groups_within_a_node_have_its_links() {
        let cluster: Cluster = "a100-80g:64".parse().unwrap();
        assert_eq!([cluster.link(8, 1), cluster.link(4, 2), cluster.link(8, 8), cluster.link(16, 1)], [3e11, 3e11, 2.5e10, 2.5e10]);
    }
}
