//! NVIDIA GPUs by CUDA: from Ampere on by kernels of our own ([`cuda`](crate::cuda)), with the feature `cuda-burn` older ones by Burn.
//! Kernels are compiled by NVRTC when they are first used, so beside the driver this needs the library `libnvrtc`; Burn needs CUDA's
//! header files too.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;

use super::probe::guarded;
use super::request::{DeviceReport, DeviceRequest};
use super::trial::{Proved, Trial};
use super::{ComputeType, Opened};
use crate::cuda::{Driver, device_count, nvrtc, self_test};
use crate::stack;

/// How many devices the driver shows, if kernels can be compiled for them.
fn found() -> Result<usize, String> {
    let count = guarded(device_count)??;
    if count == 0 {
        return Err("no NVIDIA driver, or no device that it knows".to_owned());
    }
    library()?;
    Ok(count)
}

/// Makes sure that libnvrtc can be loaded by its name, as it will be.
fn library() -> Result<(), String> {
    let toolkit = toolkit().into_iter();
    let toolkit = toolkit.flat_map(|folder| ["lib64", "lib", "bin"].map(|name| folder.join(name)));
    // One beside the program or of the toolkit that was named goes before the system's.
    let folders = program_folder().into_iter().chain(toolkit);
    let _ = folders.into_iter().any(|folder| nvrtc::load_from(&folder));
    if nvrtc::is_loadable() {
        return Ok(());
    }
    Err("libnvrtc was not found: put it beside the program, or set CUDA_PATH to the folder of a CUDA \
         toolkit"
        .to_owned())
}

/// A header that every kernel of Burn's in half precision includes.
#[cfg(feature = "cuda-burn")]
const HEADER: &str = "cuda_fp16.h";

/// Makes sure that CubeCL will find CUDA's headers.
#[cfg(feature = "cuda-burn")]
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
    let count = found()?;
    if let Some(index) = index {
        if index >= count {
            return Err(format!("expected a device below {count}, got {index}"));
        }
        return tried(index, trial);
    }
    let mut reasons: Vec<String> = Vec::new();
    for index in 0..count {
        match tried(index, trial) {
            Ok(opened) => return Ok(opened),
            Err(reason) => reasons.push(format!("cuda:{index}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

/// Tries a device.
fn tried(index: usize, trial: Trial<'_>) -> Result<Opened, String> {
    if let Err(reason) = trial.wants_ours() {
        return by_burn(
            index,
            trial,
            reason.unwrap_or("Burn's kernels were asked for"),
        );
    }
    match by_ours(index)? {
        Some(driver) => Ok(Opened {
            device: Device::flex(),
            index,
            name: driver.name().to_owned(),
            proved: Proved {
                compute_type: ComputeType::F16,
                notes: Vec::new(),
            },
            driver: Some(stack::Driver::Cuda(driver)),
        }),
        None => by_burn(
            index,
            trial,
            "it is older than Ampere (compute capability 8.0)",
        ),
    }
}

/// The same with Burn, for a reason.
#[cfg(feature = "cuda-burn")]
fn by_burn(index: usize, trial: Trial<'_>, reason: &str) -> Result<Opened, String> {
    use burn::tensor::DeviceType;

    headers()?;
    super::cubecl::prepare();
    let devices = guarded(|| Device::enumerate(DeviceType::Cuda).into_vec())?;
    let missing = || format!("Burn does not find the device: it sees {}", devices.len());
    let device = devices.get(index).cloned().ok_or_else(missing)?;
    let mut proved = trial.run(&device)?;
    proved.notes.push(format!("computed by Burn: {reason}"));
    let identity = guarded(|| device.identity())?;
    let name = identity.map_or_else(|| "an unnamed device".to_owned(), |identity| identity.name);
    Ok(Opened {
        device,
        index,
        name,
        proved,
        driver: None,
    })
}

#[cfg(not(feature = "cuda-burn"))]
fn by_burn(_: usize, _: Trial<'_>, reason: &str) -> Result<Opened, String> {
    Err(format!(
        "{reason}, and this program was built without Burn's kernels for CUDA (feature `cuda-burn`)"
    ))
}

/// A device that our own kernels answered rightly on, tried until it has once in the life of the process; `None` where it is too old for
/// them.
fn by_ours(index: usize) -> Result<Option<Arc<Driver>>, String> {
    static DONE: Mutex<Vec<(usize, Option<Arc<Driver>>)>> = Mutex::new(Vec::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, driver)) = done.iter().find(|(tried, _)| *tried == index) {
        return Ok(driver.clone());
    }
    let tried = || -> Result<Option<Arc<Driver>>, String> {
        let Some(driver) = Driver::open(index)?.map(Arc::new) else {
            return Ok(None);
        };
        self_test(&driver)?;
        Ok(Some(driver))
    };
    let driver = guarded(tried)??;
    done.push((index, driver.clone()));
    Ok(driver)
}

/// Every device with what came of its trial.
pub(super) fn reports() -> Vec<DeviceReport> {
    let refused = |id: DeviceRequest, reason| DeviceReport {
        id: id.to_string(),
        name: String::new(),
        usable: false,
        reason: Some(reason),
    };
    let report = |index| {
        let id = DeviceRequest::Cuda(Some(index));
        match tried(index, Trial::default()) {
            Ok(opened) => DeviceReport {
                id: id.to_string(),
                name: opened.name,
                usable: true,
                reason: opened.proved.told(None),
            },
            Err(reason) => refused(id, reason),
        }
    };
    match found() {
        Ok(count) => (0..count).map(report).collect(),
        Err(reason) => vec![refused(DeviceRequest::Cuda(None), reason)],
    }
}
