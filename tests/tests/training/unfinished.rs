//! A run that was killed or stopped.

use super::made::{Made, files, text};
use morelet_tests::{Run, lines};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many steps the state of a run has seen; 0 where there is none yet.
fn steps(state: &Path) -> usize {
    let Ok(bytes) = fs::read(state) else {
        return 0;
    };
    // The header of a safetensors file is JSON, after its length.
    let (length, rest) = bytes.split_first_chunk::<8>().expect("a header");
    let header = &rest[..u64::from_le_bytes(*length) as usize];
    let header: Value = serde_json::from_slice(header).expect("JSON");
    let position = header["__metadata__"]["position"]
        .as_str()
        .expect("a position");
    let position: Value = serde_json::from_str(position).expect("JSON");
    position["step"].as_u64().expect("a step") as usize
}

/// Starts a training that writes itself down after each step, and sends it a signal after `least` of them.
fn signalled(made: &Made, signal: &str, least: usize, more: &[&str]) -> Run {
    let mut command = made.command(&made.output, &[&["--save-every", "1"], more].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let line = format!("{command:?}");
    let child = command.spawn().expect("the command starts");
    let state = made.workshop.path("expert.training/state.safetensors");
    let started = Instant::now();
    while steps(&state) < least {
        assert!(started.elapsed() < Duration::from_secs(60), "{line}");
        std::thread::sleep(Duration::from_millis(1));
    }
    let number = child.id().to_string();
    let status = Command::new("kill").args([signal, &number]).status();
    assert!(status.expect("kill(1)").success());
    let output = child.wait_with_output().expect("the child is ours");
    Run::new(line, output)
}

/// The lines of metrics, without the time that each epoch took.
fn metrics(checkpoint: &Path) -> Vec<Value> {
    let mut epochs = lines(checkpoint.join("metrics.jsonl"));
    for line in &mut epochs {
        line.as_object_mut().expect("an object").remove("seconds");
    }
    epochs
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_bytes() {
    let made = Made::new();
    let through = made.workshop.path("through");
    // Twelve sentences one by one make three steps, of five, five and two.
    let fives = ["--batch", "1", "--accumulate", "5"];
    made.train(&through, &fives).ok();
    // Within an epoch, and again within a later one.
    for least in [8, 40] {
        let run = signalled(&made, "-KILL", least, &fives);
        assert_eq!(run.code, None, "{run:?}");
        assert!(!made.output.exists(), "it was killed before its end");
    }
    // As a kill in the middle of writing leaves it.
    let half = made.workshop.path("expert.training/.morelet-half.tmp");
    fs::write(half, "half a state").expect("a temporary file");
    let run = made.train(&made.output, &fives).ok();
    assert!(run.stderr.contains("going on after step"), "{}", run.stderr);
    let (got, want) = (files(&made.output), files(&through));
    assert!(got["model.safetensors"] == want["model.safetensors"]);
    assert_eq!(metrics(&made.output), metrics(&through));
    assert!(!made.workshop.path("expert.training").exists());
}

#[test]
fn a_state_of_other_options_is_refused_until_the_run_is_restarted() {
    let made = Made::new();
    signalled(&made, "-KILL", 2, &[]);
    let state = made.workshop.path("expert.training/state.safetensors");
    let before = fs::read(&state).expect("a state");
    // Another number of heads has the same tensors, and other sentences to choose by the same steps.
    let chosen = made.lines("dev.jsonl", &[json!({"tokens": ["Kolo"], "gold": ["O"]})]);
    for other in [
        ["--rate", "2e-3"],
        ["--seed", "1"],
        ["--hidden", "8"],
        ["--heads", "4"],
        ["--dev", text(&chosen)],
    ] {
        let run = made.train(&made.output, &other);
        run.refused(1, &["state.safetensors", "other options", "--restart"]);
    }
    assert!(fs::read(&state).expect("still there") == before);
    let other = ["--rate", "2e-3", "--epochs", "1", "--restart"];
    let run = made.train(&made.output, &other).ok();
    assert!(!run.stderr.contains("going on"), "{}", run.stderr);
    let anew = made.workshop.path("anew");
    made.train(&anew, &other[..4]).ok();
    let (got, want) = (files(&made.output), files(&anew));
    assert!(got["model.safetensors"] == want["model.safetensors"]);
}

#[test]
fn a_damaged_state_is_refused() {
    let made = Made::new();
    signalled(&made, "-KILL", 2, &[]);
    let state = made.workshop.path("expert.training/state.safetensors");
    let mut bytes = fs::read(&state).expect("a state");
    bytes.truncate(bytes.len() / 2);
    fs::write(&state, bytes).expect("a temporary file");
    let run = made.train(&made.output, &[]);
    let run = run.refused(1, &["state.safetensors", "--restart"]);
    assert!(!run.stderr.contains("other options"), "{}", run.stderr);
    let other = ["--epochs", "1", "--restart"];
    made.train(&made.output, &other).ok();
}

#[test]
fn an_interrupted_run_says_so_and_leaves_the_old_checkpoint() {
    let made = Made::new();
    made.train(&made.output, &["--epochs", "1"]).ok();
    let before = files(&made.output);
    let run = signalled(&made, "-INT", 5, &[]);
    assert_eq!(run.code, Some(130), "{run:?}");
    let said = "interrupted; the same command goes on";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(files(&made.output) == before);
    let run = made.train(&made.output, &[]).ok();
    assert!(run.stderr.contains("going on after step"), "{}", run.stderr);
    let through = made.workshop.path("through");
    made.train(&through, &[]).ok();
    let (got, want) = (files(&made.output), files(&through));
    assert!(got["model.safetensors"] == want["model.safetensors"]);
}
