//! The micro-kernel of a product: a register block of a few rows of a few vectors, with all sums in
//! registers.
//!
//! A *term* is one step along the dimension that is summed over. Every term loads `V` vectors of the
//! right matrix and `R` broadcast elements of the left one for `R * V` multiply-adds.

use crate::cpu::simd::{Simd, Task};
use crate::ops::FusedActivation;

/// Rows of the largest register block. With [`Simd::BLOCK_VECTORS`] it is chosen so that the sums, a row of the
/// right matrix and an element of the left one fit in the register file.
pub(super) const BLOCK_ROWS: usize = 6;

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Elements of the widest block in a row: 8 vectors of 16 lanes.
pub(super) const MOST_COLUMNS: usize = 8 * MOST_LANES;

/// Vectors in a row of the largest block of so many rows: one or two rows leave registers for more of
/// them, and need 8 sums to keep the multipliers busy.
#[inline(always)]
pub(super) const fn vectors<S: Simd>(rows: usize) -> usize {
    match rows {
        1 => 8,
        2 => 4,
        _ => S::BLOCK_VECTORS,
    }
}

/// What the sums of the first terms start from.
#[derive(Clone, Copy)]
pub(super) enum First {
    /// Zero; the sum is then added to what is there.
    Add,
    /// Zero; what is there is overwritten.
    Zero,
    /// These values, one a column, readable in full vectors; what is there is overwritten.
    Bias(*const f32),
    /// One value a row, at [`Column::row_bias`]; what is there is overwritten.
    RowBias,
}

/// A column of blocks: some terms of all rows of a panel of adjacent columns; distances in elements.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// The left matrix: the element of the first row and the first term.
    pub a: *const f32,
    /// From one row and from one term to the next, if the left matrix is not copied.
    pub a_step: [usize; 2],
    /// Whether it is a copy by [`copy_left`], whose steps differ from block to block.
    pub a_copied: bool,
    /// The panel of the right matrix: the first term of the first column.
    pub b: *const f32,
    /// From one term to the next. Full vectors can be read of every term.
    pub b_step: usize,
    pub terms: usize,
    pub to: *mut f32,
    /// From one row of the result to the next.
    pub to_row: usize,
    /// Columns of the result.
    pub width: usize,
    pub first: First,
    /// Where [`First::RowBias`] reads the value of the first row.
    pub row_bias: *const f32,
    /// Whether negative results become zero.
    pub relu: bool,
}

/// Elements behind a copy of the left matrix that are overwritten.
pub(super) const LEFT_SPARE: usize = 8;

/// Copies rows of the left matrix, whose elements are adjacent in a term, block after block and in a block
/// term after term.
///
/// # Safety
///
/// `rows` × `terms` elements can be read at `a`, whose terms are `step` apart, and [`LEFT_SPARE`] more
/// than that written to `to`.
#[inline(always)]
pub(super) unsafe fn copy_left(
    a: *const f32,
    step: usize,
    [rows, terms]: [usize; 2],
    mut to: *mut f32,
) {
    let blocks = rows.div_ceil(BLOCK_ROWS);
    let (height, taller) = (rows / blocks, rows % blocks);
    let mut row = 0;
    for block in 0..blocks {
        let height = if block < taller { height + 1 } else { height };
        // Eight elements at once; those behind the block are overwritten by the next term.
        let eight = row + 8 <= rows;
        for term in 0..terms {
            let from = a.wrapping_add(term * step + row);
            // SAFETY: the caller's promise.
            unsafe {
                if eight {
                    to.cast::<[f32; 8]>().write_unaligned(from.cast::<[f32; 8]>().read_unaligned());
                } else {
                    for r in 0..height {
                        *to.wrapping_add(r) = *from.wrapping_add(r);
                    }
                }
            }
            to = to.wrapping_add(height);
        }
        row += height;
    }
}

