//! Large memory that is given back as soon as it is not needed.

use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::bytes::Plain;

/// Numbers in pages of their own, zeros at first.
///
/// What a vector gives back an allocator may keep, and then give out in pieces, so that the memory of a process depends on the order
/// of what it does. These pages go back to the system when they are dropped.
#[derive(Debug)]
pub struct Pages<T> {
    /// `None` where there is nothing.
    map: Option<MmapMut>,
    of: PhantomData<T>,
}

impl<T: Plain> Pages<T> {
    /// No numbers.
    pub fn none() -> Pages<T> {
        Pages {
            map: None,
            of: PhantomData,
        }
    }

    /// So many zeros.
    ///
    /// # Errors
    /// More than the system gives.
    pub fn zeroed(len: usize) -> io::Result<Pages<T>> {
        let map = match len.checked_mul(size_of::<T>()) {
            Some(0) => None,
            Some(bytes) => Some(MmapMut::map_anon(bytes)?),
            None => return Err(io::ErrorKind::OutOfMemory.into()),
        };
        Ok(Pages {
            map,
            of: PhantomData,
        })
    }
}

impl<T: Plain> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let Some(map) = &self.map else {
            return &[];
        };
        // SAFETY: a map begins at a page, so it is aligned for any number; the numbers counted lie inside it; `T` is
        // `Plain`, so any bytes are one; and the map is borrowed as long as they are.
        unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), map.len() / size_of::<T>()) }
    }
}

impl<T: Plain> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let Some(map) = &mut self.map else {
            return &mut [];
        };
        let len = map.len() / size_of::<T>();
        // SAFETY: as in `deref`; the map is borrowed alone, and what is written to it are bytes like any.
        unsafe { std::slice::from_raw_parts_mut(map.as_mut_ptr().cast(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_zeros_until_they_are_written() {
        let mut pages = Pages::<u32>::zeroed(100_000).unwrap();
        assert_eq!(pages.len(), 100_000);
        assert!(pages.iter().all(|&number| number == 0));
        for (place, number) in (0..).zip(pages.iter_mut()) {
            *number = place;
        }
        assert_eq!(pages[99_999], 99_999);
        assert!(Pages::<f32>::zeroed(0).unwrap().is_empty());
    }

    #[test]
    fn more_than_there_can_be_is_an_error() {
        assert!(Pages::<u32>::zeroed(usize::MAX).is_err());
        assert!(Pages::<u32>::zeroed(usize::MAX / 8).is_err());
    }
}
