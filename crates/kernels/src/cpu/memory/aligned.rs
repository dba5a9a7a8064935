//! Working memory for the kernels.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::RefCell;

/// One cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line([f32; Line::LEN]);

impl Line {
    const LEN: usize = 16;
    pub(crate) const ZERO: Line = Line([0.0; Line::LEN]);
    /// What tests find where nothing was written.
    pub(crate) const NAN: Line = Line([f32::NAN; Line::LEN]);

    /// `count` lines of zeros, by a call of the system: a vector of a value that is cloned is filled by a loop.
    pub(crate) fn zeros(count: usize) -> Vec<Self> {
        let layout = Layout::array::<Self>(count).expect("a size that can be allocated");
        if layout.size() == 0 {
            return Vec::new();
        }
        // SAFETY: the layout is not empty; zeros are lines, allocated as a vector of that capacity would be.
        unsafe {
            let lines = alloc_zeroed(layout).cast::<Self>();
            if lines.is_null() {
                handle_alloc_error(layout);
            }
            Vec::from_raw_parts(lines, count, count)
        }
    }
}

/// Buffers that a thread keeps for its next operation. Fresh memory costs more than the zeros in it:
/// the system hands it out page by page.
const KEPT: usize = 24;

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Elements that start at a cache line, so that no vector straddles two lines.
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Aligned::any(len);
        buffer.fill(0.0);
        buffer
    }

    /// `len` elements of any value, for those who write each before they read it: clearing a buffer
    /// that does not fit into a cache takes a good part of the time of filling it.
    pub(crate) fn any(len: usize) -> Self {
        let count = len.div_ceil(Line::LEN);
        let mut lines = FREE.with_borrow_mut(|free| {
            // The smallest buffer that is large enough; else a new one.
            let fits = free.iter().enumerate().filter(|(_, lines)| lines.capacity() >= count);
            let best = fits.min_by_key(|(_, lines)| lines.capacity()).map(|(i, _)| i);
            best.map(|i| free.swap_remove(i)).unwrap_or_default()
        });
        // A buffer is never cut: what is cut off would have to be cleared when it is used again.
        if lines.len() < count {
            lines.resize(count, Line::ZERO);
        }
        if cfg!(test) {
            lines.fill(Line::NAN);
        }
        Aligned { lines, len }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.capacity() == 0 {
            return;
        }
        // The thread may be ending; then the memory is simply given back.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(lines);
            if free.len() > KEPT {
                let smallest = free.iter().enumerate().min_by_key(|(_, lines)| lines.capacity());
                let smallest = smallest.map(|(i, _)| i).unwrap_or_default();
                free.swap_remove(smallest);
            }
        });
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)` around `f32` without padding, and `len` ≤ lines × LEN.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_length_are_zero_and_aligned_also_when_reused() {
        for _ in 0..3 {
            let mut held = Vec::new();
            for len in [0, 1, 15, 16, 17, 1000, 5, 40, 900, 3, 2000] {
                assert_eq!(Aligned::any(len).len(), len);
                let mut buffer = Aligned::zeros(len);
                assert_eq!(buffer.len(), len);
                assert!(buffer.iter().all(|&v| v == 0.0));
                assert_eq!(buffer.as_ptr() as usize % 64, 0);
                buffer.fill(1.0);
                held.push(buffer);
            }
            drop(held);
            assert!(FREE.with_borrow(|free| free.len() <= KEPT));
        }
    }
}