impl Column {
    /// All blocks of `rows` rows.
    ///
    /// # Safety
    ///
    /// The processor has `S`. All elements of the panel, of the rows and of the result can be accessed.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(self, rows: usize) {
        // Blocks differ by at most one row: first the taller ones, then the others.
        let blocks = rows.div_ceil(BLOCK_ROWS);
        let (height, taller) = (rows / blocks, rows % blocks);
        // SAFETY: the caller's promise.
        unsafe {
            self.each_height::<S>(height + 1, 0, taller);
            self.each_height::<S>(height, taller * (height + 1), blocks - taller);
        }
    }

    /// `count` blocks of `height` rows from `row` on.
    ///
    /// # Safety
    ///
    /// As for [`run`](Column::run).
    #[inline(always)]
    unsafe fn each_height<S: Simd>(mut self, height: usize, row: usize, count: usize) {
        if count == 0 {
            return;
        }
        if self.a_copied {
            self.a = self.a.wrapping_add(row * self.terms);
            self.a_step = [1, height];
        } else {
            self.a = self.a.wrapping_add(row * self.a_step[0]);
        }
        self.to = self.to.wrapping_add(row * self.to_row);
        self.row_bias = self.row_bias.wrapping_add(row);
        // SAFETY: the caller's promise.
        unsafe {
            match height {
                1 => self.each_width::<S, 1>(count),
                2 => self.each_width::<S, 2>(count),
                3 => self.each_width::<S, 3>(count),
                4 => self.each_width::<S, 4>(count),
                5 => self.each_width::<S, 5>(count),
                6 => self.each_width::<S, 6>(count),
                _ => unreachable!("a block has at most BLOCK_ROWS rows"),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`run`](Column::run).
    #[inline(always)]
    unsafe fn each_width<S: Simd, const R: usize>(self, count: usize) {
        let column = self;
        // SAFETY: the caller's promise.
        unsafe {
            match self.width.div_ceil(S::LANES) {
                1 => S::enter(Blocks::<R, 1> { column, count }),
                2 => S::enter(Blocks::<R, 2> { column, count }),
                3 if vectors::<S>(R) >= 3 => S::enter(Blocks::<R, 3> { column, count }),
                4 if vectors::<S>(R) >= 4 => S::enter(Blocks::<R, 4> { column, count }),
                5 if vectors::<S>(R) >= 5 => S::enter(Blocks::<R, 5> { column, count }),
                6 if vectors::<S>(R) >= 6 => S::enter(Blocks::<R, 6> { column, count }),
                7 if vectors::<S>(R) >= 7 => S::enter(Blocks::<R, 7> { column, count }),
                8 if vectors::<S>(R) >= 8 => S::enter(Blocks::<R, 8> { column, count }),
                _ => unreachable!("a panel has at most `vectors` vectors"),
            }
        }
    }
}

/// `count` blocks of `R` rows and `V` vectors, one below the other.
struct Blocks<const R: usize, const V: usize> {
    column: Column,
    count: usize,
}

impl<const R: usize, const V: usize> Task for Blocks<R, V> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let [row, term] = self.column.a_step;
        let a_tile = if self.column.a_copied { R * self.column.terms } else { R * row };
        for _ in 0..self.count {
            // As constants, the distances cost no register.
            // SAFETY: the caller vouches for all blocks.
            unsafe {
                if term == 1 {
                    self.block::<S>([row, 1]);
                } else if row == 1 && term == R {
                    self.block::<S>([1, R]);
                } else {
                    self.block::<S>([row, term]);
                }
            }
            self.column.a = self.column.a.wrapping_add(a_tile);
            self.column.to = self.column.to.wrapping_add(R * self.column.to_row);
            self.column.row_bias = self.column.row_bias.wrapping_add(R);
        }
    }
}

