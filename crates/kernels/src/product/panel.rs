//! Copies of the right matrix in the order in which the tiles read it.

use crate::simd::Simd;

/// Some terms of some adjacent columns of the right matrix.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first term of the first column.
    pub from: *const f32,
    /// From one term and from one column to the next, in numbers. One of them is 1.
    pub step: [usize; 2],
    /// Terms and columns.
    pub size: [usize; 2],
}

impl Panel {
    /// Writes term after term, each filled up with zeros to full vectors.
    ///
    /// # Safety
    ///
    /// The processor has `S`. The panel can be read, and written to `to` in full vectors.
    #[inline(always)]
    pub(super) unsafe fn copy<S: Simd>(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.step[1] == 1 { self.rows::<S>(to) } else { self.transposed::<S>(to) }
        }
    }

    /// The copy, where the columns of a term are adjacent.
    ///
    /// # Safety
    ///
    /// As for [`copy`](Panel::copy).
    #[inline(always)]
    unsafe fn rows<S: Simd>(self, mut to: *mut f32) {
        let [terms, width] = self.size;
        let full = width / S::LANES * S::LANES;
        let padded = width.next_multiple_of(S::LANES);
        for term in 0..terms {
            let from = self.from.wrapping_add(term * self.step[0]);
            let mut column = 0;
            // SAFETY: the caller's promise.
            unsafe {
                while column < full {
                    S::store(to.wrapping_add(column), S::load(from.wrapping_add(column)));
                    column += S::LANES;
                }
                while column < padded {
                    let inside = column < width;
                    *to.wrapping_add(column) =
                        if inside { *from.wrapping_add(column) } else { 0.0 };
                    column += 1;
                }
            }
            to = to.wrapping_add(padded);
        }
    }

    /// The copy, where the terms of a column are adjacent.
    ///
    /// # Safety
    ///
    /// As for [`copy`](Panel::copy).
    #[inline(always)]
    unsafe fn transposed<S: Simd>(self, to: *mut f32) {
        let [terms, width] = self.size;
        let padded = width.next_multiple_of(S::LANES);
        let (whole_terms, whole_columns) =
            (terms / S::LANES * S::LANES, width / S::LANES * S::LANES);
        let mut column = 0;
        while column < padded {
            let mut term = 0;
            if column < whole_columns {
                while term < whole_terms {
                    let from = self.from.wrapping_add(column * self.step[1] + term);
                    let to = to.wrapping_add(term * padded + column);
                    // SAFETY: the caller's promise; the block is inside the panel.
                    unsafe { S::transpose(from, self.step[1], to, padded) };
                    term += S::LANES;
                }
            }
            while term < terms {
                for c in column..column + S::LANES {
                    let from = self.from.wrapping_add(c * self.step[1] + term * self.step[0]);
                    // SAFETY: as above; what lies outside is not read.
                    unsafe {
                        *to.wrapping_add(term * padded + c) = if c < width { *from } else { 0.0 };
                    }
                }
                term += 1;
            }
            column += S::LANES;
        }
    }
}
