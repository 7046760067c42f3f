//! How many runs fit beside each other in the memory of a device.

use crate::{device::DeviceName, experiment::PlannedArm};

/// The memory of one device, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Free bytes before anything started; unknown on some devices.
    free: Option<u64>,
    taken: u64,
    runs: usize,
}

impl Memory {
    /// What a device has now.
    pub fn of(device: &DeviceName) -> Self {
        let free = match device {
            DeviceName::Flex => free_of_machine(),
            DeviceName::Cuda(index) => free_of_cuda(*index),
            DeviceName::Wgpu(_) | DeviceName::WgpuCpu => None,
        };
        Self { free, ..Self::default() }
    }

    /// Whether a run of so many bytes may start: a first one always, a further one where memory is not known to be short.
    pub fn admits(&self, bytes: u64) -> bool {
        self.runs == 0 || self.free.is_none_or(|free| self.taken.saturating_add(bytes) <= free)
    }

    /// A run starts.
    pub fn take(&mut self, bytes: u64) {
        self.taken = self.taken.saturating_add(bytes);
        self.runs += 1;
    }

    /// A run ended.
    pub fn give(&mut self, bytes: u64) {
        self.taken = self.taken.saturating_sub(bytes);
        self.runs = self.runs.saturating_sub(1);
    }
}

/// Bytes that a run of an arm is expected to need on a device: parameters, gradients, two moments and one copy, in f32, what
/// the backward pass keeps, half as much again for what passes and for holes, and what a process has at the least. Threads that
/// share a batch have the parameters each.
pub fn expected(arm: &PlannedArm, device: &DeviceName, devices: usize) -> u64 {
    let (least, models) = if *device == DeviceName::Flex { (256u64 << 20, devices) } else { (1 << 30, 1) };
    least + (1.5 * (20.0 * models as f64 * arm.parameters as f64 + arm.kept_bytes)) as u64
}

/// Memory that this machine, or the control group of this process, can still give.
fn free_of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    let number = |file: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?.trim().parse::<u64>().ok();
    let group = number("memory.max").zip(number("memory.current")).map(|(most, now)| most.saturating_sub(now));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// What the driver's own tool says; CUDA has no other way that needs no CUDA.
fn free_of_cuda(index: usize) -> Option<u64> {
    let index = physical(index, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())?;
    let output = std::process::Command::new("nvidia-smi")
        .args(["--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", &index])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let mebibytes: u64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(mebibytes << 20)
}

/// The driver's name of the device that programs see under an index: they may be shown some only, in another order.
fn physical(index: usize, visible: Option<&str>) -> Option<String> {
    match visible.filter(|list| !list.is_empty()) {
        None => Some(index.to_string()),
        Some(list) => list.split(',').nth(index).map(|name| name.trim().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_run_starts_and_others_where_they_fit() {
        let mut memory = Memory { free: Some(100), ..Memory::default() };
        assert!(memory.admits(1000), "it may be less than expected, and alone it is worth trying");
        memory.take(60);
        assert!(memory.admits(40) && !memory.admits(41));
        memory.take(40);
        memory.give(60);
        assert!(memory.admits(60) && !memory.admits(61));
        let mut unknown = Memory::default();
        unknown.take(u64::MAX);
        assert!(unknown.admits(u64::MAX));
    }

    #[test]
    fn devices_that_programs_see_under_other_numbers() {
        assert_eq!(physical(1, None).as_deref(), Some("1"));
        assert_eq!(physical(1, Some("3, GPU-ab")).as_deref(), Some("GPU-ab"));
        assert_eq!(physical(2, Some("3,1")), None);
    }

    #[test]
    fn larger_runs_need_more() {
        let plan = crate::experiment::plan::tests::plan(&["a"], 1);
        let [small, mut large] = [plan.arms[0].clone(), plan.arms[1].clone()];
        large.parameters *= 1000;
        for device in [DeviceName::Flex, DeviceName::Cuda(0)] {
            assert!(expected(&large, &device, 1) > expected(&small, &device, 1));
            assert_eq!(expected(&large, &device, 2) > expected(&large, &device, 1), device == DeviceName::Flex);
        }
        assert!(cfg!(not(target_os = "linux")) || Memory::of(&DeviceName::Flex).free.is_some());
    }
}