impl<const R: usize, const V: usize> Blocks<R, V> {
    /// One block.
    ///
    /// # Safety
    ///
    /// As for [`Column::run`].
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, [row, term]: [usize; 2]) {
        let Column { first, width, relu, .. } = self.column;
        // SAFETY: all addresses are the caller's promise. `wrapping_add` is used because `add` is
        // checked at run time where debug assertions are on.
        unsafe {
            let mut sums = [[S::splat(0.0); V]; R];
            if let First::Bias(bias) = first {
                for v in 0..V {
                    let bias = S::load(bias.wrapping_add(v * S::LANES));
                    for r in 0..R {
                        sums[r][v] = bias;
                    }
                }
            }
            if let First::RowBias = first {
                for r in 0..R {
                    let bias = S::splat(*self.column.row_bias.wrapping_add(r));
                    for v in 0..V {
                        sums[r][v] = bias;
                    }
                }
            }
            let (mut a, mut b) = (self.column.a, self.column.b);
            for _ in 0..self.column.terms {
                let mut right = [S::splat(0.0); V];
                for v in 0..V {
                    right[v] = S::load(b.wrapping_add(v * S::LANES));
                }
                for r in 0..R {
                    let left = S::splat(*a.wrapping_add(r * row));
                    for v in 0..V {
                        sums[r][v] = S::fma(left, right[v], sums[r][v]);
                    }
                }
                a = a.wrapping_add(term);
                b = b.wrapping_add(self.column.b_step);
            }
            if width != V * S::LANES {
                return self.narrow::<S>(sums);
            }
            match (first, relu) {
                (First::Add, false) => self.full::<S, true, false>(sums),
                (First::Add, true) => self.full::<S, true, true>(sums),
                (_, false) => self.full::<S, false, false>(sums),
                (_, true) => self.full::<S, false, true>(sums),
            }
        }
    }

    /// Stores the block where all its vectors are full.
    ///
    /// Constants tell what is done, so that the loops are small enough to be unrolled. In a loop that is not, an index
    /// of the sums would be a variable: they would lie in memory from the first term on, with a store behind each
    /// multiply-add. Two more variants are too many already: [`Cap`] is ReLU6's upper end.
    ///
    /// # Safety
    ///
    /// As for [`Column::run`].
    #[inline(always)]
    unsafe fn full<S: Simd, const ADD: bool, const RELU: bool>(&self, sums: [[S::V; V]; R]) {
        for r in 0..R {
            for v in 0..V {
                let to = self.column.to.wrapping_add(r * self.column.to_row + v * S::LANES);
                let mut sum = sums[r][v];
                // SAFETY: the caller's promise.
                unsafe {
                    if ADD {
                        sum = S::add(S::load(to), sum);
                    }
                    if RELU {
                        // The comparison is true for NaN, which stays.
                        let zero = S::splat(0.0);
                        sum = S::select(S::greater_or_nan(sum, zero), sum, zero);
                    }
                    S::store(to, sum);
                }
            }
        }
    }

    /// Stores the block where its last vector is not full.
    ///
    /// # Safety
    ///
    /// As for [`Column::run`].
    #[inline(always)]
    unsafe fn narrow<S: Simd>(&self, sums: [[S::V; V]; R]) {
        let Column { first, width, to, to_row, relu, .. } = self.column;
        // As in `full`, only loops that are unrolled touch the sums.
        let mut rows = [[[0.0_f32; MOST_LANES]; V]; R];
        for r in 0..R {
            for v in 0..V {
                // SAFETY: a row has room for V vectors.
                unsafe {
                    S::store(
                        rows[r].as_mut_ptr().cast::<f32>().wrapping_add(v * S::LANES),
                        sums[r][v],
                    )
                }
            }
        }
        for r in 0..R {
            // SAFETY: the caller vouches for `width` elements a row.
            unsafe {
                for column in 0..width {
                    let to = to.wrapping_add(r * to_row + column);
                    let mut sum = *rows[r].as_ptr().cast::<f32>().wrapping_add(column);
                    if let First::Add = first {
                        sum += *to;
                    }
                    *to = if relu && sum <= 0.0 { 0.0 } else { sum };
                }
            }
        }
    }
}

/// Replaces values above 6 by 6, in some columns of some rows of a result that is in the cache still.
pub(super) struct Cap {
    pub to: *mut f32,
    /// From one row to the next.
    pub row: usize,
    /// Rows and columns.
    pub size: [usize; 2],
}

impl Task for Cap {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for row in 0..self.size[0] {
            let to = self.to.wrapping_add(row * self.row);
            // SAFETY: whoever made the task vouches for the elements.
            let row = unsafe { std::slice::from_raw_parts_mut(to, self.size[1]) };
            for value in row {
                *value = FusedActivation::Relu6.of(*value);
            }
        }
    }
}
