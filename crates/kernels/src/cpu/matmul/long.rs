//! Very long sums, with totals in double precision.

use super::matrix::Matrix;
use super::part::Part;
use super::product::{Product, Start};
use crate::cpu::memory::Aligned;
use crate::cpu::simd::{Simd, Task};
use crate::ops::FusedActivation;

/// Terms above which the total is kept in double precision, and its parts are sums of [`LONG_TERMS`].
///
/// Where thousands of products cancel, as in the classifier of VGG-16, single precision leaves few
/// digits: some ReLUs behind it are so close to 0 that the last ones decide which side they are on.
pub(crate) const LONG: usize = 2048;

/// Terms that are added up in single precision if there are more than [`LONG`].
const LONG_TERMS: usize = 16;

/// Rows and columns of the block of the result whose totals are kept in double precision.
const LONG_SIZE: [usize; 2] = [32, 256];

/// A part of a product with more than [`LONG`] terms.
pub(super) struct Long<'a>(pub Part<'a>);

impl Task for Long<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let part = self.0;
        let Product { a, b, start, activation } = part.product;
        let terms = a.size[1];
        let mut totals = [0.0_f64; LONG_SIZE[0] * LONG_SIZE[1]];
        let mut sums = Aligned::any(totals.len());
        let mut row = part.rows.start;
        while row < part.rows.end {
            let rows =
                if part.rows.end - row > LONG_SIZE[0] { LONG_SIZE[0] } else { part.rows.end - row };
            let mut column = part.columns.start;
            while column < part.columns.end {
                let rest = part.columns.end - column;
                let columns = if rest > LONG_SIZE[1] { LONG_SIZE[1] } else { rest };
                let size = rows * columns;
                totals[..size].fill(0.0);
                let mut term = 0;
                while term < terms {
                    let some = if terms - term > LONG_TERMS { LONG_TERMS } else { terms - term };
                    let a = Matrix {
                        values: &a.values[term * a.step[1]..],
                        size: [a.size[0], some],
                        ..a
                    };
                    let b = Matrix {
                        values: &b.values[term * b.step[0]..],
                        size: [some, b.size[1]],
                        ..b
                    };
                    let piece = Part {
                        product: Product {
                            a,
                            b,
                            start: Start::Zero,
                            activation: FusedActivation::None,
                        },
                        rows: row..row + rows,
                        columns: column..column + columns,
                        to: sums.as_mut_ptr().wrapping_sub(row * columns + column),
                        row: columns,
                    };
                    // SAFETY: the caller's promise; the entries lie in `sums`, one row after the other.
                    unsafe { piece.short::<S>() };
                    for (total, &sum) in totals[..size].iter_mut().zip(&sums[..size]) {
                        *total += f64::from(sum);
                    }
                    term += some;
                }
                for (i, &total) in totals[..size].iter().enumerate() {
                    let (row, column) = (row + i / columns, column + i % columns);
                    let to = part.to.wrapping_add(row * part.row + column);
                    // SAFETY: the entry is one of the part.
                    unsafe {
                        let total = match start {
                            Start::Zero => total,
                            Start::Add => total + f64::from(*to),
                            Start::Bias(bias) => total + f64::from(bias[column]),
                            Start::RowBias(bias) => total + f64::from(bias[row]),
                        };
                        *to = activation.of(total as f32);
                    }
                }
                column += columns;
            }
            row += rows;
        }
    }
}
