//! Products of matrices, for a few rows against a large weight.
//!
//! The right matrix is read in *panels* of a few vectors of adjacent columns, copied so that the tiles
//! find their terms one after the other: a panel of [`TERMS`] terms stays in the first-level cache while
//! all rows pass by. The left matrix is read where it is, number by number, in either orientation.
//!
//! An entry of the result is summed up term after term in sums of [`TERMS`], whatever the sizes of the
//! tiles and the number of threads: those only share the entries.

mod panel;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::Aligned;
use crate::matrix::Matrix;
use crate::simd::{Isa, Simd, Task};
use panel::Panel;
use tile::{Column, First, TILE_ROWS};

/// Terms that are added up from zero before their sum joins the total.
///
/// A sum of thousands of products in one register rounds every one of them at the size of the total.
/// It is also the length of a panel, which is 16 KB with two vectors of 8 lanes.
const TERMS: usize = 256;

/// Numbers of the left matrix that are to stay in the second-level cache while panels pass by.
const LEFT_NUMBERS: usize = 64 * 1024;

/// Rows up to which the right matrix is read where it is: a copy is not worth its time for one tile.
const ROWS_WITHOUT_COPY: usize = TILE_ROWS;

/// Multiplications of a part below which a thread of its own takes longer to wake up than to help.
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
    pub(crate) fn write(&self, isa: Isa, to: &mut [f32], row: usize) {
        let [rows, columns] = self.size();
        assert!(row >= columns, "rows of {columns} are {row} apart");
        assert!(rows == 0 || to.len() >= (rows - 1) * row + columns, "{rows} rows of a result");
        isa.run(Part { product: *self, rows: 0..rows, columns: 0..columns, to: to.as_mut_ptr(), row });
    }

    /// The result, by rayon's current pool.
    pub(crate) fn compute(&self, isa: Isa) -> Vec<f32> {
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
            let (rows, columns) =
                if by_rows { (piece, 0..columns) } else { (0..rows, piece) };
            Part { product, rows, columns, to, row: product.size()[1] }
        })
    }
}

/// The results of products that do not depend on each other, by rayon's current pool.
pub(crate) fn compute_all<const N: usize>(isa: Isa, products: [Product; N]) -> [Vec<f32>; N] {
    let threads = rayon::current_num_threads();
    let mut results = products.map(|product| {
        assert!(!matches!(product.start, Start::Add), "there is nothing to add to");
        Vec::with_capacity(product.size().iter().product())
    });
    let parts: Vec<_> = products
        .iter()
        .zip(&mut results)
        .flat_map(|(product, to)| product.parts(threads, to.as_mut_ptr()))
        .collect();
    if parts.len() <= N {
        parts.into_iter().for_each(|part| isa.run(part));
    } else {
        parts.into_par_iter().with_max_len(1).for_each(|part| isa.run(part));
    }
    for (result, product) in results.iter_mut().zip(&products) {
        // SAFETY: that is the capacity, and the parts, which do not add, have written every entry.
        unsafe { result.set_len(product.size().iter().product()) };
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
        let terms = self.product.a.size[1];
        // As many rows as leave their numbers in the cache.
        let most = LEFT_NUMBERS / terms.clamp(1, TERMS);
        let mut panel = Aligned::any(terms.min(TERMS) * S::TILE_VECTORS * S::LANES);
        let mut row = self.rows.start;
        while row < self.rows.end {
            let end = if self.rows.end - row > most { row + most } else { self.rows.end };
            let mut term = 0;
            // Once also without terms: then the result is what it starts from.
            loop {
                let last = if terms - term > TERMS { term + TERMS } else { terms };
                // SAFETY: the caller's promise; the ranges are inside the product.
                unsafe { self.columns::<S>(row..end, term..last, &mut panel) };
                term = last;
                if term == terms {
                    break;
                }
            }
            row = end;
        }
    }
}

impl Part<'_> {
    /// Some terms of some rows of all columns. `panel` has room for a panel of these terms.
    ///
    /// # Safety
    ///
    /// The processor has `S`; rows and terms are inside the product.
    #[inline(always)]
    unsafe fn columns<S: Simd>(&self, rows: Range<usize>, terms: Range<usize>, panel: &mut [f32]) {
        let Product { a, b, start, relu } = self.product;
        let full = S::TILE_VECTORS * S::LANES;
        let mut padded_bias = [0.0_f32; 64];
        let mut first_column = self.columns.start;
        while first_column < self.columns.end {
            let left = self.columns.end - first_column;
            let width = if left > full { full } else { left };
            let mut first = match start {
                Start::Zero => First::Zero,
                Start::Add => First::Add,
                Start::Bias(bias) => {
                    padded_bias[..width].copy_from_slice(&bias[first_column..][..width]);
                    First::Bias(padded_bias.as_ptr())
                }
            };
            if terms.start > 0 {
                first = First::Add;
            }
            let from = b.values.as_ptr().wrapping_add(terms.start * b.step[0] + first_column * b.step[1]);
            let size = [terms.end - terms.start, width];
            let in_place = b.step[1] == 1
                && rows.end - rows.start <= ROWS_WITHOUT_COPY
                && width.is_multiple_of(S::LANES);
            let (from, b_step) = if in_place {
                (from, b.step[0])
            } else {
                // SAFETY: the columns and terms are inside `b`, and the panel has room for them.
                unsafe { Panel { from, step: b.step, size }.copy::<S>(panel.as_mut_ptr()) };
                (panel.as_ptr(), width.next_multiple_of(S::LANES))
            };
            let column = Column {
                a: a.values.as_ptr().wrapping_add(rows.start * a.step[0] + terms.start * a.step[1]),
                a_step: a.step,
                b: from,
                b_step,
                terms: size[0],
                to: self.to.wrapping_add(rows.start * self.row + first_column),
                to_row: self.row,
                width,
                first,
                relu: relu && terms.end == a.size[1],
            };
            // SAFETY: all of it is inside the product, and the panel was written.
            unsafe { column.run::<S>(rows.end - rows.start) };
            first_column += width;
        }
    }
}
