//! Memory for as long as its owner lives.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a cache line, and of the pages that large memory is asked for in.
const LINE: usize = 64;
const LARGE_PAGE: usize = 2 << 20;

/// Elements that start at a cache line. Unlike [`Aligned`](super::Aligned) ones, of which a thread keeps the memory for its
/// next operation, they are given back with their owner.
///
/// Several megabytes lie in large pages where the system has them: whoever reads that much from beginning to end, as the
/// weights of a network are read for each image, else spends a tenth of the time on the addresses of small ones.
pub(crate) struct Held {
    at: NonNull<f32>,
    len: usize,
    layout: Layout,
}

// SAFETY: it owns its elements.
unsafe impl Send for Held {}
// SAFETY: as above; they change only where it is borrowed alone.
unsafe impl Sync for Held {}

impl Held {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let bytes = len.checked_mul(size_of::<f32>()).expect("a size that can be allocated");
        let align = if bytes >= 2 * LARGE_PAGE { LARGE_PAGE } else { LINE };
        let layout = Layout::from_size_align(bytes, align).expect("a size that can be allocated");
        if bytes == 0 {
            return Held { at: NonNull::dangling(), len, layout };
        }
        // SAFETY: the layout is not empty. Zeros are elements, and there is room for as many.
        let at = unsafe {
            match align {
                LINE => alloc_zeroed(layout),
                _ => {
                    let at = alloc(layout);
                    if !at.is_null() {
                        // Before they are touched: a page that is there stays as small as it is.
                        ask_for_large_pages(at, bytes - bytes % LARGE_PAGE);
                        at.write_bytes(0, bytes);
                    }
                    at
                }
            }
        };
        let Some(at) = NonNull::new(at) else { handle_alloc_error(layout) };
        Held { at: at.cast(), len, layout }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: it was allocated with this layout.
            unsafe { dealloc(self.at.as_ptr().cast(), self.layout) };
        }
    }
}

/// Tells the system that `bytes` bytes from `at` on, whole large pages, are better kept in such. It may not care.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_large_pages(at: *mut u8, bytes: usize) {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn madvise(at: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }
    /// `MADV_HUGEPAGE` of Linux.
    const LARGE_PAGES: c_int = 14;
    // SAFETY: the memory is ours, and its content stays as it is.
    unsafe { madvise(at.cast(), bytes, LARGE_PAGES) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_for_large_pages(_: *mut u8, _: usize) {}

impl Deref for Held {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` elements are there, and were zero at first.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_elements_is_zero_and_aligned() {
        for len in [0, 1, 17, LARGE_PAGE / 2, LARGE_PAGE + 3] {
            let mut held = Held::zeros(len);
            assert_eq!(held.len(), len);
            assert!(held.iter().all(|value| *value == 0.0));
            assert!(len == 0 || (held.as_ptr() as usize).is_multiple_of(LINE));
            held.fill(1.0);
            assert_eq!(held.iter().sum::<f32>(), len as f32);
        }
    }
}
