//! The machine and the process that a measurement was made on and by.

use serde::Serialize;
use std::process::{Command, Stdio};

/// What decides which kernels run, and what tells machines apart.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Host {
    pub architecture: &'static str,
    pub system: &'static str,
    /// The processor's name, where the system tells it.
    pub cpu: Option<String>,
    /// Processors that this process may use.
    pub cores: usize,
    /// Those of [`FEATURES`] that the processor has.
    pub features: Vec<&'static str>,
    pub memory_bytes: Option<u64>,
}

/// The instructions that kernels are chosen by, as Linux spells them.
const FEATURES: [&str; 15] = [
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
];

impl Host {
    pub fn of_this_machine() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let mut lines = cpuinfo.lines();
            let line = lines.find(|line| line.split(':').next().map(str::trim) == Some(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = field("flags")
            .or_else(|| field("Features"))
            .unwrap_or_default();
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            cpu: field("model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: FEATURES
                .into_iter()
                .filter(|feature| flags.contains(feature))
                .collect(),
            memory_bytes: kib(&meminfo, "MemTotal:"),
        }
    }
}

/// The memory of this process, in bytes; what the system does not tell is absent.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Memory {
    /// The most that was resident at once, mapped files included.
    pub peak_resident: Option<u64>,
    /// What is resident now, without mapped files.
    pub resident_anonymous: Option<u64>,
    /// What is resident now of mapped files: weights and indices.
    pub resident_mapped: Option<u64>,
    /// What the process holds on an NVIDIA device, where `nvidia-smi` tells it.
    pub device: Option<u64>,
}

impl Memory {
    pub fn of_this_process(device: &str) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            peak_resident: kib(&status, "VmHWM:"),
            resident_anonymous: kib(&status, "RssAnon:"),
            resident_mapped: kib(&status, "RssFile:"),
            device: if device == "cpu" { None } else { nvidia() },
        }
    }
}

/// The bytes of a line such as `VmHWM:   1234 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let number: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    number.checked_mul(1024)
}

/// What `nvidia-smi` says that this process holds.
fn nvidia() -> Option<u64> {
    let output = Command::new("nvidia-smi")
        .args([
            "--query-compute-apps=pid,used_memory",
            "--format=csv,noheader,nounits",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    used_by(std::process::id(), &String::from_utf8_lossy(&output.stdout))
}

/// The sum over devices of what a process holds, from lines `PID, MIB`.
fn used_by(process: u32, lines: &str) -> Option<u64> {
    let of_line = |line: &str| {
        let (pid, used) = line.split_once(',')?;
        let same = pid.trim().parse() == Ok(process);
        same.then(|| used.trim().parse::<u64>().ok()?.checked_mul(1 << 20))?
    };
    lines
        .lines()
        .filter_map(of_line)
        .reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_and_nvidia_smi_write() {
        let status = "Name:\tmorelet\nVmHWM:\t    2048 kB\nRssAnon:\t      12 kB\n";
        assert_eq!(kib(status, "VmHWM:"), Some(2 << 20));
        assert_eq!(kib(status, "RssFile:"), None);
        assert_eq!(kib("VmHWM: many kB", "VmHWM:"), None);
        let lines = "17, 100\n4711, 1518\n4711, 2\n4712, [N/A]\n";
        assert_eq!(used_by(4711, lines), Some(1520 << 20));
        assert_eq!(used_by(4712, lines), None);
        assert_eq!(used_by(1, lines), None);
    }
}
