//! Measuring by turns with other programs: a line on standard input asks for samples, a line on standard output gives them.
//!
//! ```text
//! {"ready":true,...}              once everything is loaded and warm
//! {"repeat":3}                    asked
//! {"samples_us":[512,498,505]}    answered
//! ```
//!
//! It ends with standard input. `benches/peers/models` speaks it too.

use crate::cli::sink::Sink;
use crate::cli::{Console, Outcome};
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::BufRead as _;

#[derive(Deserialize)]
struct Asked {
    repeat: u32,
}

/// Answers until standard input ends. `sample` does the work once and gives its time in µs.
pub(super) fn serve(
    facts: Map<String, Value>,
    mut sample: impl FnMut() -> Result<u64>,
    console: &Console,
) -> Outcome {
    let mut sink = Sink::open(None, console)?;
    let mut ready = Map::new();
    ready.insert("ready".to_owned(), json!(true));
    ready.extend(facts);
    sink.line(&Value::Object(ready).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::io("standard input", error))?;
        if line.trim().is_empty() {
            continue;
        }
        let asked: Asked = serde_json::from_str(&line).map_err(|error| {
            Error::input(format!(
                "standard input: expected {{\"repeat\":N}}: {error}"
            ))
        })?;
        let mut samples = Vec::new();
        for _ in 0..asked.repeat {
            console.check()?;
            samples.push(sample()?);
        }
        sink.line(&json!({"samples_us": samples}).to_string())?;
    }
    sink.finish()
}
