//! What a caller asks for, and what came of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The device that a caller asks for: `auto`, `cpu`, `wgpu`, `wgpu:N`, `cuda` or `cuda:N`.
///
/// N counts the devices that [`devices`](super::devices) lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceRequest {
    /// CUDA, then a real wgpu adapter, then the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by Vulkan, Metal or DX12: the given one, or the best. A software adapter is accepted.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU by CUDA: the given one, or the first.
    Cuda(Option<usize>),
}

impl FromStr for DeviceRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown =
            || format!("unknown device `{text}`: expected auto, cpu, wgpu, wgpu:N, cuda or cuda:N");
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => {
                // `parse` alone would take "+1".
                let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
                let index = index.parse().ok().filter(|_| digits);
                (name, Some(index.ok_or_else(unknown)?))
            }
            None => (text, None),
        };
        match (name, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("wgpu", index) => Ok(Self::Wgpu(index)),
            ("cuda", index) => Ok(Self::Cuda(index)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(index)) => write!(f, "wgpu:{index}"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(index)) => write!(f, "cuda:{index}"),
        }
    }
}

/// Which device serves a session, and why not another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// What was asked for, as on the command line.
    pub requested: String,
    /// What serves, in the same words: `cpu`, `wgpu:0`, `cuda:0`.
    pub used: String,
    /// The name of the processor or the adapter.
    pub name: String,
    /// The type of the factors of its matrix products: `f32`, `f16` or `bf16`. Sums are `f32`.
    #[serde(default)]
    pub precision: String,
    /// The number of threads, on the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The instructions that matrices are multiplied with, on the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Whether kernels are chosen there by measuring: on a GPU that Burn computes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tuned: bool,
    /// Under `auto`, why each device that comes first was passed over; then why Burn computes where our kernels would, or a GPU not in a
    /// faster type.
    pub reasons: Vec<String>,
}

/// One device of this machine, for a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// How to ask for it: `cpu`, `wgpu:0`, `cuda:0`; `wgpu` or `cuda` for a whole family that is absent.
    pub id: String,
    /// The name of the processor or the adapter; empty where there is none.
    pub name: String,
    /// Whether a probe answered rightly.
    pub usable: bool,
    /// Why it is not usable, or what to know about it.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_as_it_is_written() {
        for text in ["auto", "cpu", "wgpu", "wgpu:0", "wgpu:12", "cuda", "cuda:3"] {
            assert_eq!(text.parse::<DeviceRequest>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_device() {
        for text in [
            "", "gpu", "cpu:0", "auto:1", "wgpu:", "wgpu:x", "cuda:-1", "cuda:+1", "CPU",
            "wgpu:0:1",
        ] {
            assert!(text.parse::<DeviceRequest>().is_err(), "{text}");
        }
    }
}
