//! The proof that a device computes: a small sum of known numbers, run there and read back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor, TensorData};

use super::panic_message;

/// Not a multiple of any width of a vector or a group of threads.
const COUNT: usize = 257;

/// Relative error that is forgiven: GPUs approximate the exponential.
const TOLERANCE: f32 = 1e-3;

/// Computes x² + exp(x) for known x on `device` and compares. An error says what went wrong.
pub(super) fn probe(device: &Device) -> Result<(), String> {
    let x: Vec<f32> = (0..COUNT).map(|at| (at as f32 - 128.0) / 32.0).collect();
    let data = TensorData::new(x.clone(), [COUNT]);
    let answer = guarded(|| {
        let x = Tensor::<1>::from_data(data, device);
        let y = x.clone() * x.clone() + x.exp();
        y.try_into_vec_as::<f32>()
            .map_err(|error| error.to_string())
    })??;
    if answer.len() != COUNT {
        return Err(format!(
            "a probe of {COUNT} numbers gave {} back",
            answer.len()
        ));
    }
    for (x, got) in x.iter().zip(answer) {
        let expected = x * x + x.exp();
        let close = (got - expected).abs() <= TOLERANCE * expected.abs();
        if !close {
            return Err(format!(
                "a probe answered wrongly: expected {expected}, got {got}"
            ));
        }
    }
    Ok(())
}

/// Runs a piece of a GPU library, which may panic, and gives what the panic said.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(&*panic).to_owned())
}
