//! Copies of the right matrix in the order in which the blocks read it.

use crate::cpu::simd::{Simd, Task};

/// Terms that are copied together: more of them would not stay in the ways of a cache whose lines are a
/// power of two apart.
const TOGETHER: usize = 8;

/// Some terms of some adjacent columns of the right matrix, to be copied into panels of `width` columns,
/// the last of which may be narrower.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    /// The first term of the first column.
    pub from: *const f32,
    /// From one term and from one column to the next, in elements. One of them is 1.
    pub step: [usize; 2],
    /// Terms and columns.
    pub size: [usize; 2],
    /// Columns of a full panel.
    pub width: usize,
}

/// The copy of [`Panels`], as a task so that it has all registers.
///
/// It writes panel after panel and in it term after term, each filled up with zeros to full vectors. The
/// columns can be read, and written to `to` in full vectors.
pub(super) struct Copy {
    pub panels: Panels,
    pub to: *mut f32,
}

impl Task for Copy {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the promise of whoever made the task.
        unsafe { self.panels.copy::<S>(self.to) }
    }
}

impl Panels {
    /// # Safety
    ///
    /// As for [`Copy`].
    #[inline(always)]
    unsafe fn copy<S: Simd>(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.step[1] == 1 {
                return self.rows::<S>(to);
            }
            let [terms, columns] = self.size;
            let mut column = 0;
            while column < columns {
                let rest = columns - column;
                let width = if rest > self.width { self.width } else { rest };
                let from = self.from.wrapping_add(column * self.step[1]);
                let panel = Panels { from, size: [terms, width], ..self };
                panel.transposed::<S>(to.wrapping_add(column * terms));
                column += width;
            }
        }
    }

    /// The copy, where the columns of a term are adjacent: a few terms of all panels, which are long
    /// stretches of memory, before the next.
    ///
    /// # Safety
    ///
    /// As for [`Copy`].
    #[inline(always)]
    unsafe fn rows<S: Simd>(self, to: *mut f32) {
        let [terms, columns] = self.size;
        let mut term = 0;
        while term < terms {
            let some = if terms - term > TOGETHER { TOGETHER } else { terms - term };
            let mut column = 0;
            while column < columns {
                let rest = columns - column;
                let width = if rest > self.width { self.width } else { rest };
                let padded = width.next_multiple_of(S::LANES);
                let from = self.from.wrapping_add(term * self.step[0] + column);
                let to = to.wrapping_add(column * terms + term * padded);
                let piece = Panels { from, size: [some, width], ..self };
                // SAFETY: the caller's promise.
                unsafe {
                    // With the number of vectors as a constant it takes a third of the time.
                    if width == 4 * S::LANES {
                        piece.vectors::<S, 4>(to);
                    } else if width == 2 * S::LANES {
                        piece.vectors::<S, 2>(to);
                    } else {
                        piece.elements::<S>(to, padded);
                    }
                }
                column += width;
            }
            term += some;
        }
    }

    /// Some terms of one panel of `V` vectors.
    ///
    /// # Safety
    ///
    /// As for [`Copy`].
    #[inline(always)]
    unsafe fn vectors<S: Simd, const V: usize>(self, mut to: *mut f32) {
        let mut from = self.from;
        for _ in 0..self.size[0] {
            for v in 0..V {
                // SAFETY: the caller's promise.
                unsafe {
                    let vector = S::load(from.wrapping_add(v * S::LANES));
                    S::store(to.wrapping_add(v * S::LANES), vector);
                }
            }
            from = from.wrapping_add(self.step[0]);
            to = to.wrapping_add(V * S::LANES);
        }
    }

    /// Some terms of one panel of any width, filled up with zeros.
    ///
    /// # Safety
    ///
    /// As for [`Copy`].
    #[inline(always)]
    unsafe fn elements<S: Simd>(self, to: *mut f32, padded: usize) {
        let [terms, width] = self.size;
        let full = width / S::LANES * S::LANES;
        for term in 0..terms {
            let from = self.from.wrapping_add(term * self.step[0]);
            let to = to.wrapping_add(term * padded);
            let mut i = 0;
            // SAFETY: the caller's promise.
            unsafe {
                while i < full {
                    S::store(to.wrapping_add(i), S::load(from.wrapping_add(i)));
                    i += S::LANES;
                }
                while i < padded {
                    *to.wrapping_add(i) = if i < width { *from.wrapping_add(i) } else { 0.0 };
                    i += 1;
                }
            }
        }
    }

    /// The copy of one panel, where the terms of a column are adjacent.
    ///
    /// # Safety
    ///
    /// As for [`Copy`].
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
