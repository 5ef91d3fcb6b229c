//! Shares text that recurs: agent ids, hosts, databases, statuses.
//!
//! A cache rather than a set: it is bounded, and what does not fit is simply not shared. Nothing
//! is ever enumerated, so that no order of hashes shows anywhere.

use std::ops::Range;
use std::sync::Arc;

/// How many texts are remembered: the names of several thousand hosts.
const SLOTS: usize = 8192;

/// How many are at first: most sessions are short, and most domains small.
const FIRST_SLOTS: usize = 256;

/// How many slots a text may lie in.
const WAYS: usize = 4;

/// Remembers texts and hands out shared copies of them.
#[derive(Debug, Default)]
pub struct Interner {
    /// Empty until the first text comes.
    slots: Vec<Option<Arc<str>>>,
}

impl Interner {
    /// Returns a shared copy of `text`; `check` is asked only if `text` is not remembered, and an
    /// error of its is passed on.
    pub fn intern<E>(
        &mut self,
        text: &str,
        check: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<Arc<str>, E> {
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, None);
        }
        let hash = hash(text.as_bytes());
        let all = self.set(hash);
        if self.slots.len() < SLOTS && self.slots[all.clone()].iter().all(Option::is_some) {
            self.grow();
        }
        let all = self.set(hash);
        let set = &mut self.slots[all];
        for slot in &mut *set {
            match slot {
                Some(it) if **it == *text => return Ok(Arc::clone(it)),
                Some(_) => (),
                None => {
                    check(text)?;
                    return Ok(Arc::clone(slot.insert(Arc::from(text))));
                }
            }
        }
        check(text)?;
        let victim = &mut set[(hash >> 16) as usize % WAYS];
        Ok(Arc::clone(victim.insert(Arc::from(text))))
    }

    /// Returns the slots in which a text of that hash may lie.
    const fn set(&self, hash: u32) -> Range<usize> {
        let start = hash as usize % (self.slots.len() / WAYS) * WAYS;
        start..start + WAYS
    }

    /// Makes room for as many texts as there ever is.
    fn grow(&mut self) {
        let known = std::mem::take(&mut self.slots);
        self.slots.resize(SLOTS, None);
        for text in known.into_iter().flatten() {
            let set = self.set(hash(text.as_bytes()));
            if let Some(free) = self.slots[set].iter_mut().find(|it| it.is_none()) {
                *free = Some(text);
            }
        }
    }
}

/// Mixes eight bytes at a time; good enough for a cache, and quick.
fn hash(bytes: &[u8]) -> u32 {
    /// 2^64 divided by the golden ratio: odd, and without a pattern in its bits.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = mix(hash, u64::from_le_bytes(last));
    // The factor stirs the upper half best.
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(interner: &mut Interner, text: &str) -> Arc<str> {
        interner.intern(text, |_| Ok::<(), ()>(())).unwrap()
    }

    #[test]
    fn the_same_text_is_shared() {
        let mut interner = Interner::default();
        for text in ["", "a", "12345678", "123456789", "host-1.example", "ö"] {
            let first = intern(&mut interner, text);
            assert_eq!(&*first, text);
            assert!(Arc::ptr_eq(&first, &intern(&mut interner, text)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_refused_is_not_remembered() {
        let mut interner = Interner::default();
        let refused = |interner: &mut Interner| interner.intern("bad", |_| Err(())).is_err();
        assert!(refused(&mut interner));
        assert!(refused(&mut interner));
        intern(&mut interner, "bad");
        assert!(!refused(&mut interner));
    }

    #[test]
    fn it_remembers_most_of_what_fits_and_never_more_than_that() {
        let mut interner = Interner::default();
        let names: Vec<String> = (0..SLOTS / 2).map(|it| format!("db{it}.example")).collect();
        let first: Vec<_> = names.iter().map(|it| intern(&mut interner, it)).collect();
        let shared = names
            .iter()
            .zip(&first)
            .filter(|(name, first)| Arc::ptr_eq(first, &intern(&mut interner, name)))
            .count();
        assert!(shared * 10 > names.len() * 8, "{shared} of {}", names.len());
        for number in 0..10 * SLOTS {
            let text = number.to_string();
            assert_eq!(*intern(&mut interner, &text), *text);
        }
        assert_eq!(interner.slots.len(), SLOTS);
    }
}
