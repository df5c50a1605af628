//! How Hopper's copy engine (TMA) is told of a matrix.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use cudarc::driver::sys;

use super::driver::{Driver, Memory};
use super::failed;
use super::kernels::fits;
use crate::error::Result;

/// The columns in half precision that are brought of a row at once: 128 bytes.
pub(super) const COLUMNS: usize = 64;

/// Where a matrix lies, and how much of it is brought at once; an argument of a kernel. Only kernels read it.
#[derive(Clone, Copy)]
pub(super) struct TensorMap(#[allow(dead_code)] sys::CUtensorMap);

impl TensorMap {
    /// Of a matrix `[rows, columns]`, of which 64 columns of `piece` rows are brought at once, at most 256. In shared memory rows of 128
    /// bytes lie one behind the other, chunk `i` of 16 bytes of row `r` at `i ^ r % 8`. The map
    /// holds the matrix's address and no more: the matrix lives as long as what is launched with the map.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(super) fn new(
        driver: &Driver,
        matrix: &Memory<u16>,
        (rows, columns): (usize, usize),
        piece: usize,
    ) -> Result<Self> {
        fits(
            matrix.len() >= rows * columns
                && columns.is_multiple_of(COLUMNS)
                && piece <= rows.min(256),
        )?;
        driver.bind()?;
        let mut map = MaybeUninit::uninit();
        let (size, pitch) = ([columns as u64, rows as u64], [columns as u64 * 2]);
        let (of, every) = ([COLUMNS as u32, piece as u32], [1, 1]);
        // SAFETY: the four lists have an entry for each dimension (the pitch one less) and are read by the call alone, which writes
        // the map. The matrix is as large as it says, which was just checked.
        let result = unsafe {
            sys::cuTensorMapEncodeTiled(
                map.as_mut_ptr(),
                sys::CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                2,
                driver.address(matrix) as *mut _,
                size.as_ptr(),
                pitch.as_ptr(),
                of.as_ptr(),
                every.as_ptr(),
                sys::CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
                sys::CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B,
                sys::CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                sys::CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            )
        };
        result
            .result()
            .map_err(failed("describe a matrix to the copy engine"))?;
        // SAFETY: it has been written.
        Ok(Self(unsafe { map.assume_init() }))
    }
}
