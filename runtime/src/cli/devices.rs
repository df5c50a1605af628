//! `devices`: what this machine can compute on.

use super::table::table;
use super::{Console, Outcome, print, print_json};

/// Arguments of `devices`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let devices = morelet_models::device::devices();
    if args.json {
        return print_json(&devices, &Console::silent());
    }
    let rows: Vec<Vec<String>> = devices
        .into_iter()
        .map(|device| {
            let usable = if device.usable { "yes" } else { "no" };
            vec![
                device.id,
                usable.to_owned(),
                device.name,
                device.reason.unwrap_or_default(),
            ]
        })
        .collect();
    print(&table(
        &["device", "usable", "name", "note"],
        &[0, 1, 2, 3],
        &rows,
    ))
}
