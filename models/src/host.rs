//! Work of our own inside a graph of Burn's tensors, on the CPU.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension, flex::FlexTensor};
use burn::tensor::{Tensor, TensorData};

/// What is computed from two tensors: the numbers of the result.
type Work<'a> = &'a mut (dyn FnMut(&[f32], &[f32]) -> Vec<f32> + Send);

/// The operation behind [`map`].
#[backend_extension(Flex)]
trait Host: Backend {
    fn on_host(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        shape: Vec<usize>,
        work: Work<'_>,
    ) -> FloatTensor<Self>;
}

impl Host for Flex {
    fn on_host(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        shape: Vec<usize>,
        work: Work<'_>,
    ) -> FloatTensor<Self> {
        let (x, y) = (x.to_contiguous(), y.to_contiguous());
        let result = work(numbers(&x), numbers(&y));
        FlexTensor::from_data(TensorData::new(result, shape))
    }
}

/// The numbers of a contiguous tensor.
fn numbers(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

/// Computes a tensor of `shape` from the numbers of two, row-major, which are read where they lie.
pub(crate) fn map<const D: usize>(
    x: Tensor<D>,
    y: Tensor<D>,
    shape: [usize; D],
    mut work: impl FnMut(&[f32], &[f32]) -> Vec<f32> + Send,
) -> Tensor<D> {
    let (x, y) = (x.into_dispatch(), y.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Host>::on_host(x, y, shape.to_vec(), &mut work))
}
