//! Products in one thread, or shared among several.

use super::long::{LONG, Long};
use super::microkernel::BLOCK_ROWS;
use super::part::Part;
use super::product::{Product, Start};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// Multiplications of a part below which another thread takes too long to wake up to be of help: about
/// 25 µs on Zen 3.
const PART_WORK: usize = 1 << 20;

/// Columns of a part are a multiple of it: one of the widest vectors, and a cache line.
const PART_COLUMNS: usize = 16;

/// Blocks of rows that are worth a copy of the right matrix of their own.
const FEW_BLOCKS: usize = 3;

impl<'a> Product<'a> {
    /// Writes the result into `to`, row by row, in this thread; rows are `row` elements apart.
    pub(crate) fn write(&self, isa: Isa, to: &mut [f32], row: usize) {
        isa.run(self.whole(to, row));
    }

    /// The same for rows among which others write.
    ///
    /// # Safety
    ///
    /// There are as many rows from `to` on, `row` elements apart, and nobody else uses the elements of the result.
    pub(crate) unsafe fn write_at(&self, isa: Isa, to: *mut f32, row: usize) {
        let [rows, columns] = self.size();
        assert!(row >= columns, "rows of {columns} are {row} apart");
        isa.run(Part { product: *self, rows: 0..rows, columns: 0..columns, to, row });
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

    /// The result, by all threads.
    pub(crate) fn compute(&self, isa: Isa) -> Recycled {
        let [result] = compute_all(isa, [*self]);
        result
    }

    /// Parts that `threads` threads can share.
    pub(super) fn parts(&self, threads: usize, to: *mut f32) -> impl Iterator<Item = Part<'a>> {
        let [rows, columns] = self.size();
        let work = rows * columns * self.a.size[1];
        let count = (work / threads::worth(PART_WORK)).clamp(1, threads);
        // The longer side is cut: the shorter one is then read more than once. But a few panels of columns cannot be shared
        // evenly.
        let share = columns.div_ceil(count);
        let is_uneven = share.next_multiple_of(PART_COLUMNS) > share + share / 8;
        let by_rows = rows > columns || is_uneven && rows >= FEW_BLOCKS * BLOCK_ROWS * count;
        let (side, unit) = if by_rows { (rows, BLOCK_ROWS) } else { (columns, PART_COLUMNS) };
        let cut = move |i: usize| (side * i / count).next_multiple_of(unit).min(side);
        let product = *self;
        (0..count).map(move |i| {
            let piece = cut(i)..cut(i + 1);
            let (rows, columns) = if by_rows { (piece, 0..columns) } else { (0..rows, piece) };
            Part { product, rows, columns, to, row: product.size()[1] }
        })
    }
}

/// The results of products that do not depend on each other, by all threads.
pub(crate) fn compute_all<const N: usize>(isa: Isa, products: [Product; N]) -> [Recycled; N] {
    let threads = threads::count();
    let mut results = products.map(|product| {
        assert!(!matches!(product.start, Start::Add), "there is nothing to add to");
        // Every entry is in a part, which writes it.
        Recycled::any(product.size().iter().product())
    });
    // A thread gets a part of every product that has as many, so that it has what it wrote of one for the next.
    let parts = products.iter().zip(&mut results).map(|(product, to)| {
        let parts: Vec<_> = product.parts(threads, to.as_mut_ptr()).collect();
        let count = parts.len();
        let thread = move |i: usize| (2 * i + 1) * threads / (2 * count);
        parts.into_iter().enumerate().map(move |(i, part)| (thread(i), part))
    });
    let mut parts: Vec<_> = parts.flatten().collect();
    parts.sort_by_key(|(thread, _)| *thread);
    let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
    if parts.len() <= N {
        parts.into_iter().for_each(|part| isa.run(part));
    } else {
        threads::each(parts, |part| isa.run(part));
    }
    results
}

/// Writes the results of products of the same size into `to`, one behind the other, by all threads.
pub(crate) fn compute_each(isa: Isa, products: &[Product], to: &mut [f32]) {
    let Some(first) = products.first() else { return };
    let len: usize = first.size().iter().product();
    assert!(products.iter().all(|product| product.size() == first.size()), "products of one size");
    assert_eq!(to.len(), products.len() * len, "room for {} results", products.len());
    let threads = threads::count().div_ceil(products.len());
    let to = to.as_mut_ptr();
    let each = products.iter().enumerate();
    let parts = each.flat_map(|(i, product)| product.parts(threads, to.wrapping_add(i * len)));
    let parts: Vec<_> = parts.collect();
    match parts.len() {
        1 => parts.into_iter().for_each(|part| isa.run(part)),
        _ => threads::each(parts, |part| isa.run(part)),
    }
}

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
