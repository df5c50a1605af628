//! How the rate changes from step to step.

/// Rises linearly to 1 over the first part of a training, then falls linearly to 0 (Devlin et al. 2019, appendix A.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    steps: usize,
    warmup: usize,
}

impl Schedule {
    /// Over so many steps, of which the part `warmup`, in 0..=1, rises.
    pub(crate) fn new(steps: usize, warmup: f64) -> Self {
        Self {
            steps,
            warmup: (steps as f64 * warmup).round() as usize,
        }
    }

    /// What the rate of a step is multiplied by; steps count from 0.
    pub(crate) fn factor(&self, step: usize) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let falling = self.steps.saturating_sub(self.warmup).max(1);
        self.steps.saturating_sub(step) as f64 / falling as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rises_then_falls_to_nothing() {
        let schedule = Schedule::new(10, 0.2);
        let factors: Vec<f64> = (0..=10).map(|step| schedule.factor(step)).collect();
        assert_eq!(
            factors,
            [
                0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0
            ]
        );
        assert_eq!(Schedule::new(4, 0.0).factor(0), 1.0);
    }
}
