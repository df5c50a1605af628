//! GPUs by Vulkan, Metal and DX12.

use std::sync::Mutex;

use burn::tensor::{Device, DeviceKind, DeviceType};

use super::probe::guarded;
use super::request::{DeviceReport, DeviceRequest};
use super::trial::{Proved, Trial};
use super::{Opened, cubecl};

/// More GPUs of one kind than a machine has.
const MOST: usize = 16;

/// An adapter of this machine, not yet opened.
pub(super) struct Adapter {
    /// Its place in the list: the N of `wgpu:N`.
    pub(super) index: usize,
    /// Whether it computes on the processor (llvmpipe, WARP).
    pub(super) software: bool,
    device: Device,
    /// `None` for a kind that can only be opened by use.
    kind: Option<DeviceKind>,
    rank: usize,
}

/// The adapters of this machine, in the order of their index.
pub(super) fn adapters() -> Result<Vec<Adapter>, String> {
    cubecl::prepare();
    let found = guarded(|| Device::enumerate(DeviceType::Wgpu).into_vec())?;
    let adapters = found.into_iter().enumerate().map(|(index, device)| {
        let named = kinds().find(|(_, kind)| Device::wgpu(kind.clone()) == device);
        let (rank, kind) = match named {
            Some((rank, kind)) => (rank, Some(kind)),
            None => (3, None),
        };
        Adapter {
            index,
            software: kind == Some(DeviceKind::Cpu),
            device,
            kind,
            rank,
        }
    });
    Ok(adapters.collect())
}

/// Every adapter that can be named, with how much it is to be preferred: less is better.
fn kinds() -> impl Iterator<Item = (usize, DeviceKind)> {
    let each =
        |rank: usize, kind: fn(usize) -> DeviceKind| (0..MOST).map(move |at| (rank, kind(at)));
    each(0, DeviceKind::DiscreteGpu)
        .chain(each(1, DeviceKind::IntegratedGpu))
        .chain(each(2, DeviceKind::VirtualGpu))
        .chain([(4, DeviceKind::Cpu)])
}

/// Opens the adapter that was asked for, or the best one that answers rightly; a software adapter only
/// where `software` allows it.
pub(super) fn open(
    index: Option<usize>,
    software: bool,
    trial: Trial<'_>,
) -> Result<Opened, String> {
    let mut adapters = adapters()?;
    if let Some(index) = index {
        let count = adapters.len();
        let Some(adapter) = adapters.into_iter().nth(index) else {
            return Err(match count {
                0 => "no adapter was found".to_owned(),
                _ => format!("expected an adapter below {count}, got {index}"),
            });
        };
        return adapter.opened(trial);
    }
    if adapters.is_empty() {
        return Err("no adapter was found".to_owned());
    }
    adapters.sort_by_key(|adapter| adapter.rank);
    let mut reasons = Vec::new();
    for adapter in adapters {
        if adapter.software && !software {
            reasons.push(format!(
                "wgpu:{} is a software adapter, taken only when asked for by name",
                adapter.index
            ));
            continue;
        }
        let index = adapter.index;
        match adapter.opened(trial) {
            Ok(opened) => return Ok(opened),
            Err(reason) => reasons.push(format!("wgpu:{index}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

impl Adapter {
    fn opened(self, trial: Trial<'_>) -> Result<Opened, String> {
        let (name, proved) = self.open(trial)?;
        Ok(Opened {
            device: self.device,
            index: self.index,
            name,
            proved,
            driver: None,
        })
    }

    /// Brings the adapter up, if nobody has yet, and tries it. Gives its name, and what it came through with.
    fn open(&self, trial: Trial<'_>) -> Result<(String, Proved), String> {
        static OPENED: Mutex<Vec<Device>> = Mutex::new(Vec::new());
        {
            let mut opened = OPENED
                .lock()
                .map_err(|_| "an earlier start failed".to_owned())?;
            if !opened.contains(&self.device) {
                if let Some(kind) = self.kind.clone() {
                    use burn::tensor::wgpu::WgpuInitError;
                    match guarded(|| Device::wgpu_options().device_kind(kind).init())? {
                        Ok(_) => {}
                        // The program around us has brought it up.
                        Err(WgpuInitError::Registration { .. }) => {}
                        Err(error) => return Err(error.to_string()),
                    }
                }
                opened.push(self.device.clone());
            }
        }
        let proved = trial.run(&self.device)?;
        let identity = guarded(|| self.device.identity())?;
        let name =
            identity.map_or_else(|| "an unnamed adapter".to_owned(), |identity| identity.name);
        Ok((name, proved))
    }
}

/// Every adapter with the answer of its probe.
pub(super) fn reports() -> Vec<DeviceReport> {
    let missing = |reason: String| DeviceReport {
        id: DeviceRequest::Wgpu(None).to_string(),
        name: String::new(),
        usable: false,
        reason: Some(reason),
    };
    let adapters = match adapters() {
        Ok(adapters) if adapters.is_empty() => {
            return vec![missing("no adapter was found".to_owned())];
        }
        Ok(adapters) => adapters,
        Err(reason) => return vec![missing(reason)],
    };
    let report = |adapter: Adapter| {
        let id = DeviceRequest::Wgpu(Some(adapter.index)).to_string();
        let software = || "a software adapter: auto does not take it".to_owned();
        match adapter.open(Trial::default()) {
            Ok((name, proved)) => DeviceReport {
                id,
                name,
                usable: true,
                reason: proved.told(adapter.software.then(software)),
            },
            Err(reason) => DeviceReport {
                id,
                name: String::new(),
                usable: false,
                reason: Some(reason),
            },
        }
    };
    adapters.into_iter().map(report).collect()
}
