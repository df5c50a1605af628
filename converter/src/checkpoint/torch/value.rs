//! What a pickle describes, as plain data.
//!
//! All values of a pickle live in one arena and name each other by index. A pickle can nest a million
//! lists or put a list into itself; an arena is walked and freed without recursion either way.

use super::super::tensor::Dtype;
use crate::checkpoint::tensor::MAX_DIMENSIONS;
use std::rc::Rc;

/// The place of a value in its [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ref(u32);

/// A value. What no tensor is described by has no content here.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 8 bytes, little-endian two's complement.
    Long(Rc<[u8]>),
    Float,
    Str(Rc<str>),
    Bytes,
    Tuple(Rc<[Ref]>),
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A class or function that is known to be harmless, since nothing calls it.
    Global(Global),
    Storage(Rc<StorageRef>),
    Tensor(Rc<TensorRef>),
}

impl Value {
    /// What to call it in an error.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Long(_) => "an int",
            Self::Float => "a float",
            Self::Str(_) => "a string",
            Self::Bytes => "bytes",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a class or function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}

/// The names that a checkpoint may mention. Each stands for what it would make, and none is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildParameterWithState,
    RebuildFromType,
    /// `torch.Tensor` or `torch.nn.parameter.Parameter`, as arguments of `_rebuild_from_type_v2`.
    TensorType,
    /// `torch.FloatStorage` and its like; `None` for untyped bytes.
    Storage(Option<Dtype>),
    /// `torch.float32` and its like.
    Dtype(Dtype),
}

impl Global {
    /// The value that stands for `module.name`; `None` for everything that a checkpoint has no need of.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch", "Size") => Some(Self::Size),
            ("torch._utils", "_rebuild_tensor") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensorV2),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Self::RebuildTensorV3),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch._utils", "_rebuild_parameter_with_state") => {
                Some(Self::RebuildParameterWithState)
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Some(Self::RebuildFromType),
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Some(Self::TensorType),
            ("torch.storage", "UntypedStorage") | ("torch", "UntypedStorage") => {
                Some(Self::Storage(None))
            }
            ("torch" | "torch.cuda", _) if name.ends_with("Storage") => {
                let kind = STORAGES.iter().find(|(storage, _)| *storage == name);
                kind.map(|(_, dtype)| Self::Storage(Some(*dtype)))
            }
            ("torch", _) => DTYPES
                .iter()
                .find(|(dtype, _)| *dtype == name)
                .map(|(_, dtype)| Self::Dtype(*dtype)),
            _ => None,
        }
    }
}

const STORAGES: &[(&str, Dtype)] = &[
    ("FloatStorage", Dtype::F32),
    ("DoubleStorage", Dtype::F64),
    ("HalfStorage", Dtype::F16),
    ("BFloat16Storage", Dtype::Bf16),
    ("LongStorage", Dtype::Other("i64", 8)),
    ("IntStorage", Dtype::Other("i32", 4)),
    ("ShortStorage", Dtype::Other("i16", 2)),
    ("CharStorage", Dtype::Other("i8", 1)),
    ("ByteStorage", Dtype::Other("u8", 1)),
    ("BoolStorage", Dtype::Other("bool", 1)),
    ("ComplexFloatStorage", Dtype::Other("complex64", 8)),
    ("ComplexDoubleStorage", Dtype::Other("complex128", 16)),
];

const DTYPES: &[(&str, Dtype)] = &[
    ("float32", Dtype::F32),
    ("float64", Dtype::F64),
    ("float16", Dtype::F16),
    ("bfloat16", Dtype::Bf16),
    ("int64", Dtype::Other("i64", 8)),
    ("int32", Dtype::Other("i32", 4)),
    ("int16", Dtype::Other("i16", 2)),
    ("int8", Dtype::Other("i8", 1)),
    ("uint64", Dtype::Other("u64", 8)),
    ("uint32", Dtype::Other("u32", 4)),
    ("uint16", Dtype::Other("u16", 2)),
    ("uint8", Dtype::Other("u8", 1)),
    ("bool", Dtype::Other("bool", 1)),
];

/// The mention of a storage: `('storage', class, key, location, elements)`.
#[derive(Clone, Debug)]
pub(super) struct StorageRef {
    pub(super) key: Rc<str>,
    /// `None` for untyped bytes.
    pub(super) dtype: Option<Dtype>,
    /// In elements of `dtype`, or in bytes.
    pub(super) elements: u64,
    /// Where a view begins in the storage named by `key`, in elements: the oldest files have views.
    pub(super) view_offset: u64,
}

impl StorageRef {
    /// Its size; `None` on overflow.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.elements
            .checked_mul(self.dtype.map_or(1, Dtype::bytes))
    }
}

/// A tensor as a pickle describes it.
#[derive(Clone, Debug)]
pub(super) struct TensorRef {
    pub(super) storage: Rc<StorageRef>,
    pub(super) dtype: Dtype,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

/// All values of one pickle.
#[derive(Debug, Default)]
pub(super) struct Arena {
    values: Vec<Value>,
    /// The items that were copied from one value into another.
    copied: usize,
}

impl Arena {
    /// The most values of one pickle. A checkpoint of a thousand tensors has some twenty thousand.
    pub(super) const MAX_VALUES: usize = 1 << 22;

    /// Keeps a value; `None` when the arena is full.
    pub(super) fn add(&mut self, value: Value) -> Option<Ref> {
        (self.values.len() < Self::MAX_VALUES).then(|| {
            self.values.push(value);
            Ref((self.values.len() - 1) as u32)
        })
    }

    /// Counts items that are copied from one value into another; `None` where a pickle copies more of them than
    /// it may have values. A list of millions can be named again in a few bytes.
    pub(super) fn copy(&mut self, items: usize) -> Option<()> {
        self.copied = self.copied.saturating_add(items);
        (self.copied <= Self::MAX_VALUES).then_some(())
    }

    /// All values, in the order in which they were made.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    pub(super) fn get(&self, at: Ref) -> &Value {
        &self.values[at.0 as usize]
    }

    pub(super) fn get_mut(&mut self, at: Ref) -> &mut Value {
        &mut self.values[at.0 as usize]
    }

    pub(super) fn str(&self, at: Ref) -> Option<&Rc<str>> {
        match self.get(at) {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A number that counts something.
    pub(super) fn count(&self, at: Ref) -> Option<u64> {
        match self.get(at) {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, at: Ref) -> Option<Rc<[Ref]>> {
        match self.get(at) {
            Value::Tuple(items) => Some(items.clone()),
            _ => None,
        }
    }

    /// A tuple or list of numbers that count something.
    pub(super) fn counts(&self, at: Ref) -> Option<Vec<u64>> {
        let items: &[Ref] = match self.get(at) {
            Value::Tuple(items) => items,
            Value::List(items) => items,
            _ => return None,
        };
        // More would be copied only to be refused as too many dimensions.
        if items.len() > MAX_DIMENSIONS {
            return None;
        }
        items.iter().map(|item| self.count(*item)).collect()
    }
}
