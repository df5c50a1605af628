//! Which article each value of a store is of.

use super::ValueStore;
use super::block::Records;
use crate::error::{Error, Result};

impl ValueStore {
    /// Calls `act` with the id of every value, in order.
    pub fn for_each_id(&self, mut act: impl FnMut(u32, &[u8])) -> Result<()> {
        for index in 0..self.block_count() {
            let block = self.block(index)?;
            self.with_plain(&block, |plain| {
                let mut records = Records::of(plain);
                for place in 0..block.stored.records {
                    let [id, ..] = records.next().ok_or_else(|| self.cut(&block))?;
                    act(block.first + place, id);
                }
                Ok::<(), Error>(())
            })??;
        }
        Ok(())
    }
}
