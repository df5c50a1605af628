//! From sub-tokens to words: which hidden states are read, and how they become one.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};

use crate::weights::Pooling;

/// What pooling reads of one input. The encoder's last layer computes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// Rows of the input, ascending, each once.
    pub rows: Vec<usize>,
    /// Of each unit what is read, as places among `rows`.
    pub units: Vec<Range<usize>>,
}

impl Reads {
    /// What is read of `units`, words or markers, each a range of the input's rows that is not empty. They
    /// may stand in any order.
    pub(super) fn new(units: &[Range<usize>], pooling: Pooling) -> Self {
        let read = |unit: &Range<usize>| match pooling {
            Pooling::First => unit.start..unit.start + 1,
            Pooling::Last => unit.end.saturating_sub(1)..unit.end,
            Pooling::Mean => unit.clone(),
        };
        let read: Vec<Range<usize>> = units.iter().map(read).collect();
        let mut rows: Vec<usize> = read.iter().cloned().flatten().collect();
        rows.sort_unstable();
        rows.dedup();
        // Neighbours in a unit are neighbours among the rows: all between them are there.
        let place = |unit: Range<usize>| {
            let start = rows.partition_point(|&row| row < unit.start);
            start..start + unit.len()
        };
        let units = read.into_iter().map(place).collect();
        Self { rows, units }
    }
}

/// The representation of each unit, `[units, d]`, from hidden states `[n, d]`.
pub(crate) fn pool(hidden: Tensor<2>, units: &[Range<usize>], pooling: Pooling) -> Tensor<2> {
    let n = hidden.dims()[0];
    let device = hidden.device();
    let select = |places: Vec<usize>| {
        if places.len() == n && places.iter().copied().eq(0..n) {
            return hidden.clone();
        }
        let ids: Vec<i32> = places.into_iter().map(|place| place as i32).collect();
        let data = TensorData::new(ids, [units.len()]);
        let ids = Tensor::<1, Int>::from_data(data, &device);
        hidden.clone().select(0, ids)
    };
    match pooling {
        Pooling::First => select(units.iter().map(|unit| unit.start).collect()),
        Pooling::Last => select(units.iter().map(|unit| unit.end - 1).collect()),
        Pooling::Mean => {
            let mut mean = vec![0.0_f32; units.len() * n];
            for (row, unit) in mean.chunks_exact_mut(n).zip(units) {
                row[unit.clone()].fill(1.0 / unit.len() as f32);
            }
            let mean = Tensor::<2>::from_data(TensorData::new(mean, [units.len(), n]), &device);
            mean.matmul(hidden)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_pooling_reads_whatever_the_order_of_the_units() {
        let units = [5..8, 1..2, 2..4];
        type Case<'a> = (Pooling, &'a [usize], [Range<usize>; 3]);
        let cases: [Case<'_>; 3] = [
            (Pooling::First, &[1, 2, 5], [2..3, 0..1, 1..2]),
            (Pooling::Last, &[1, 3, 7], [2..3, 0..1, 1..2]),
            (Pooling::Mean, &[1, 2, 3, 5, 6, 7], [3..6, 0..1, 1..3]),
        ];
        for (pooling, rows, places) in cases {
            let reads = Reads::new(&units, pooling);
            assert_eq!((&reads.rows[..], &reads.units[..]), (rows, &places[..]));
        }
        // A row that two units read is computed once.
        let reads = Reads::new(&[3..5, 3..5], Pooling::Mean);
        assert_eq!((reads.rows, reads.units), (vec![3, 4], vec![0..2, 0..2]));
    }
}
