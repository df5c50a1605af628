//! GPUs by Vulkan, Metal and DX12: by kernels of our own ([`webgpu`]), or by Burn where those do not serve.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, DeviceKind, DeviceType};

use super::probe::guarded;
use super::request::{DeviceReport, DeviceRequest};
use super::trial::{Proved, Trial};
use super::{ComputeType, Opened, cubecl};
use crate::stack::Driver;
use crate::webgpu::{self, BRINGING_UP};

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
    let found = {
        let _alone = BRINGING_UP.lock().unwrap_or_else(PoisonError::into_inner);
        guarded(|| Device::enumerate(DeviceType::Wgpu).into_vec())?
    };
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
    /// By our kernels, or else by Burn's.
    fn opened(self, trial: Trial<'_>) -> Result<Opened, String> {
        // Whoever builds with `spirv` wants the matrix units, which Burn's kernels reach there.
        let wanted = match cfg!(feature = "spirv") {
            true => Err(Some(
                "this program was built for its kernels in SPIR-V".to_owned(),
            )),
            false => trial
                .wants_ours()
                .map_err(|reason| reason.map(str::to_owned)),
        };
        let refused = match wanted.and_then(|()| self.by_ours().map_err(Some)) {
            Ok(driver) => {
                return Ok(Opened {
                    device: Device::flex(),
                    index: self.index,
                    name: driver.name().to_owned(),
                    proved: Proved {
                        compute_type: ComputeType::F16,
                        notes: Vec::new(),
                    },
                    driver: Some(Driver::Wgpu(driver)),
                });
            }
            Err(reason) => reason.map(|reason| format!("computed by Burn: {reason}")),
        };
        let (name, mut proved) = self.by_burn(trial)?;
        proved.notes.extend(refused);
        Ok(Opened {
            device: self.device,
            index: self.index,
            name,
            proved,
            driver: None,
        })
    }

    /// The adapter, if our own kernels answer rightly there: tried until they have once in the life of the process, and again after the
    /// device was lost.
    fn by_ours(&self) -> Result<Arc<webgpu::Driver>, String> {
        static DONE: Mutex<Vec<(Device, Arc<webgpu::Driver>)>> = Mutex::new(Vec::new());
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        done.retain(|(_, driver)| driver.check().is_ok());
        if let Some((_, driver)) = done.iter().find(|(device, _)| *device == self.device) {
            return Ok(driver.clone());
        }
        use wgpu::DeviceType as Kind;
        let (kind, number) = match self.kind {
            Some(DeviceKind::DiscreteGpu(number)) => (Kind::DiscreteGpu, number),
            Some(DeviceKind::IntegratedGpu(number)) => (Kind::IntegratedGpu, number),
            Some(DeviceKind::VirtualGpu(number)) => (Kind::VirtualGpu, number),
            Some(DeviceKind::Cpu) => (Kind::Cpu, 0),
            _ => return Err("an adapter of no known kind".to_owned()),
        };
        let tried = || -> Result<Arc<webgpu::Driver>, String> {
            let driver = Arc::new(webgpu::Driver::open(kind, number)?);
            webgpu::self_test(&driver)?;
            Ok(driver)
        };
        let driver = guarded(tried)??;
        done.push((self.device.clone(), driver.clone()));
        Ok(driver)
    }

    /// Brings the adapter up with Burn, if nobody has yet, and tries it. Gives its name, and what it came through with.
    fn by_burn(&self, trial: Trial<'_>) -> Result<(String, Proved), String> {
        static OPENED: Mutex<Vec<Device>> = Mutex::new(Vec::new());
        {
            let mut opened = OPENED
                .lock()
                .map_err(|_| "an earlier start failed".to_owned())?;
            if !opened.contains(&self.device) {
                if let Some(kind) = self.kind.clone() {
                    let _alone = BRINGING_UP.lock().unwrap_or_else(PoisonError::into_inner);
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
        let note = adapter.software.then(software);
        match adapter.opened(Trial::default()) {
            Ok(opened) => DeviceReport {
                id,
                name: opened.name,
                usable: true,
                reason: opened.proved.told(note),
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
