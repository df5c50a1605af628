//! Tells the binary which commit it is built from, for the records of `morelet bench`: what MORELET_COMMIT says, else what git says,
//! else nothing.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=MORELET_COMMIT");
    if std::env::var_os("CARGO_FEATURE_CLI").is_none()
        || std::env::var_os("MORELET_COMMIT").is_some()
    {
        return;
    }
    // Both files change with the commit: where HEAD points, and the log of where it pointed.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file])
            && std::path::Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=MORELET_COMMIT={commit}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
