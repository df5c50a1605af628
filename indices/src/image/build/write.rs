//! The nodes as they lie in the file.

use std::path::Path;

use half::f16;
use morelet_mapped::{Scratch, ScratchMap, Writer};

use super::links::Links;
use super::rows::GraphRows;
use super::work::Work;
use crate::error::Result;
use crate::image::meta::{IDS, REVISION, STARTS};
use crate::image::record::Layout;
use crate::image::vectors::{FINER, Vectors, stored, stored_integer};
use crate::kernels::features::feature_kernels;
use crate::kernels::rows::OFFSET;

/// Nodes, written down but not yet in their file.
pub(super) struct Written {
    pub records: ScratchMap<u8>,
    /// Empty where what the integers leave is not kept.
    pub rerank: ScratchMap<u8>,
}

/// What the nodes are made of.
pub(super) struct Parts<'a> {
    pub layout: &'a Layout,
    /// `[n, dim]`, by row.
    pub features: &'a [f32],
    pub rows: &'a GraphRows,
    pub links: &'a Links,
    /// The row of each node.
    pub order: &'a [u32],
    /// The node of each row.
    pub nodes: &'a [u32],
}

/// Writes records, and where `rerank` what their integers leave, as finer integers.
pub(super) fn write_nodes(
    parts: &Parts<'_>,
    rerank: bool,
    folder: &Path,
    work: &mut Work<'_>,
) -> Result<Written> {
    let &Parts {
        layout,
        features,
        rows,
        links,
        order,
        nodes,
    } = parts;
    let (mut records, mut remainders) = (Scratch::create_in(folder)?, Scratch::create_in(folder)?);
    let (mut record, mut row) = (Vec::new(), Vec::new());
    let (mut left_over, mut integers) = (Vec::new(), Vec::new());
    for (place, &number) in order.iter().enumerate() {
        let feature = &features[number as usize * layout.dim..][..layout.dim];
        let difference = || feature.iter().zip(&rows.centre).map(|(&x, &c)| x - c);
        let half = |value: f32| f16::from_f32(value).to_le_bytes();
        let bias = (feature_kernels().product)(feature, &rows.centre);
        let mut scale = 1.0;
        row.clear();
        match layout.vectors {
            Vectors::F16 => row.extend(difference().flat_map(half)),
            Vectors::F32 => row.extend(difference().flat_map(f32::to_le_bytes)),
            Vectors::I8 => {
                row.extend_from_slice(rows.row(number));
                scale = rows.scale(number);
            }
        }
        let neighbours: Vec<u32> = links
            .of(number)
            .iter()
            .map(|&link| nodes[link as usize])
            .collect();
        layout.write(&row, (scale, bias as f32), &neighbours, &mut record);
        records.put(&record)?;
        if rerank {
            let left = difference().zip(rows.row(number));
            left_over.clear();
            left_over
                .extend(left.map(|(value, &byte)| value - f32::from(stored_integer(byte)) * scale));
            integers.resize(layout.dim, 0);
            (feature_kernels().round)(&mut left_over, scale / FINER, &mut integers);
            row.clear();
            row.extend(integers.iter().map(|&integer| stored(integer)));
            row.resize(layout.row, OFFSET);
            remainders.put(&row)?;
        }
        if place % 4096 == 0 {
            work.tell("writing", place as u64, order.len() as u64)?;
        }
    }
    Ok(Written {
        records: records.map()?,
        rerank: remainders.map()?,
    })
}

/// Copies a section.
pub(super) fn write_section(
    writer: &mut Writer,
    name: &str,
    bulk: bool,
    bytes: &[u8],
) -> Result<()> {
    let mut section = writer.section(name, REVISION, bulk)?;
    for piece in bytes.chunks(1 << 20) {
        section.put(piece)?;
    }
    Ok(section.finish()?)
}

/// Writes which pictures each node stands for. `pictures` has the row of each picture, `nodes` the node of each row.
pub(super) fn write_pictures(writer: &mut Writer, pictures: &[u32], nodes: &[u32]) -> Result<()> {
    let node = |&row: &u32| nodes[row as usize];
    let mut starts = vec![0_u32; nodes.len() + 1];
    for row in pictures {
        starts[node(row) as usize + 1] += 1;
    }
    for place in 1..starts.len() {
        starts[place] += starts[place - 1];
    }
    let mut next = starts.clone();
    let mut ids = vec![0_u32; pictures.len()];
    for (image, row) in (0..).zip(pictures) {
        let place = &mut next[node(row) as usize];
        ids[*place as usize] = image;
        *place += 1;
    }
    for (name, numbers) in [(IDS, ids), (STARTS, starts)] {
        let mut section = writer.section(name, REVISION, true)?;
        for number in numbers {
            section.put(&number.to_le_bytes())?;
        }
        section.finish()?;
    }
    Ok(())
}
