//! Products of matrices, for a few rows against a large weight.
//!
//! The right matrix is read in *panels* of a few vectors of adjacent columns, copied so that the tiles
//! find their terms one after the other: a panel of [`TERMS`] terms stays in the first-level cache while
//! all rows pass by. The left matrix is read where it is, number by number; but if its terms lie apart,
//! from a copy, too.
//!
//! An entry of the result is summed up term after term in sums of [`TERMS`], whatever the sizes of the
//! tiles and the number of threads: those only share the entries. Very long sums are taken more
//! carefully ([`long`]).
//!
//! Measured on one core of a Zen 3 server (AVX2, 102 GFLOP/s in registers): 78 to 97 GFLOP/s for 32 to
//! 512 rows, inner sizes of 32 to 2000 and 128 to 2000 columns, in all orientations.

mod long;
mod panel;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use crate::buffer::Aligned;
use crate::matrix::Matrix;
use crate::recycled::Recycled;
use crate::simd::{Isa, Simd, Task};
pub(crate) use long::LONG;
use long::Long;
use panel::{Copy, Panels};
use tile::{Column, First, LEFT_SPARE, MOST_COLUMNS, TILE_ROWS, copy_left, vectors};

/// Terms that are added up from zero before their sum joins the total.
///
/// A sum of thousands of products in one register rounds every one of them at the size of the total.
/// It is also the length of a panel, which is 16 KB with two vectors of 8 lanes.
/// Half or a quarter of it, or more, is slower by up to a tenth on Zen 3.
const TERMS: usize = 256;

/// Rows up to which the right matrix is read where it is: a copy is not worth its time for one tile.
const FEW_ROWS: usize = TILE_ROWS;

/// Panels that are copied together. One alone is a piece of 64 bytes of every row of the right matrix,
/// which the processor cannot foresee; more of them do not help on Zen 3.
const PANELS: usize = 4;

/// Numbers of the left matrix that are to stay in the second-level cache while panels pass by.
const LEFT_NUMBERS: usize = 64 * 1024;

/// Multiplications of a part below which another thread takes too long to wake up to be of help: about
/// 25 µs on Zen 3.
const PART_WORK: usize = 1 << 20;

/// What the result starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// The product is added to what is there.
    Add,
    /// What is there is overwritten.
    Zero,
    /// What is there is overwritten by the product plus one of these numbers for every column.
    Bias(&'a [f32]),
}

/// A product `a · b`, and what happens to it.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub a: Matrix<'a>,
    pub b: Matrix<'a>,
    pub start: Start<'a>,
    /// Whether negative results become zero.
    pub relu: bool,
}

impl<'a> Product<'a> {
    /// `a · b`.
    pub(crate) fn new(a: Matrix<'a>, b: Matrix<'a>) -> Self {
        assert_eq!(a.size[1], b.size[0], "columns of the left matrix, rows of the right one");
        Product { a, b, start: Start::Zero, relu: false }
    }

    /// Rows and columns of the result.
    fn size(&self) -> [usize; 2] {
        [self.a.size[0], self.b.size[1]]
    }

    /// Writes the result into `to`, row by row, in this thread; rows are `row` numbers apart.
    #[cfg(test)]
    pub(crate) fn write(&self, isa: Isa, to: &mut [f32], row: usize) {
        isa.run(self.whole(to, row));
    }

    /// The same in code that runs on `S` already.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(crate) unsafe fn write_here<S: Simd>(&self, to: &mut [f32], row: usize) {
        // SAFETY: the caller's promise.
        unsafe { S::enter(self.whole(to, row)) }
    }

    /// The whole result as one part.
    #[inline(always)]
    fn whole(&self, to: &mut [f32], row: usize) -> Part<'a> {
        let [rows, columns] = self.size();
        assert!(row >= columns, "rows of {columns} are {row} apart");
        assert!(rows == 0 || to.len() >= (rows - 1) * row + columns, "{rows} rows of a result");
        let to = to.as_mut_ptr();
        Part { product: *self, rows: 0..rows, columns: 0..columns, to, row }
    }

    /// The result, by rayon's current pool.
    pub(crate) fn compute(&self, isa: Isa) -> Recycled {
        let [result] = compute_all(isa, [*self]);
        result
    }

    /// Parts that `threads` threads can share.
    fn parts(&self, threads: usize, to: *mut f32) -> impl Iterator<Item = Part<'a>> {
        let [rows, columns] = self.size();
        let work = rows * columns * self.a.size[1];
        let count = (work / PART_WORK).clamp(1, threads);
        // The longer side is cut: the shorter one is then read more than once.
        let by_rows = rows > columns;
        let (side, unit) = if by_rows { (rows, TILE_ROWS) } else { (columns, 64) };
        let cut = move |i: usize| (side * i / count).next_multiple_of(unit).min(side);
        let product = *self;
        (0..count).map(move |i| {
            let piece = cut(i)..cut(i + 1);
            let (rows, columns) = if by_rows { (piece, 0..columns) } else { (0..rows, piece) };
            Part { product, rows, columns, to, row: product.size()[1] }
        })
    }
}

/// The results of products that do not depend on each other, by rayon's current pool.
pub(crate) fn compute_all<const N: usize>(isa: Isa, products: [Product; N]) -> [Recycled; N] {
    let threads = rayon::current_num_threads();
    let mut results = products.map(|product| {
        assert!(!matches!(product.start, Start::Add), "there is nothing to add to");
        // Every entry is in a part, which writes it.
        Recycled::any(product.size().iter().product())
    });
    let parts: Vec<_> = products
        .iter()
        .zip(&mut results)
        .flat_map(|(product, to)| product.parts(threads, to.as_mut_ptr()))
        .collect();
    if parts.len() <= N {
        parts.into_iter().for_each(|part| isa.run(part));
    } else {
        // This thread takes part even if it is none of the pool: it does not wait for one to wake up.
        let mut parts = parts.into_iter();
        let first = parts.next();
        rayon::in_place_scope(|scope| {
            parts.for_each(|part| scope.spawn(move |_| isa.run(part)));
            first.into_iter().for_each(|part| isa.run(part));
        });
    }
    results
}

/// A rectangle of the result, for one thread.
struct Part<'a> {
    product: Product<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    /// The first entry of the whole result.
    to: *mut f32,
    /// From one row of the result to the next.
    row: usize,
}

// SAFETY: parts that run at the same time write different rectangles.
unsafe impl Send for Part<'_> {}

impl Task for Part<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.product.a.size[1] > LONG { S::enter(Long(self)) } else { self.short::<S>() }
        }
    }
}

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
    unsafe fn short<S: Simd>(&self) {
        let a = self.product.a;
        let terms = a.size[1];
        let chunk = if TERMS < terms { TERMS } else { terms };
        // As many rows as leave their numbers in the cache.
        let most = LEFT_NUMBERS / if chunk > 0 { chunk } else { 1 };
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
        let Product { a, b, start, relu } = self.product;
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
        let full = vectors::<S>(self.rows.len()) * S::LANES;
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
            let tiles = Column {
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
                relu: relu && terms.end == a.size[1],
            };
            // SAFETY: all of it is inside the product, and the panel was copied.
            unsafe { tiles.run::<S>(height) };
            column += width;
        }
    }
}
