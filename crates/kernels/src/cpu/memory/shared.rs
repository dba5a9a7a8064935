//! One slice for several threads.

use std::marker::PhantomData;

/// Elements that several threads write to, each in places of its own.
pub(crate) struct SharedSlice<'a, T = f32> {
    at: *mut T,
    len: usize,
    elements: PhantomData<&'a mut [T]>,
}

// SAFETY: the only access is `slice`, whose caller promises that no two slices overlap.
unsafe impl<T: Send> Sync for SharedSlice<'_, T> {}

impl<'a, T> SharedSlice<'a, T> {
    pub(crate) fn new(elements: &'a mut [T]) -> Self {
        SharedSlice { at: elements.as_mut_ptr(), len: elements.len(), elements: PhantomData }
    }

    /// The address of `len` elements from `at` on, which exist.
    pub(crate) fn pointer(&self, at: usize, len: usize) -> *mut T {
        assert!(at + len <= self.len);
        self.at.wrapping_add(at)
    }

    /// `len` elements from `at` on.
    ///
    /// # Safety
    ///
    /// No other slice that is in use has any of these elements.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, at: usize, len: usize) -> &mut [T] {
        // SAFETY: the elements lie in the slice that this was made of, and the caller uses them alone.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(at, len), len) }
    }
}
