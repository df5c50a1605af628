//! `inspect`: what a bundle or a part file holds.

use super::table::{bytes, table};
use super::{Console, Outcome, print, print_json};
use crate::{Bundle, OpenOptions, Result};
use morelet_indices::{ImageIndex, TextIndex};
use morelet_mapped::{Container, Kind};
use morelet_models::weights::Weights;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle, or one of its files
    #[arg(value_name = "FILE|BUNDLE")]
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let value = if args.path.is_dir() {
        bundle(&args.path)?
    } else {
        file(&args.path)?
    };
    if args.json {
        print_json(&value, &Console::silent())
    } else {
        print(&show(&value))
    }
}

fn bundle(path: &Path) -> Result<Value> {
    let bundle = Bundle::open(path)?;
    let parts: Vec<Value> = bundle
        .manifest()
        .parts
        .iter()
        .map(|part| {
            let mut value = file(&path.join(part.path()?))?;
            if let Some(fields) = value.as_object_mut() {
                // Of a bundle one asks what it is made of; its tensors are told file by file.
                fields.remove("tensors");
                fields.remove("sections");
            }
            Ok(value)
        })
        .collect::<Result<_>>()?;
    let manifest = serde_json::to_value(bundle.manifest()).unwrap_or_default();
    Ok(json!({"bundle": path.display().to_string(), "manifest": manifest, "parts": parts}))
}

fn file(path: &Path) -> Result<Value> {
    let container = Container::open_any(path, OpenOptions::default())?;
    let sections: Vec<Value> = container
        .sections()
        .iter()
        .map(|section| {
            json!({
                "name": section.name, "revision": section.revision, "bulk": section.bulk,
                "offset": section.offset, "length": section.len, "hash": section.hash.to_string(),
            })
        })
        .collect();
    let mut value = json!({
        "file": path.display().to_string(),
        "kind": container.kind().to_string(),
        "length": container.len(),
        "root": container.root().to_string(),
        "sections": sections,
    });
    let mut add = |key: &str, field: Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.insert(key.to_owned(), field);
        }
    };
    match container.kind() {
        Kind::Weights => {
            let weights = Weights::from_container(container)?;
            add(
                "meta",
                serde_json::to_value(weights.meta()).unwrap_or_default(),
            );
            add(
                "tensors",
                serde_json::to_value(tensors(&weights)).unwrap_or_default(),
            );
        }
        Kind::TextIndex => {
            let index = TextIndex::from_container(container)?;
            add(
                "index",
                json!({
                    "sentences": index.len(), "paragraphs": index.paragraphs(),
                    "analyzer": index.analyzer().to_string(), "k1": shortest(index.k1()), "b": shortest(index.b()),
                }),
            );
        }
        Kind::ImageIndex => {
            let index = ImageIndex::from_container(container)?;
            let recall = index.recall().iter();
            let recall: Vec<Value> = recall
                .map(|row| json!({"ef": row.ef, "recall": shortest(row.recall)}))
                .collect();
            add(
                "index",
                json!({
                    "images": index.len(), "dimension": index.dim(), "vectors": index.vectors().to_string(),
                    "clip_identity": index.clip_identity(), "recall": recall,
                }),
            );
        }
    }
    Ok(value)
}

fn tensors(weights: &Weights) -> Vec<Value> {
    let tensors = weights.tensors().iter().map(|tensor| {
        let length = |stored: &morelet_models::weights::Stored| {
            stored.weights.len + stored.scales.as_ref().map_or(0, |scales| scales.len)
        };
        let layouts: Vec<String> = tensor
            .layouts
            .iter()
            .map(|stored| stored.layout.to_string())
            .collect();
        json!({
            "name": tensor.name, "shape": tensor.shape, "precision": tensor.precision.to_string(),
            "layouts": layouts, "length": tensor.layouts.iter().map(length).sum::<u64>(),
        })
    });
    tensors.collect()
}

/// A number with the digits that tell it from other `f32`s.
fn shortest(number: f32) -> Value {
    serde_json::from_str(&number.to_string()).unwrap_or_default()
}

/// The same for people: fields first, then tables.
fn show(value: &Value) -> String {
    let mut text = String::new();
    let Some(fields) = value.as_object() else {
        return text;
    };
    for (key, field) in fields.iter().filter(|(_, field)| !is_table(field)) {
        show_field(&mut text, key, field, 0);
    }
    for (key, field) in fields.iter().filter(|(_, field)| is_table(field)) {
        let _ = writeln!(text, "\n{key}");
        if key == "parts" {
            for part in field.as_array().into_iter().flatten() {
                text.push('\n');
                text.push_str(&show(part));
            }
        } else {
            text.push_str(&rows(field.as_array().map_or(&[], Vec::as_slice)));
        }
    }
    text
}

fn is_table(field: &Value) -> bool {
    field
        .as_array()
        .is_some_and(|items| items.first().is_some_and(Value::is_object))
}

fn show_field(text: &mut String, key: &str, field: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match field {
        // The parts of a manifest are shown from the files themselves.
        Value::Array(_) if key == "parts" => {}
        Value::Array(measured) if key == "recall" => {
            if measured.is_empty() {
                let _ = writeln!(text, "{indent}recall@10: not measured");
            } else {
                let _ = writeln!(
                    text,
                    "{indent}recall@10, by the candidates of a search (ef)"
                );
                for line in rows(measured).lines() {
                    let _ = writeln!(text, "{indent}  {line}");
                }
            }
        }
        Value::Object(fields) => {
            let _ = writeln!(text, "{indent}{key}");
            for (key, field) in fields {
                show_field(text, key, field, depth + 1);
            }
        }
        field => {
            let _ = writeln!(text, "{indent}{key}: {}", plain(key, field));
        }
    }
}

fn rows(items: &[Value]) -> String {
    let empty = Map::new();
    let header: Vec<&str> = items
        .first()
        .and_then(Value::as_object)
        .unwrap_or(&empty)
        .keys()
        .map(String::as_str)
        .collect();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| header.iter().map(|key| plain(key, &item[*key])).collect())
        .collect();
    let numbers =
        |column: &usize| matches!(header[*column], "revision" | "offset" | "length" | "ef");
    let left: Vec<usize> = (0..header.len())
        .filter(|column| !numbers(column))
        .collect();
    table(&header, &left, &rows)
}

fn plain(key: &str, field: &Value) -> String {
    match field {
        Value::String(text) => text.clone(),
        Value::Number(number) if key == "length" => {
            number.as_u64().map_or_else(|| number.to_string(), bytes)
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| plain("", item)).collect();
            let separator = if key == "shape" { " × " } else { ", " };
            items.join(separator)
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, field)| format!("{key} {}", plain(key, field)))
                .collect();
            format!("({})", fields.join(", "))
        }
        field => field.to_string(),
    }
}
