//! The parameters of a model in training.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use crate::device::Compute;
use crate::error::{Error, Result};
use crate::gpu::{ComputeType, DeviceLinear};
use crate::layers::{Linear, Weight};
use crate::source::Source;
use crate::weights::{Meta, expected_tensors};
use crate::xlmr::read;

/// The tensors of a model on a device, by the names of a `.weights` file, as leaves whose gradients are taken.
#[derive(Debug)]
pub struct Parameters {
    meta: Meta,
    compute: Compute,
    differentiable: Compute,
    list: Vec<Parameter>,
    places: HashMap<String, usize>,
}

/// One tensor. It is kept flat, so that all have one type.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    shape: Vec<u64>,
    pub(super) value: Tensor<1>,
}

impl Parameters {
    /// The parameters of the model that `meta` describes. `values` gives each tensor, row-major, by its name and shape.
    ///
    /// # Errors
    /// Those of `values`; of kind `Input` where it gives another number of values than the shape has, `Device`.
    pub fn new<E: From<Error>>(
        meta: Meta,
        compute: &Compute,
        mut values: impl FnMut(&str, &[u64]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let differentiable = compute.differentiable();
        let device = differentiable.device();
        let (mut list, mut places) = (Vec::new(), HashMap::new());
        for (name, shape) in expected_tensors(&meta) {
            let values = values(&name, &shape)?;
            let count: u64 = shape.iter().product();
            if values.len() as u64 != count {
                let message = format!("{name}: expected {count} values, got {}", values.len());
                return Err(Error::input(message).into());
            }
            places.insert(name.clone(), list.len());
            list.push(Parameter {
                name,
                shape,
                value: leaf(values, device),
            });
        }
        Ok(Self {
            meta,
            compute: compute.clone(),
            differentiable,
            list,
            places,
        })
    }

    /// What the model is.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Where it is trained.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Name and shape of every tensor, in the order of a file.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[u64])> {
        self.list
            .iter()
            .map(|parameter| (parameter.name.as_str(), &parameter.shape[..]))
    }

    /// The values of a tensor, row-major.
    ///
    /// # Errors
    /// Of kind `Input` where there is no such tensor; `Device`.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let value = self.get(name)?.value.clone();
        self.compute.run(|| read(value.without_autodiff()))
    }

    /// Gives a tensor other values.
    ///
    /// # Errors
    /// Of kind `Input` where there is no such tensor, or it has another size.
    pub fn set(&mut self, name: &str, values: Vec<f32>) -> Result<()> {
        let count = self.get(name)?.value.dims()[0];
        if values.len() != count {
            let message = format!("{name}: expected {count} values, got {}", values.len());
            return Err(Error::input(message));
        }
        let value = leaf(values, self.differentiable.device());
        // `get` has found it.
        if let Some(&place) = self.places.get(name) {
            self.list[place].value = value;
        }
        Ok(())
    }

    /// The same device with gradients.
    pub(super) fn differentiable(&self) -> &Compute {
        &self.differentiable
    }

    pub(super) fn list_mut(&mut self) -> &mut [Parameter] {
        &mut self.list
    }

    pub(super) fn list(&self) -> &[Parameter] {
        &self.list
    }

    pub(super) fn get(&self, name: &str) -> Result<&Parameter> {
        let place = self.places.get(name);
        place
            .map(|&place| &self.list[place])
            .ok_or_else(|| Error::input(format!("the model has no tensor {name}")))
    }

    /// The tensors as layers take them, with dropout behind the blocks of each layer.
    pub(super) fn source(&self, dropout: f64) -> Trained<'_> {
        Trained {
            parameters: self,
            dropout,
        }
    }
}

impl Parameter {
    /// All dimensions after the first as one.
    fn matrix(&self) -> Tensor<2> {
        let rows = self.shape.first().map_or(1, |&rows| rows as usize);
        let width = self.value.dims()[0] / rows.max(1);
        self.value.clone().reshape([rows, width])
    }
}

/// Values on a device, as a leaf of the graph.
pub(super) fn leaf(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::<1>::from_data(TensorData::new(values, [count]), device).require_grad()
}

/// The blocks of a layer whose result is dropped out before it is added to what runs through (Vaswani et al. 2017, §5.4).
const DROPPED: [&str; 3] = [
    ".attention.output.weight",
    ".ffn.down.weight",
    ".mlp.down.weight",
];

/// Parameters as a source of tensors.
pub(super) struct Trained<'a> {
    parameters: &'a Parameters,
    dropout: f64,
}

impl Source for Trained<'_> {
    fn weight(&self, matrix: &str, bias: Option<&str>, compute: &Compute) -> Result<Weight> {
        let mut linear = self.head(matrix, bias, compute)?;
        if DROPPED.iter().any(|block| matrix.ends_with(block)) {
            linear = linear.with_dropout(self.dropout);
        }
        Ok(Weight::Device(Box::new(linear)))
    }

    fn head(&self, matrix: &str, bias: Option<&str>, _: &Compute) -> Result<Linear> {
        let weight = self.parameters.get(matrix)?.matrix();
        let bias = bias.map(|bias| self.parameters.get(bias)).transpose()?;
        let bias = bias.map(|bias| bias.value.clone());
        Ok(Linear::new(DeviceLinear::new(
            weight,
            bias,
            ComputeType::F32,
        )))
    }

    fn tensor<const D: usize>(&self, name: &str, _: &Device) -> Result<Tensor<D>> {
        let parameter = self.parameters.get(name)?;
        let shape: Vec<usize> = parameter.shape.iter().map(|&n| n as usize).collect();
        let shape: [usize; D] = shape.try_into().map_err(|shape: Vec<usize>| {
            Error::input(format!("{name}: expected {D} dimensions, got {shape:?}"))
        })?;
        Ok(parameter.value.clone().reshape(shape))
    }
}
