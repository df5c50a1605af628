//! The linear-chain CRF as operations on tensors, so that there are gradients of it.
//!
//! [`Crf`](crate::Crf) computes the same for the runtime, in `f64` on the host; the tests compare them.

use burn::tensor::{Int, Tensor, TensorData};

/// The scores of a CRF over t labels.
pub(super) struct Chain {
    /// `[t]`.
    pub(super) start: Tensor<1>,
    /// `[from, to]`.
    pub(super) transitions: Tensor<2>,
    /// `[t]`.
    pub(super) end: Tensor<1>,
}

/// Emissions of a batch of sentences, `[b, w, t]`, and how many words each has: 1 to w.
pub(super) struct Emissions {
    pub(super) scores: Tensor<3>,
    pub(super) lengths: Vec<usize>,
}

impl Emissions {
    fn at(&self, word: usize) -> Tensor<2> {
        let [b, _, t] = self.scores.dims();
        self.scores.clone().narrow(1, word, 1).reshape([b, t])
    }

    /// `new` where a sentence has a word of this number, else `old`.
    fn where_word(&self, word: usize, new: Tensor<2>, old: Tensor<2>) -> Tensor<2> {
        if self.lengths.iter().all(|&length| word < length) {
            return new;
        }
        let has: Vec<f32> = (self.lengths.iter())
            .map(|&length| f32::from(u8::from(word < length)))
            .collect();
        let data = TensorData::new(has, [self.lengths.len(), 1]);
        let has = Tensor::<2>::from_data(data, &new.device());
        old.clone() + (new - old) * has
    }
}

impl Chain {
    /// The same chain at a temperature: all scores divided by it.
    pub(super) fn tempered(&self, temperature: f64) -> Self {
        Self {
            start: self.start.clone().div_scalar(temperature),
            transitions: self.transitions.clone().div_scalar(temperature),
            end: self.end.clone().div_scalar(temperature),
        }
    }

    /// −log P(path) of each sentence, `[b]`. A path has a label for each word of its sentence.
    pub(super) fn negative_log_likelihood(
        &self,
        emissions: &Emissions,
        paths: &[&[usize]],
    ) -> Tensor<1> {
        let last = self.forward(emissions).pop();
        let scores = self.path_scores(emissions, paths);
        match last {
            Some(alpha) => self.log_partition(alpha) - scores,
            None => scores.zeros_like(),
        }
    }

    /// log P(y_i = y) of every word and label, `[b, w, t]`. What belongs to no word means nothing.
    pub(super) fn log_marginals(&self, emissions: &Emissions) -> Tensor<3> {
        let [b, w, t] = emissions.scores.dims();
        let alphas = self.forward(emissions);
        let Some(last) = alphas.last() else {
            return emissions.scores.clone();
        };
        let log_z = self.log_partition(last.clone()).reshape([b, 1]);
        let end = self.end.clone().reshape([1, t]).expand([b, t]);
        let transitions = self.transitions.clone().reshape([1, t, t]);
        let mut beta = end.clone();
        let mut marginals = Vec::with_capacity(w);
        for word in (0..w).rev() {
            if word + 1 < w {
                let next = (emissions.at(word + 1) + beta).reshape([b, 1, t]);
                let before = log_sum_exp(next + transitions.clone(), 2).reshape([b, t]);
                // After the last word of a sentence there is only the end.
                beta = emissions.where_word(word + 1, before, end.clone());
            }
            let marginal = alphas[word].clone() + beta.clone() - log_z.clone();
            marginals.push(marginal.reshape([b, 1, t]));
        }
        marginals.reverse();
        Tensor::cat(marginals, 1)
    }

    /// α of every word, `[b, t]` each; past the end of a sentence, that of its last word.
    fn forward(&self, emissions: &Emissions) -> Vec<Tensor<2>> {
        let [b, w, t] = emissions.scores.dims();
        let transitions = self.transitions.clone().reshape([1, t, t]);
        let mut alpha = emissions.at(0) + self.start.clone().reshape([1, t]);
        let mut alphas = vec![alpha.clone()];
        for word in 1..w {
            let through = alpha.clone().reshape([b, t, 1]) + transitions.clone();
            let next = log_sum_exp(through, 1).reshape([b, t]) + emissions.at(word);
            alpha = emissions.where_word(word, next, alpha);
            alphas.push(alpha.clone());
        }
        alphas
    }

    /// log Z of each sentence, `[b]`, from the α of its last word.
    fn log_partition(&self, alpha: Tensor<2>) -> Tensor<1> {
        let [b, t] = alpha.dims();
        log_sum_exp(alpha + self.end.clone().reshape([1, t]), 1).reshape([b])
    }

    /// The score of each path, `[b]`: by counting how often it takes each of the scores.
    fn path_scores(&self, emissions: &Emissions, paths: &[&[usize]]) -> Tensor<1> {
        let [b, w, t] = emissions.scores.dims();
        let device = emissions.scores.device();
        let mut taken = vec![0.0_f32; b * w * t];
        let mut steps = vec![0.0_f32; b * t * t];
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (row, path) in paths.iter().enumerate() {
            for (word, &label) in path.iter().enumerate() {
                taken[(row * w + word) * t + label] = 1.0;
            }
            for pair in path.windows(2) {
                steps[(row * t + pair[0]) * t + pair[1]] += 1.0;
            }
            first.push(path.first().map_or(0, |&label| label as i32));
            last.push(path.last().map_or(0, |&label| label as i32));
        }
        let taken = Tensor::<2>::from_data(TensorData::new(taken, [b, w * t]), &device);
        let steps = Tensor::<2>::from_data(TensorData::new(steps, [b, t * t]), &device);
        let ids =
            |labels: Vec<i32>| Tensor::<1, Int>::from_data(TensorData::new(labels, [b]), &device);
        let emitted = (emissions.scores.clone().reshape([b, w * t]) * taken).sum_dim(1);
        let stepped = steps.matmul(self.transitions.clone().reshape([t * t, 1]));
        let ends = self.start.clone().select(0, ids(first)) + self.end.clone().select(0, ids(last));
        (emitted + stepped).reshape([b]) + ends
    }
}

/// log Σ exp over a dimension, which becomes 1.
pub(super) fn log_sum_exp<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    let most = x.clone().max_dim(dim).detach();
    (x - most.clone()).exp().sum_dim(dim).log() + most
}

#[cfg(all(test, feature = "cpu"))]
mod tests;
