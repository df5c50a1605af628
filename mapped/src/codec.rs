//! Small structures as bincode: encoded plainly, decoded under a limit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// Encodes `value` with bincode's standard configuration: little-endian, variable-length integers.
pub fn encode<T: bincode::Encode>(value: &T) -> Result<Vec<u8>> {
    bincode::encode_to_vec(value, bincode::config::standard())
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot be encoded: {error}")))
}

/// Decodes what [`encode`] made. All bytes must be used.
pub fn decode<T: bincode::Decode<()>>(bytes: &Bytes) -> Result<T> {
    let wanted = (bytes.len() as u64)
        .saturating_mul(32)
        .min(bytes.file_len().max(1 << 24));
    let decoded = catch_unwind(AssertUnwindSafe(|| match wanted {
        0..=0x1_0000 => limited::<T, 0x1_0000>(bytes),
        0x1_0001..=0x100_0000 => limited::<T, 0x100_0000>(bytes),
        _ => limited::<T, 0x1000_0000>(bytes),
    }));
    match decoded {
        Ok(Ok((value, read))) if read == bytes.len() => Ok(value),
        Ok(Ok((_, read))) => {
            Err(bytes.corrupt(read as u64, "bytes are left over after the last value"))
        }
        Ok(Err(error)) => Err(bytes.corrupt(0, format!("cannot be decoded: {error}"))),
        Err(_) => Err(bytes.corrupt(0, "cannot be decoded: the decoder panicked")),
    }
}

fn limited<T: bincode::Decode<()>, const LIMIT: usize>(
    bytes: &[u8],
) -> Result<(T, usize), bincode::error::DecodeError> {
    bincode::decode_from_slice(bytes, bincode::config::standard().with_limit::<LIMIT>())
}
