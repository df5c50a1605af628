//! Small structures as bincode: encoded plainly, decoded under a limit that the file's own size sets.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bincode::Decode;
use bincode::config::{Configuration, standard};
use bincode::de::Decoder;
use bincode::error::DecodeError;

use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// How much larger than its encoding a structure may be in memory. An empty string takes one byte encoded and 24
/// decoded, and so does an empty vector; a number takes one byte and up to eight.
const GROWTH: usize = 32;
/// What a structure may take in memory although its file is smaller: so small a file needs no protection.
const SMALL_BYTES: usize = 16 << 20;

/// Encodes `value` with bincode's standard configuration: little-endian, variable-length integers.
///
/// For metadata and tables of some kilobytes. Arrays of numbers belong into sections of their own, read by
/// [`Bytes::typed`]: those need no decoding and no memory.
pub fn encode<T: bincode::Encode>(value: &T) -> Result<Vec<u8>> {
    bincode::encode_to_vec(value, standard())
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot be encoded: {error}")))
}

/// Decodes what [`encode`] made.
///
/// All bytes must be used. No more memory is asked for than 32 times the bytes' length, and not more than the whole
/// file's length where that is over 16 MiB: a damaged count is an error and never a huge allocation. `T` must not
/// hold a vector of empty structures, whose count no limit would catch.
pub fn decode<T: Decode<()>>(bytes: &Bytes) -> Result<T> {
    let most = bytes
        .len()
        .saturating_mul(GROWTH)
        .min(SMALL_BYTES.max(bytes.file_len()));
    // bincode is not known to panic; a panic on damaged bytes would still be an error here, and not the end of the
    // program. Nothing that the closure touches outlives it.
    let decoded = catch_unwind(AssertUnwindSafe(|| limited(bytes, most)));
    match decoded {
        Ok(Ok((value, read))) if read == bytes.len() => Ok(value),
        Ok(Ok((_, read))) => Err(bytes
            .corrupt(read as u64, "bytes are left over after the last value")
            .expecting(format_args!("{read} bytes"))
            .finding(bytes.len())),
        Ok(Err(error)) => Err(bytes
            .corrupt(0, "cannot be decoded")
            .expecting(format_args!(
                "a value that takes at most {most} bytes in memory"
            ))
            .finding(error)),
        Err(_) => Err(bytes.corrupt(0, "cannot be decoded: the decoder panicked")),
    }
}

/// bincode's limit is a constant of the type; ours is known when the file is. So bincode gets the largest limit there
/// is, and all of it but `most` is used up before the first value.
fn limited<T: Decode<()>>(bytes: &[u8], most: usize) -> Result<(T, usize), DecodeError> {
    type Config = Configuration<
        bincode::config::LittleEndian,
        bincode::config::Varint,
        bincode::config::Limit<{ usize::MAX }>,
    >;
    const CONFIG: Config = standard().with_limit::<{ usize::MAX }>();

    struct Limited<T>(T);

    impl<T: Decode<()>> Decode<usize> for Limited<T> {
        fn decode<D: Decoder<Context = usize>>(decoder: &mut D) -> Result<Limited<T>, DecodeError> {
            let most = *decoder.context();
            decoder.claim_bytes_read(usize::MAX - most)?;
            T::decode(&mut decoder.with_context(())).map(Limited)
        }
    }

    let (Limited(value), read) = bincode::decode_from_slice_with_context(bytes, CONFIG, most)?;
    Ok((value, read))
}
