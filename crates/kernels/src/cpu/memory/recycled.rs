//! Memory of large results, kept for the next ones.
//!
//! A training step makes the same tensors again and again. The system's allocator gives large ones
//! back, and then maps fresh pages, clears them and faults on each: a fifth of the time of a step. So
//! results of the fused operations go to a list when they are dropped, and come from it. The buffers in
//! use and on the list never exceed one and a half times those that were in use at once; a buffer may be up to four times
//! as large as its result. With less, sizes of one half of
//! a step make room for those of the other, and each step maps pages again: a step of `bn_cnn` takes a fifth longer, and
//! the process was seen to be larger.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Bytes;
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

use super::aligned::Line;

/// Cache lines below which a result is left to the system's allocator, which has a place for it.
const SMALL: usize = 1024;

/// How much larger than a result a buffer may be that serves it.
const MOST_SPARE: usize = 4;

/// Buffers that nobody uses, the one that was given back first in front, and the number of cache lines
/// in them, in use, and at most in use so far.
struct List {
    free: VecDeque<Vec<Line>>,
    kept: usize,
    used: usize,
    most: usize,
}

static LIST: Mutex<List> = Mutex::new(List { free: VecDeque::new(), kept: 0, used: 0, most: 0 });

impl List {
    /// A buffer of `count` lines, if there is one: the last one given back, which may still be in a
    /// cache. Else the smallest that is larger, but not by so much that a result of its own size would miss it: in
    /// inference two buffers serve layers of a dozen sizes, one after the other.
    ///
    /// Also those that make room for it, which the caller drops when the list is free.
    fn take(&mut self, count: usize) -> (Option<Vec<Line>>, Vec<Vec<Line>>) {
        let exact = self.free.iter().rposition(|lines| lines.len() == count);
        let index = exact.or_else(|| {
            let sizes = self.free.iter().map(Vec::len).enumerate();
            let fits = sizes.filter(|(_, len)| (count..=MOST_SPARE * count).contains(len));
            fits.min_by_key(|(_, len)| *len).map(|(index, _)| index)
        });
        let found = index.and_then(|index| self.free.remove(index));
        self.kept -= found.as_ref().map_or(0, Vec::len);
        self.used += found.as_ref().map_or(count, Vec::len);
        self.most = self.most.max(self.used);
        (found, self.shorten())
    }

    #[must_use]
    fn give(&mut self, lines: Vec<Line>) -> Vec<Vec<Line>> {
        self.used -= lines.len();
        self.kept += lines.len();
        self.free.push_back(lines);
        self.shorten()
    }

    /// Takes what is too much from the list.
    #[must_use]
    fn shorten(&mut self) -> Vec<Vec<Line>> {
        let mut dropped = Vec::new();
        while self.used + self.kept > self.most + self.most / 2 {
            let Some(oldest) = self.free.pop_front() else { break };
            self.kept -= oldest.len();
            dropped.push(oldest);
        }
        dropped
    }
}

/// The list; a panic elsewhere cannot leave it half changed.
fn list() -> std::sync::MutexGuard<'static, List> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Types any bits of which are a value, and that a cache line has room for.
///
/// # Safety
///
/// The type has no padding, no invalid values, and an alignment of at most 64.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: floating-point numbers and bytes have any bits.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}

/// A result of `len` elements. Its memory is recycled.
#[derive(Debug)]
pub(crate) struct Recycled<T: Plain = f32> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Plain> Recycled<T> {
    /// `len` elements of any value, for those who write each of them.
    pub(crate) fn any(len: usize) -> Self {
        let count = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        let lines = match count {
            ..SMALL => None,
            _ => {
                let (found, dropped) = list().take(count);
                // The system takes its time for memory that it gets back; nobody waits for the list.
                drop(dropped);
                found
            }
        };
        let mut lines = lines.unwrap_or_else(|| Line::zeros(count));
        if cfg!(test) {
            // So that tests fail where an element is read before it is written.
            lines.fill(Line::NAN);
        }
        Recycled { lines, len, element: PhantomData }
    }

    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut result = Self::any(len);
        // The buffer may be larger.
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        result.lines[..lines].fill(Line::ZERO);
        result
    }
}

impl<T: Plain> Drop for Recycled<T> {
    fn drop(&mut self) {
        if self.lines.len() >= SMALL {
            let dropped = list().give(std::mem::take(&mut self.lines));
            drop(dropped);
        }
    }
}

