//! Reading what a search touches before it does.

use crate::Result;
use morelet_indices::ImageIndex;

/// Where the values of an index lie: a search reads some of those that it found, and no others.
const VALUES: &str = "values";

/// Reads a byte of every page of the index but for its values, so that no search has to wait for the disk.
pub(crate) fn prefault(index: &ImageIndex) -> Result<()> {
    let container = index.container();
    let _span = tracing::debug_span!("prefault", file = %container.path().display()).entered();
    for section in container.sections() {
        if !section.name.starts_with(VALUES) {
            container.prefault(&section.name)?;
        }
    }
    Ok(())
}
