//! Searches after the first allocate nothing: counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use morelet_indices::{
    ImageEntry, ImageIndex, ImageIndexBuilder, ImageOptions, ImageSearchOptions, Vectors,
};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; what is counted is in a thread-local that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn searches_after_the_first_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let mut state = 1u64;
    let mut features = || -> Vec<f32> {
        (0..40)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 40) as f32 - 8_388_608.0
            })
            .collect()
    };
    for vectors in [Vectors::I8, Vectors::F16, Vectors::F32] {
        let options = ImageOptions {
            vectors,
            ..ImageOptions::new("ab", 40)
        };
        let mut builder = ImageIndexBuilder::create(&path, options).unwrap();
        for number in 0..1000 {
            let entry = ImageEntry {
                id: &number.to_string(),
                title: "",
                intro: "",
            };
            builder.add(entry, &features()).unwrap();
        }
        builder.finish(&mut |_, _, _| false).unwrap();
        let index = ImageIndex::open(&path, Default::default()).unwrap();
        let options = ImageSearchOptions {
            ef: 80,
            ..Default::default()
        };
        let mut found = Vec::new();
        let queries: Vec<Vec<f32>> = (0..50).map(|_| features()).collect();
        // How many nodes are touched differs from query to query: the first round makes room for all.
        for query in &queries {
            index.search_into(query, &options, &mut found).unwrap();
        }
        let before = COUNT.with(Cell::get);
        for query in &queries {
            index.search_into(query, &options, &mut found).unwrap();
            assert_eq!(found.len(), 10);
        }
        assert_eq!(COUNT.with(Cell::get), before, "{vectors}");
    }
}
