//! NVIDIA GPUs by CUDA. Kernels are compiled by NVRTC when they are first used, so beside the driver
//! this needs the library `libnvrtc` and CUDA's header files.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, DeviceType};

use super::probe::guarded;
use super::request::{DeviceReport, DeviceRequest};
use super::trial::{Proved, Trial};
use super::{Opened, cache};
use crate::kernels::nvrtc;

/// A header that every kernel in half precision includes.
const HEADER: &str = "cuda_fp16.h";

/// The devices that the driver shows. None where there is no driver.
fn found() -> Result<Vec<Device>, String> {
    cache::prepare();
    let devices = guarded(|| Device::enumerate(DeviceType::Cuda).into_vec())?;
    if devices.is_empty() {
        return Err("no NVIDIA driver, or no device that it knows".to_owned());
    }
    // What is missing of the toolkit is told all at once.
    let missing: Vec<String> = [library(), headers()]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    if missing.is_empty() {
        Ok(devices)
    } else {
        Err(missing.join("; "))
    }
}

/// Makes sure that libnvrtc can be loaded by its name, as CubeCL will do.
fn library() -> Result<(), String> {
    if nvrtc::is_loadable() {
        return Ok(());
    }
    let folders = [program_folder()]
        .into_iter()
        .chain(
            toolkit()
                .map(|toolkit| ["lib64", "lib", "bin"].map(|name| toolkit.join(name)))
                .into_iter()
                .flatten()
                .map(Some),
        )
        .flatten();
    for folder in folders {
        if nvrtc::load_from(&folder) && nvrtc::is_loadable() {
            return Ok(());
        }
    }
    Err("libnvrtc was not found: put it beside the program, or set CUDA_PATH to the folder of a CUDA \
         toolkit"
        .to_owned())
}

/// Makes sure that CubeCL will find CUDA's headers.
fn headers() -> Result<(), String> {
    let Some(toolkit) = toolkit() else {
        return Err(match program_folder().filter(|folder| folder.join("include").join(HEADER).exists()) {
            Some(folder) => format!(
                "CUDA's headers are beside the program, but CUDA_PATH is not set: set it to {}",
                folder.display()
            ),
            None => "CUDA's headers were not found: set CUDA_PATH to the folder whose `include` has them"
                .to_owned(),
        });
    };
    let header = toolkit.join("include").join(HEADER);
    if toolkit.to_str().is_none() {
        return Err(format!("{}: expected a path in UTF-8", toolkit.display()));
    }
    if !header.exists() {
        return Err(format!(
            "{} is not there: set CUDA_PATH to a CUDA toolkit",
            header.display()
        ));
    }
    Ok(())
}

/// The toolkit's folder, found where CubeCL looks for it.
fn toolkit() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CUDA_PATH") {
        return Some(PathBuf::from(path));
    }
    if cfg!(target_os = "linux") {
        let usual = ["/usr/local/cuda", "/opt/cuda"].map(Path::new);
        let found = usual.into_iter().find(|path| path.exists());
        return found
            .or_else(|| {
                Path::new("/usr/bin/nvcc")
                    .exists()
                    .then(|| Path::new("/usr"))
            })
            .map(Path::to_owned);
    }
    cfg!(windows).then(|| PathBuf::from("C:/Program Files/NVIDIA GPU Computing Toolkit/CUDA/"))
}

fn program_folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

/// Opens the device that was asked for, or the first one that answers rightly.
pub(super) fn open(index: Option<usize>, trial: Trial<'_>) -> Result<Opened, String> {
    let devices = found()?;
    let opened = |device: Device, index: usize| {
        let (name, proved) = tried(&device, trial)?;
        Ok(Opened {
            device,
            index,
            name,
            proved,
        })
    };
    if let Some(index) = index {
        let count = devices.len();
        let device = devices
            .into_iter()
            .nth(index)
            .ok_or_else(|| format!("expected a device below {count}, got {index}"))?;
        return opened(device, index);
    }
    let mut reasons: Vec<String> = Vec::new();
    for (index, device) in devices.into_iter().enumerate() {
        match opened(device, index) {
            Ok(opened) => return Ok(opened),
            Err(reason) => reasons.push(format!("cuda:{index}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

/// Tries a device. Gives its name, and what it came through with.
fn tried(device: &Device, trial: Trial<'_>) -> Result<(String, Proved), String> {
    let proved = trial.run(device)?;
    let identity = guarded(|| device.identity())?;
    let name = identity.map_or_else(|| "an unnamed device".to_owned(), |identity| identity.name);
    Ok((name, proved))
}

/// Every device with what came of its trial.
pub(super) fn reports() -> Vec<DeviceReport> {
    let devices = match found() {
        Ok(devices) => devices,
        Err(reason) => {
            let id = DeviceRequest::Cuda(None).to_string();
            return vec![DeviceReport {
                id,
                name: String::new(),
                usable: false,
                reason: Some(reason),
            }];
        }
    };
    let report = |(index, device): (usize, Device)| {
        let id = DeviceRequest::Cuda(Some(index)).to_string();
        match tried(&device, Trial::default()) {
            Ok((name, proved)) => DeviceReport {
                id,
                name,
                usable: true,
                reason: proved.told(None),
            },
            Err(reason) => DeviceReport {
                id,
                name: String::new(),
                usable: false,
                reason: Some(reason),
            },
        }
    };
    devices.into_iter().enumerate().map(report).collect()
}
