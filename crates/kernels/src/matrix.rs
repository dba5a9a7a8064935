//! Matrices, and sums of their columns.

use std::mem::MaybeUninit;

use crate::simd::{Isa, Simd, Task};

/// A view of a matrix; distances in numbers.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub values: &'a [f32],
    /// Rows and columns.
    pub size: [usize; 2],
    /// From one row and from one column to the next. One of them is 1.
    pub step: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A matrix stored row by row.
    pub(crate) fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} × {columns}");
        Matrix { values, size: [rows, columns], step: [columns, 1] }
    }

    /// A matrix whose rows begin `row` numbers apart.
    pub(crate) fn part(values: &'a [f32], [rows, columns]: [usize; 2], row: usize) -> Self {
        let len = rows.saturating_sub(1) * row + columns;
        assert!(columns <= row && values.len() >= len, "a matrix of {rows} × {columns}");
        Matrix { values, size: [rows, columns], step: [row as isize, 1] }
    }

    /// Rows and columns exchanged.
    pub(crate) fn transposed(mut self) -> Self {
        self.size.reverse();
        self.step.reverse();
        self
    }
}

/// Adds `a · b` to `to`, which is stored row by row.
///
/// Threads share the result's entries, never the terms of one: an entry is summed up in one order.
pub(crate) fn add_product(a: Matrix, b: Matrix, to: &mut [f32]) {
    let ([rows, inner], [expected, columns]) = (a.size, b.size);
    assert_eq!(inner, expected, "columns of the left matrix, rows of the right one");
    assert_eq!(to.len(), rows * columns, "a result of {rows} × {columns}");
    if rows == 0 || columns == 0 || inner == 0 {
        return;
    }
    // SAFETY: the views lie in their slices: sizes were checked by `Matrix::new` and above, and steps
    // are those of these sizes. `to` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            to.as_mut_ptr(),
            1,
            columns as isize,
            true,
            a.values.as_ptr(),
            a.step[1] as isize,
            a.step[0] as isize,
            b.values.as_ptr(),
            b.step[1] as isize,
            b.step[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

/// Writes `a · b` to `to`, whose rows begin `row` numbers apart, in the calling thread.
pub(crate) fn set_product(a: Matrix, b: Matrix, to: &mut [f32], size: [usize; 2], row: usize) {
    one_thread(a, b, to, size, row, false);
}

/// Adds `a · b` to `to`, which is stored row by row, in the calling thread.
pub(crate) fn add_product_here(a: Matrix, b: Matrix, to: &mut [f32]) {
    let size = [a.size[0], b.size[1]];
    one_thread(a, b, to, size, size[1], true);
}

fn one_thread(a: Matrix, b: Matrix, to: &mut [f32], size: [usize; 2], row: usize, add: bool) {
    assert_eq!(a.size[1], b.size[0], "columns of the left matrix, rows of the right one");
    assert_eq!([a.size[0], b.size[1]], size, "rows of the left matrix, columns of the right one");
    let [rows, columns] = size;
    assert!(columns <= row && to.len() >= rows.saturating_sub(1) * row + columns);
    if rows == 0 || columns == 0 {
        return;
    }
    // SAFETY: the views lie in their slices, as their constructors checked; `to` was checked above and
    // is borrowed exclusively.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            a.size[1],
            to.as_mut_ptr(),
            1,
            row as isize,
            add,
            a.values.as_ptr(),
            a.step[1],
            a.step[0],
            b.values.as_ptr(),
            b.step[1],
            b.step[0],
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The sum of every column, in the order of the rows and in double precision.
pub(crate) fn column_sums(isa: Isa, matrix: Matrix) -> Vec<f32> {
    let mut sums = vec![0.0; matrix.size[1]];
    isa.run(ColumnSums { matrix, open: None, sums: &mut sums });
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// The gradient where ReLU let its input through, given ReLU's output `y`; and its column sums.
pub(crate) fn opened(isa: Isa, grad: Matrix, y: &[f32]) -> (Vec<f32>, Vec<f32>) {
    assert_eq!(grad.values.len(), y.len(), "a gradient for every output");
    let mut open = Vec::with_capacity(y.len());
    let mut sums = vec![0.0; grad.size[1]];
    let to = open.spare_capacity_mut();
    isa.run(ColumnSums { matrix: grad, open: Some((y, to)), sums: &mut sums });
    // SAFETY: the task has written a number for every one of `y`.
    unsafe { open.set_len(y.len()) };
    (open, sums.into_iter().map(|sum| sum as f32).collect())
}

/// Adds the rows of a matrix that is stored row by row, in plain loops that the compiler turns into
/// vector instructions.
struct ColumnSums<'a> {
    matrix: Matrix<'a>,
    /// ReLU's output, where it is to be taken into account, and room for what it lets through.
    open: Option<(&'a [f32], &'a mut [MaybeUninit<f32>])>,
    sums: &'a mut [f64],
}

impl Task for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let [rows, columns] = self.matrix.size;
        match self.open {
            Some((y, open)) => {
                for row in 0..rows {
                    let y = &y[row * columns..][..columns];
                    let grad = &self.matrix.values[row * columns..][..columns];
                    let open = &mut open[row * columns..][..columns];
                    let sums = &mut self.sums[..columns];
                    for column in 0..columns {
                        // The comparison is false for NaN, which lets the gradient through.
                        let value = if y[column] <= 0.0 { 0.0 } else { grad[column] };
                        open[column] = MaybeUninit::new(value);
                        sums[column] += f64::from(value);
                    }
                }
            }
            None => {
                for row in 0..rows {
                    let grad = &self.matrix.values[row * columns..][..columns];
                    let sums = &mut self.sums[..columns];
                    for column in 0..columns {
                        sums[column] += f64::from(grad[column]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        // A fixed sequence without a pattern that matters: multiples of the golden ratio, modulo 2.
        (0..len).map(|i| ((i + 31 * seed) as f32 * 1.618_034) % 2.0 - 1.0).collect()
    }

    /// Entry (row, column) by the definition, in double precision.
    fn entry(a: Matrix, b: Matrix, row: usize, column: usize) -> f64 {
        let at = |m: Matrix, row: usize, column: usize| {
            let at = row * m.step[0] + column * m.step[1];
            f64::from(m.values[at])
        };
        (0..a.size[1]).map(|k| at(a, row, k) * at(b, k, column)).sum()
    }

    fn check(rows: usize, inner: usize, columns: usize, turned: [bool; 2]) {
        let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
        let view = |values, size: [usize; 2], turned| match turned {
            true => Matrix::new(values, [size[1], size[0]]).transposed(),
            false => Matrix::new(values, size),
        };
        let (a, b) = (view(&a, [rows, inner], turned[0]), view(&b, [inner, columns], turned[1]));
        let before = numbers(rows * columns, 3);
        let mut found = before.clone();
        add_product(a, b, &mut found);
        for (i, (found, before)) in found.iter().zip(before).enumerate() {
            let expected = f64::from(before) + entry(a, b, i / columns, i % columns);
            let error = (f64::from(*found) - expected).abs();
            let tolerance = f64::from(f32::EPSILON) * (inner as f64 + 2.0);
            assert!(error <= tolerance, "{rows}×{inner}×{columns} {turned:?}, entry {i}: {error}");
        }
    }

    #[test]
    fn products_of_no_rows_columns_or_terms_add_nothing() {
        for (rows, inner, columns) in [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)] {
            check(rows, inner, columns, [false; 2]);
        }
    }

    #[test]
    fn products_are_the_same_bits_for_any_number_of_threads() {
        // Large enough that gemm uses all threads it is given; odd sizes leave tails everywhere.
        for (rows, inner, columns) in [(131, 1021, 517), (32, 784, 512), (1, 3001, 1001)] {
            let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut to = vec![0.0; rows * columns];
                let a = Matrix::new(&a, [rows, inner]);
                pool.install(|| add_product(a, Matrix::new(&b, [inner, columns]), &mut to));
                to.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            };
            let one = run(1);
            for threads in [2, 3, 7] {
                assert_eq!(one, run(threads), "{threads} threads");
            }
        }
    }

    #[test]
    fn column_sums_are_those_of_the_definition() {
        let values = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        assert_eq!(column_sums(Isa::current(), Matrix::new(&values, [2, 3])), [11.0, 22.0, 33.0]);
        assert_eq!(column_sums(Isa::current(), Matrix::new(&[], [0, 2])), [0.0, 0.0]);
        assert!(column_sums(Isa::current(), Matrix::new(&[], [2, 0])).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_product_equals_its_definition(
            rows in 1usize..40,
            inner in 1usize..70,
            columns in 1usize..40,
            turned in any::<[bool; 2]>(),
        ) {
            check(rows, inner, columns, turned);
        }
    }
}
