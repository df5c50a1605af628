//! What the calls in a checkpoint's pickle would make.
//!
//! PyTorch pickles a tensor as a call: `_rebuild_tensor_v2(storage, offset, size, stride, …)`, with the
//! storage named by a persistent id. Here the call becomes a description of the tensor.

use super::pickle::Step;
use super::value::{Arena, Global, Ref, StorageRef, TensorRef, Value};
use std::rc::Rc;

/// The storage that a persistent id names: `('storage', class, key, location, elements[, view])`.
pub(super) fn storage(arena: &Arena, id: Ref) -> Step<Value> {
    let Some(items) = arena.tuple(id) else {
        return Err(format!("a persistent id that is {}", arena.get(id).what()));
    };
    let [tag, class, key, _location, elements, view @ ..] = &*items else {
        return Err(format!(
            "a persistent id of {} parts: expected at least 5",
            items.len()
        ));
    };
    match arena.str(*tag).map(|tag| &**tag) {
        Some("storage") => {}
        Some("module") => {
            return Err(format!(
                "it holds a whole model (its code, not its weights); {}",
                super::RESAVE
            ));
        }
        _ => return Err("a persistent id that names no storage".to_owned()),
    }
    let Value::Global(Global::Storage(dtype)) = arena.get(*class) else {
        return Err("a storage without a class of storages".to_owned());
    };
    let key = arena
        .str(*key)
        .cloned()
        .or_else(|| arena.count(*key).map(|key| key.to_string().into()));
    let key = key.ok_or("a storage without a name")?;
    let elements = arena.count(*elements).ok_or("a storage without a size")?;
    let mut storage = StorageRef {
        key,
        dtype: *dtype,
        elements,
        view_offset: 0,
    };
    if let [view] = view
        && let Some(view) = arena.tuple(*view)
    {
        let [_key, offset, size] = &*view else {
            return Err("a view of a storage without offset and size".to_owned());
        };
        storage.view_offset = arena.count(*offset).ok_or("a view without an offset")?;
        storage.elements = arena.count(*size).ok_or("a view without a size")?;
    }
    Ok(Value::Storage(Rc::new(storage)))
}

/// The result of `function(*arguments)`.
pub(super) fn call(arena: &mut Arena, function: Ref, arguments: Ref) -> Step<Ref> {
    let Value::Global(function) = *arena.get(function) else {
        return Err(format!("it would call {}", arena.get(function).what()));
    };
    let Some(arguments) = arena.tuple(arguments) else {
        return Err(format!(
            "it would call with {}",
            arena.get(arguments).what()
        ));
    };
    call_with(arena, function, &arguments)
}

fn call_with(arena: &mut Arena, function: Global, arguments: &[Ref]) -> Step<Ref> {
    match function {
        Global::OrderedDict => {
            let items = match arguments {
                [] => Vec::new(),
                [pairs] => ordered(arena, *pairs)?,
                _ => return Err("an OrderedDict of more than one argument".to_owned()),
            };
            keep(arena, Value::Dict(items))
        }
        Global::Size => match arguments {
            [] => keep(arena, Value::Tuple(Rc::new([]))),
            [size] if arena.counts(*size).is_some() => Ok(*size),
            _ => Err("a torch.Size of no sizes".to_owned()),
        },
        // (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
        Global::RebuildTensor | Global::RebuildTensorV2 => tensor(arena, arguments, None),
        // (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])
        Global::RebuildTensorV3 => {
            let dtype = arguments.get(6).map(|at| arena.get(*at).clone());
            let Some(Value::Global(Global::Dtype(dtype))) = dtype else {
                return Err("_rebuild_tensor_v3 without a type of elements".to_owned());
            };
            tensor(arena, arguments, Some(dtype))
        }
        // (data, requires_grad, hooks[, state])
        Global::RebuildParameter | Global::RebuildParameterWithState => match arguments {
            [data, ..] if matches!(arena.get(*data), Value::Tensor(_)) => Ok(*data),
            _ => Err("a parameter without a tensor".to_owned()),
        },
        // (function, class, arguments, state)
        Global::RebuildFromType => {
            let [inner, class, inner_arguments, _state] = arguments else {
                return Err("_rebuild_from_type_v2 without its four arguments".to_owned());
            };
            let (Value::Global(inner), Value::Global(Global::TensorType)) =
                (arena.get(*inner), arena.get(*class))
            else {
                return Err("_rebuild_from_type_v2 of something that is no tensor".to_owned());
            };
            let inner = *inner;
            if inner == Global::RebuildFromType {
                return Err("_rebuild_from_type_v2 of itself".to_owned());
            }
            let inner_arguments = arena
                .tuple(*inner_arguments)
                .ok_or("_rebuild_from_type_v2 without arguments")?;
            call_with(arena, inner, &inner_arguments)
        }
        Global::TensorType | Global::Storage(_) | Global::Dtype(_) => Err(format!(
            "it would call a class of tensors; {}",
            super::RESAVE
        )),
    }
}

fn tensor(arena: &mut Arena, arguments: &[Ref], dtype: Option<super::Dtype>) -> Step<Ref> {
    let [storage, offset, size, stride, ..] = arguments else {
        return Err(format!(
            "a tensor of {} parts: expected at least 4",
            arguments.len()
        ));
    };
    let Value::Storage(storage) = arena.get(*storage) else {
        return Err(format!(
            "a tensor over {} instead of a storage",
            arena.get(*storage).what()
        ));
    };
    let dtype = dtype
        .or(storage.dtype)
        .ok_or("a tensor over untyped bytes")?;
    let tensor = TensorRef {
        storage: storage.clone(),
        dtype,
        offset: arena.count(*offset).ok_or("a tensor without an offset")?,
        shape: arena.counts(*size).ok_or("a tensor without a shape")?,
        strides: arena.counts(*stride).ok_or("a tensor without strides")?,
    };
    keep(arena, Value::Tensor(Rc::new(tensor)))
}

/// The items of `OrderedDict([(key, value), …])`, as Python 2 wrote it.
fn ordered(arena: &mut Arena, pairs: Ref) -> Step<Vec<(Ref, Ref)>> {
    let length = match arena.get(pairs) {
        Value::List(pairs) => pairs.len(),
        _ => 0,
    };
    arena
        .copy(length)
        .ok_or_else(|| format!("more than {} values copied", Arena::MAX_VALUES))?;
    let Value::List(pairs) = arena.get(pairs) else {
        return Err("an OrderedDict that is not made of a list".to_owned());
    };
    let pair = |at: &Ref| match arena.get(*at) {
        Value::Tuple(items) => <[Ref; 2]>::try_from(&**items).ok(),
        Value::List(items) => <[Ref; 2]>::try_from(&**items).ok(),
        _ => None,
    };
    let pairs = pairs
        .iter()
        .map(|at| pair(at).map(|[key, value]| (key, value)));
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| "an OrderedDict of something else than pairs".to_owned())
}

fn keep(arena: &mut Arena, value: Value) -> Step<Ref> {
    arena
        .add(value)
        .ok_or_else(|| format!("more than {} values", Arena::MAX_VALUES))
}
