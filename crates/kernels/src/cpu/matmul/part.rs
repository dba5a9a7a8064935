//! A rectangle of a product, panel by panel.

use std::ops::Range;

use super::microkernel::{
    BLOCK_ROWS, Cap, Column, First, LEFT_SPARE, MOST_COLUMNS, copy_left, vectors,
};
use super::panel::{Copy, Panels};
use super::product::{Product, Start};
use crate::cpu::memory::Aligned;
use crate::cpu::simd::Simd;
use crate::ops::FusedActivation;

/// Terms that are added up from zero before their sum joins the total.
///
/// A sum of thousands of products in one register rounds every one of them at the size of the total.
/// It is also the length of a panel, which is 16 KB with two vectors of 8 lanes.
/// Half or a quarter of it, or more, is slower by up to a tenth on Zen 3.
pub(super) const TERMS: usize = 256;

/// Rows up to which the right matrix is read where it is: a copy is not worth its time for one block.
pub(super) const FEW_ROWS: usize = BLOCK_ROWS;

/// Panels that are copied together. One alone is a piece of 64 bytes of every row of the right matrix,
/// which the processor cannot foresee; more of them do not help on Zen 3.
pub(super) const PANELS: usize = 4;

/// Elements of the left matrix that are to stay in the second-level cache while panels pass by.
pub(super) const LEFT_ELEMENTS: usize = 64 * 1024;

/// A rectangle of the result, for one thread.
pub(super) struct Part<'a> {
    pub product: Product<'a>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// The first entry of the whole result.
    pub to: *mut f32,
    /// From one row of the result to the next.
    pub row: usize,
}

// SAFETY: parts that run at the same time write different rectangles.
unsafe impl Send for Part<'_> {}

/// Room for copies of some rows of the left matrix, and of some panels of the right one.
struct Copies {
    /// Empty if the left matrix is read where it is.
    left: Aligned,
    panels: Aligned,
}

impl Part<'_> {
    /// The part, with totals where the result is.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn short<S: Simd>(&self) {
        let a = self.product.a;
        let terms = a.size[1];
        let chunk = if TERMS < terms { TERMS } else { terms };
        // As many rows as leave their elements in the cache.
        let most = LEFT_ELEMENTS / if chunk > 0 { chunk } else { 1 };
        let most = if most < self.rows.len() { most } else { self.rows.len() };
        let panels = PANELS * vectors::<S>(self.rows.len()) * S::LANES;
        let mut copies = Copies {
            left: Aligned::any(if a.step[1] == 1 { 0 } else { most * chunk + LEFT_SPARE }),
            panels: Aligned::any(panels * chunk),
        };
        let mut row = self.rows.start;
        while row < self.rows.end {
            let end = if self.rows.end - row > most { row + most } else { self.rows.end };
            let mut term = 0;
            // Once also without terms: then the result is what it starts from.
            loop {
                let last = if terms - term > chunk { term + chunk } else { terms };
                // SAFETY: the caller's promise; the ranges are inside the product.
                unsafe { self.some::<S>(row..end, term..last, &mut copies) };
                term = last;
                if term == terms {
                    break;
                }
            }
            row = end;
        }
    }

    /// Some terms of some rows of all columns, for which `copies` has room.
    ///
    /// # Safety
    ///
    /// The processor has `S`; rows and terms are inside the product.
    #[inline(always)]
    unsafe fn some<S: Simd>(&self, rows: Range<usize>, terms: Range<usize>, copies: &mut Copies) {
        let Product { a, b, start, activation } = self.product;
        let (height, count) = (rows.end - rows.start, terms.end - terms.start);
        let in_place = a.values.as_ptr();
        let in_place = in_place.wrapping_add(rows.start * a.step[0] + terms.start * a.step[1]);
        let a_copied = !copies.left.is_empty();
        if a_copied {
            let to = copies.left.as_mut_ptr();
            // SAFETY: the rows and terms are inside `a`, whose rows are adjacent as its terms are not,
            // and there is room for the copy.
            unsafe { copy_left(in_place, a.step[1], [height, count], to) };
        }
        let ends = terms.end == a.size[1];
        let full = vectors::<S>(self.rows.len()) * S::LANES;
        let row_bias = match start {
            Start::RowBias(bias) => bias[rows.clone()].as_ptr(),
            _ => std::ptr::null(),
        };
        let mut padded_bias = [0.0_f32; MOST_COLUMNS];
        // The columns that lie in `copies.panels`.
        let mut copied = self.columns.start..self.columns.start;
        let mut column = self.columns.start;
        while column < self.columns.end {
            let rest = self.columns.end - column;
            let width = if rest > full { full } else { rest };
            let first = match start {
                _ if terms.start > 0 => First::Add,
                Start::Add => First::Add,
                Start::Zero => First::Zero,
                Start::Bias(bias) => {
                    padded_bias[..width].copy_from_slice(&bias[column..][..width]);
                    First::Bias(padded_bias.as_ptr())
                }
                Start::RowBias(_) => First::RowBias,
            };
            let from = b.values.as_ptr();
            let from = from.wrapping_add(terms.start * b.step[0] + column * b.step[1]);
            let (from, b_step) =
                if height <= FEW_ROWS && b.step[1] == 1 && width.is_multiple_of(S::LANES) {
                    (from, b.step[0])
                } else {
                    if column >= copied.end {
                        let columns = if rest > PANELS * full { PANELS * full } else { rest };
                        let size = [count, columns];
                        let panels = Panels { from, step: b.step, size, width: full };
                        // SAFETY: they are inside `b`, and there is room for them.
                        unsafe { S::enter(Copy { panels, to: copies.panels.as_mut_ptr() }) };
                        copied = column..column + columns;
                    }
                    let panel =
                        copies.panels.as_ptr().wrapping_add((column - copied.start) * count);
                    (panel, width.next_multiple_of(S::LANES))
                };
            let blocks = Column {
                a: if a_copied { copies.left.as_ptr() } else { in_place },
                a_step: a.step,
                a_copied,
                b: from,
                b_step,
                terms: count,
                to: self.to.wrapping_add(rows.start * self.row + column),
                to_row: self.row,
                width,
                first,
                row_bias,
                relu: activation != FusedActivation::None && ends,
            };
            // SAFETY: all of it is inside the product, and the panel was copied.
            unsafe { blocks.run::<S>(height) };
            if activation == FusedActivation::Relu6 && ends {
                let cap = Cap { to: blocks.to, row: self.row, size: [height, width] };
                // SAFETY: these entries are the part's own.
                unsafe { S::enter(cap) };
            }
            column += width;
        }
    }
}
