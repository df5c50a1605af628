//! `train`: from labelled sentences to weights, in Burn.

mod clip;
mod gate;
mod task;

use morelet_models::device::{Compute, ComputeOptions, DeviceRequest};

use crate::{Console, Result};

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run that is killed goes on where it was written down last when the same command is given again, and ends with the same \
weights. Until it is done, what it needs for that lies beside the target in NAME.training/.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Train an expert: entities or relations, from a checkpoint or from nothing
    Task(Box<task::Args>),
    /// Train CLIP on pictures and captions
    Clip(Box<clip::Args>),
    /// Train the gate between the two experts of a bundle
    Gate(Box<gate::Args>),
}

/// Trains what was asked for.
///
/// # Errors
/// Of kind `Input` where data or weights are bad or the training diverges, `Usage`, `Device`, `Interrupted`.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    match &args.what {
        What::Task(args) => task::run(args, console),
        What::Clip(args) => clip::run(args, console),
        What::Gate(args) => gate::run(args, console),
    }
}

/// The device that trains: computed on by Burn, which knows the gradients.
fn compute(device: DeviceRequest, threads: Option<usize>) -> Result<Compute> {
    let options = ComputeOptions {
        device,
        threads,
        burn_alone: true,
        ..Default::default()
    };
    Ok(Compute::with_options(&options)?)
}
