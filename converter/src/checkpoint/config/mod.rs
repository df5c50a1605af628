//! `config.json`: hyper-parameters, with the defaults of `transformers` for the keys that it leaves out.

mod clip;
mod preprocessor;
mod xlmr;

pub(crate) use clip::{ClipFields, clip};
pub(crate) use preprocessor::preprocess;
pub(crate) use xlmr::xlmr;

use super::json;
use crate::{Error, Result};
use morelet_models::weights::Activation;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The longest `config.json` has 50 kB, mostly labels.
const MAX_CONFIG: u64 = 16 << 20;

/// One object of a JSON file, and where it is, for errors.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    path: PathBuf,
    /// What stands before a key in an error: empty, or `text_config.`.
    within: String,
    fields: Map<String, Value>,
}

impl Fields {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let fields = match json::read(path, MAX_CONFIG)? {
            Value::Object(fields) => fields,
            other => {
                return Err(
                    Error::input(format!("expected an object, got {}", kind(&other))).at(path),
                );
            }
        };
        Ok(Self {
            path: path.to_owned(),
            within: String::new(),
            fields,
        })
    }

    /// The value of a key, unless it is absent or `null`.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// The object under a key; empty where there is none.
    pub(crate) fn object(&self, key: &str) -> Result<Option<Self>> {
        let fields = match self.get(key) {
            None => return Ok(None),
            Some(Value::Object(fields)) => fields.clone(),
            Some(other) => return Err(self.unexpected(key, "an object", other)),
        };
        Ok(Some(Self {
            path: self.path.clone(),
            within: format!("{}{key}.", self.within),
            fields,
        }))
    }

    /// An object with no key, under this name.
    pub(crate) fn nothing(&self, key: &str) -> Self {
        Self {
            path: self.path.clone(),
            within: format!("{}{key}.", self.within),
            fields: Map::new(),
        }
    }

    pub(crate) fn u32(&self, key: &str, default: u32) -> Result<u32> {
        self.get(key).map_or(Ok(default), |value| {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| self.unexpected(key, "a whole number", value))
        })
    }

    /// An id, or a list of one.
    pub(crate) fn id(&self, key: &str, default: u32) -> Result<u32> {
        match self.get(key) {
            Some(Value::Array(ids)) => match ids.as_slice() {
                [id] => {
                    let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                    id.ok_or_else(|| self.error(key, "expected an id"))
                }
                _ => Err(self.error(key, format_args!("expected one id, got {}", ids.len()))),
            },
            _ => self.u32(key, default),
        }
    }

    /// The side of a square: a number, a pair of equal ones, or an object with equal `height` and `width`.
    pub(crate) fn side(&self, key: &str, default: u32) -> Result<u32> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let sides: Vec<&Value> = match value {
            Value::Array(sides) => sides.iter().collect(),
            Value::Object(sides) => ["height", "width"]
                .iter()
                .filter_map(|name| sides.get(*name))
                .collect(),
            number => vec![number, number],
        };
        match sides.as_slice() {
            [height, width] if height == width => {
                let side = height.as_u64().and_then(|side| u32::try_from(side).ok());
                side.ok_or_else(|| self.unexpected(key, "a number of pixels", value))
            }
            _ => Err(self.unexpected(key, "the side of a square", value)),
        }
    }

    pub(crate) fn f64(&self, key: &str, default: f64) -> Result<f64> {
        self.get(key).map_or(Ok(default), |value| {
            value
                .as_f64()
                .ok_or_else(|| self.unexpected(key, "a number", value))
        })
    }

    pub(crate) fn bool(&self, key: &str, default: bool) -> Result<bool> {
        self.get(key).map_or(Ok(default), |value| {
            value
                .as_bool()
                .ok_or_else(|| self.unexpected(key, "true or false", value))
        })
    }

    pub(crate) fn str(&self, key: &str) -> Result<Option<&str>> {
        self.get(key)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| self.unexpected(key, "a string", value))
            })
            .transpose()
    }

    pub(crate) fn activation(&self, default: Activation) -> Result<Activation> {
        let key = "hidden_act";
        self.str(key)?.map_or(Ok(default), |name| {
            name.parse().map_err(|error| self.error(key, error))
        })
    }

    pub(crate) fn error(&self, key: &str, message: impl std::fmt::Display) -> Error {
        Error::input(format!("{}{key}: {message}", self.within)).at(&self.path)
    }

    fn unexpected(&self, key: &str, expected: &str, got: &Value) -> Error {
        let mut shown = got.to_string();
        if shown.len() > 60 {
            shown = kind(got).to_owned();
        }
        self.error(key, format_args!("expected {expected}, got {shown}"))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
