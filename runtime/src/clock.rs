//! Time by module.

use crate::prediction::Named;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The modules in the order of the pipeline; those of experts, `expert_NAME`, come after the contexts.
const BEFORE_EXPERTS: [&str; 7] = [
    "tokenize",
    "text_retrieval",
    "image_decode",
    "clip_image",
    "image_retrieval",
    "clip_text",
    "context",
];
const AFTER_EXPERTS: [&str; 2] = ["decode", "fuse"];

/// Collects how long the modules of one prediction took, from whatever threads they ran on.
pub(crate) struct Clock {
    start: Instant,
    laps: Mutex<Vec<(String, Duration)>>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            laps: Mutex::default(),
        }
    }

    /// Runs a module, as a `tracing` span too, and adds its time.
    pub(crate) fn measure<T>(&self, module: &'static str, work: impl FnOnce() -> T) -> T {
        let _span = tracing::debug_span!("module", name = module).entered();
        let start = Instant::now();
        let result = work();
        self.add(module, start.elapsed());
        result
    }

    /// Adds to the time of a module.
    pub(crate) fn add(&self, module: &str, time: Duration) {
        let mut laps = self.laps.lock().unwrap_or_else(PoisonError::into_inner);
        match laps.iter_mut().find(|(name, _)| name == module) {
            Some((_, sum)) => *sum += time,
            None => laps.push((module.to_owned(), time)),
        }
    }

    /// The times in µs, in the order of the pipeline, and their `total` by the wall.
    pub(crate) fn finish(self, experts: &[String]) -> Named<u64> {
        let total = self.start.elapsed();
        let laps = self
            .laps
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let experts = experts.iter().map(String::as_str);
        let order = BEFORE_EXPERTS
            .into_iter()
            .chain(experts)
            .chain(AFTER_EXPERTS);
        let mut timings: Named<u64> = order
            .filter_map(|module| {
                let (_, time) = laps.iter().find(|(name, _)| name == module)?;
                Some((module.to_owned(), micros(*time)))
            })
            .collect();
        timings.push("total", micros(total));
        timings
    }
}

/// The module of an expert.
pub(crate) fn expert_module(name: &str) -> String {
    format!("expert_{name}")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_in_the_order_of_the_pipeline_and_add_up() {
        let clock = Clock::start();
        clock.add("fuse", Duration::from_micros(3));
        clock.add("expert_b", Duration::from_micros(5));
        clock.add("tokenize", Duration::from_micros(1));
        clock.add("tokenize", Duration::from_micros(1));
        assert_eq!(clock.measure("text_retrieval", || 7), 7);
        let timings = clock.finish(&["expert_a".into(), "expert_b".into()]);
        let names: Vec<&str> = timings.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["tokenize", "text_retrieval", "expert_b", "fuse", "total"]
        );
        assert_eq!(timings.get("tokenize"), Some(&2));
    }
}
