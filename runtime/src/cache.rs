//! What a session remembers of sentences and pictures that it has seen before.
//!
//! Off by default. A program that asks about the same picture or the same sentence again and again, as one does that shows the
//! relations between all pairs of entities of a sentence, computes CLIP's features once and searches once. The experts are not
//! remembered: what they say depends on everything.
//!
//! A cache belongs to one session, whose CLIP, indexes and effort do not change while it lives: the BLAKE3 hash of what was
//! seen, the text or the bytes of a picture's file, is the whole key. Values are kept as they were computed, so that answers are equal to
//! the bit. Errors are not kept. Two threads that miss the same key at the same time both compute it.

use crate::Result;
use morelet_indices::Hit;
use morelet_mapped::Hash;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A feature of CLIP, L2-normalized.
pub(crate) type Feature = Arc<[f32]>;

/// Of each kind of thing so many as the session's options say.
pub(crate) struct Cache {
    /// CLIP's features, by the text.
    pub clip_text: Lru<Feature>,
    /// What is retrieved, by the text.
    pub text_hits: Lru<Arc<[Hit]>>,
    /// CLIP's features, by the bytes of the file.
    pub clip_image: Lru<Feature>,
    /// What is retrieved, by the bytes of the file.
    pub image_hits: Lru<Arc<[Hit]>>,
}

impl Cache {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            clip_text: Lru::new(entries),
            text_hits: Lru::new(entries),
            clip_image: Lru::new(entries),
            image_hits: Lru::new(entries),
        }
    }
}

/// At most so many values; the one that was not asked for the longest makes room.
pub(crate) struct Lru<V> {
    capacity: usize,
    state: Mutex<State<V>>,
}

struct State<V> {
    /// Each value with the time when it was last asked for.
    values: HashMap<Hash, (u64, V)>,
    /// The keys by that time.
    order: BTreeMap<u64, Hash>,
    now: u64,
}

impl<V: Clone> Lru<V> {
    fn new(capacity: usize) -> Self {
        let state = State {
            values: HashMap::new(),
            order: BTreeMap::new(),
            now: 0,
        };
        Self {
            capacity,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn get(&self, key: &Hash) -> Option<V> {
        let mut state = self.state();
        let state = &mut *state;
        let (used, value) = state.values.get_mut(key)?;
        state.order.remove(used);
        state.now += 1;
        *used = state.now;
        state.order.insert(state.now, *key);
        Some(value.clone())
    }

    pub(crate) fn insert(&self, key: Hash, value: V) {
        if self.capacity == 0 {
            return;
        }
        let mut state = self.state();
        state.now += 1;
        let now = state.now;
        if let Some((used, _)) = state.values.insert(key, (now, value)) {
            state.order.remove(&used);
        }
        state.order.insert(now, key);
        if state.values.len() > self.capacity
            && let Some((_, oldest)) = state.order.pop_first()
        {
            state.values.remove(&oldest);
        }
    }

    /// What is remembered, or else what `work` finds, which is remembered from then on.
    pub(crate) fn get_or(&self, key: Hash, work: impl FnOnce() -> Result<V>) -> Result<V> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        // Not under the lock: others go on meanwhile.
        let value = work()?;
        self.insert(key, value.clone());
        Ok(value)
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Hash {
        Hash::of(&number.to_le_bytes())
    }

    /// The same in the plainest way: a list, the last asked for at its end.
    struct Plain(usize, Vec<(u64, u64)>);

    impl Plain {
        fn get(&mut self, key: u64) -> Option<u64> {
            let at = self.1.iter().position(|(other, _)| *other == key)?;
            let entry = self.1.remove(at);
            self.1.push(entry);
            Some(entry.1)
        }

        fn insert(&mut self, key: u64, value: u64) {
            self.1.retain(|(other, _)| *other != key);
            self.1.push((key, value));
            if self.1.len() > self.0 {
                self.1.remove(0);
            }
        }
    }

    #[test]
    fn forgets_what_a_plain_list_forgets() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for capacity in [0, 1, 2, 5, 16] {
            let (lru, mut plain) = (Lru::new(capacity), Plain(capacity, Vec::new()));
            let mut found = 0;
            for step in 0..2000 {
                let number = random(20);
                if random(2) == 0 {
                    lru.insert(key(number), step);
                    plain.insert(number, step);
                } else {
                    let got = lru.get(&key(number));
                    assert_eq!(got, plain.get(number), "capacity {capacity}, step {step}");
                    found += usize::from(got.is_some());
                }
                let state = lru.state();
                assert!(state.values.len() <= capacity);
                assert_eq!(state.values.len(), state.order.len());
            }
            assert_eq!(found > 0, capacity > 0);
        }
    }

    #[test]
    fn what_fails_is_tried_again_and_what_is_known_is_not() {
        let lru = Lru::new(2);
        let failed = lru.get_or(key(1), || Err(crate::Error::input("no")));
        assert!(failed.is_err());
        assert_eq!(lru.get_or(key(1), || Ok(5)).unwrap(), 5);
        assert_eq!(lru.get_or(key(1), || panic!("it is known")).unwrap(), 5);
    }
}
