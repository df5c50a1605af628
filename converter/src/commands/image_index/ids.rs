//! Which pictures take the place of which: ids, by their hashes.

use morelet_mapped::Hash;
use std::collections::HashMap;

/// The hash of an id, and the number of the last index that has it. About 50 bytes a picture.
pub(super) type Ids = HashMap<[u8; 16], u32>;

/// 128 bits of an id's hash: enough for no two ids of any encyclopedia to be taken for one another.
pub(super) fn hash(id: &str) -> [u8; 16] {
    let hash = Hash::of(id.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}