impl<T: Plain> std::ops::Deref for Recycled<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold `len` elements, of which any bits are a value.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> std::ops::DerefMut for Recycled<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<T: Plain> Clone for Recycled<T> {
    fn clone(&self) -> Self {
        let mut clone = Self::any(self.len);
        clone.copy_from_slice(self);
        clone
    }
}

impl Recycled<f32> {
    /// The result as the memory of a tensor.
    pub(crate) fn into_bytes(self) -> Bytes {
        let len = self.len * size_of::<f32>();
        // SAFETY: all bytes of the lines are initialised.
        unsafe { Bytes::from_controller(Box::new(self), len) }
    }

    fn byte_len(&self) -> usize {
        self.len * size_of::<f32>()
    }
}

impl AllocationController for Recycled<f32> {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    fn capacity(&self) -> usize {
        self.byte_len()
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        // SAFETY: the lines have that many bytes.
        Ok(unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.byte_len()) })
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = self.byte_len();
        // SAFETY: as above; the borrow of `self` is exclusive, and the caller writes initialised bytes.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) })
    }

    fn duplicate(&self) -> Option<Box<dyn AllocationController>> {
        Some(Box::new(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn list_of(sizes: &[usize]) -> List {
        let mut list = List { free: VecDeque::new(), kept: 0, used: 0, most: 0 };
        let taken: Vec<_> = sizes
            .iter()
            .map(|&size| list.take(size).0.unwrap_or_else(|| vec![Line::ZERO; size]))
            .collect();
        taken.into_iter().for_each(|lines| drop(list.give(lines)));
        list
    }

    #[test]
    fn a_buffer_serves_results_of_its_size_and_those_down_to_a_quarter_if_no_other_does() {
        let mut list = list_of(&[800, 900]);
        assert_eq!(list.take(900).0.map(|lines| lines.len()), Some(900));
        assert!(list.take(199).0.is_none() && list.take(801).0.is_none());
        assert_eq!(list.take(200).0.map(|lines| lines.len()), Some(800));
        assert_eq!((list.used, list.kept), (900 + 199 + 801 + 800, 0));
    }

    #[test]
    fn used_and_kept_memory_never_exceed_one_and_a_half_times_what_was_used_at_once() {
        let mut list = list_of(&[100, 200, 300]);
        assert_eq!((list.used, list.kept, list.most), (0, 600, 600));
        // Larger ones: what was given back first goes first.
        let other = list.take(450).0.unwrap_or_else(|| vec![Line::ZERO; 450]);
        assert_eq!((list.used, list.kept), (450, 300));
        let large = list.take(700).0.unwrap_or_else(|| vec![Line::ZERO; 700]);
        assert_eq!((list.used, list.kept, list.most), (1150, 300, 1150));
        drop(list.give(other));
        drop(list.give(large));
        assert_eq!((list.used, list.kept), (0, 1450));
        assert!(list.take(1150).0.is_none());
        assert_eq!((list.used, list.kept, list.most), (1150, 0, 1150));
    }

    #[test]
    fn tensors_keep_their_numbers_when_their_memory_is_recycled() {
        let tensor = |seed: usize| {
            let mut values = Recycled::<f32>::any(40_000);
            values.iter_mut().enumerate().for_each(|(i, v)| *v = (i * seed) as f32);
            TensorData::from_bytes(values.into_bytes(), [40_000], burn::tensor::DType::F32)
        };
        let kept = tensor(3);
        let copy = kept.clone();
        for seed in 0..5 {
            drop(tensor(seed));
        }
        let expected: Vec<f32> = (0..40_000).map(|i| (i * 3) as f32).collect();
        assert_eq!(kept.try_to_vec::<f32>().unwrap(), expected);
        drop(kept);
        drop(tensor(7));
        assert_eq!(copy.try_into_vec::<f32>().unwrap(), expected);
    }

    #[test]
    fn zeros_are_zero_and_clones_are_their_own() {
        for len in [0, 1, 15, 40_000] {
            let mut first = Recycled::<u8>::zeros(len);
            assert!(first.len() == len && first.iter().all(|&v| v == 0));
            let second = first.clone();
            first.fill(9);
            assert!(second.iter().all(|&v| v == 0));
        }
    }
}
