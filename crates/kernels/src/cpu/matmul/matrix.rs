//! Matrices, and sums of their columns.

use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::ops::FusedActivation;

/// A view of a matrix; distances in elements.
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

    /// A matrix whose rows are `row` elements apart.
    pub(crate) fn spaced(values: &'a [f32], [rows, columns]: [usize; 2], row: usize) -> Self {
        assert!(row >= columns, "rows of {columns} are {row} apart");
        assert!(rows == 0 || values.len() >= (rows - 1) * row + columns, "a matrix of {rows} rows");
        Matrix { values, size: [rows, columns], step: [row, 1] }
    }

    /// Rows and columns exchanged.
    pub(crate) fn transposed(mut self) -> Self {
        self.size.reverse();
        self.step.reverse();
        self
    }
}

/// The sum of every column, in the order of the rows and in double precision.
pub(crate) fn column_sums(isa: Isa, matrix: Matrix) -> Vec<f32> {
    let mut sums = vec![0.0; matrix.size[1]];
    isa.run(ColumnSums { matrix, passed: None, sums: &mut sums });
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// The gradient where ReLU let its input through, given ReLU's output `y`; and its column sums.
pub(crate) fn relu_backward(isa: Isa, grad: Matrix, y: &[f32]) -> (Recycled, Vec<f32>) {
    assert_eq!(grad.values.len(), y.len(), "a gradient for every output");
    let mut passed = Recycled::any(y.len());
    let mut sums = vec![0.0; grad.size[1]];
    isa.run(ColumnSums { matrix: grad, passed: Some((y, &mut passed)), sums: &mut sums });
    (passed, sums.into_iter().map(|sum| sum as f32).collect())
}

/// Replaces negative values by 0.
pub(crate) fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|y| *y = FusedActivation::Relu.of(*y));
}

/// Adds the rows of a matrix that is stored row by row, in plain loops that the compiler turns into
/// vector instructions.
struct ColumnSums<'a> {
    matrix: Matrix<'a>,
    /// ReLU's output, where it is to be taken into account, and room for what it lets through.
    passed: Option<(&'a [f32], &'a mut [f32])>,
    sums: &'a mut [f64],
}

impl Task for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let [rows, columns] = self.matrix.size;
        match self.passed {
            Some((y, passed)) => {
                for row in 0..rows {
                    let y = &y[row * columns..][..columns];
                    let grad = &self.matrix.values[row * columns..][..columns];
                    let passed = &mut passed[row * columns..][..columns];
                    let sums = &mut self.sums[..columns];
                    for column in 0..columns {
                        // The comparison is false for NaN, which lets the gradient through.
                        let value = if y[column] <= 0.0 { 0.0 } else { grad[column] };
                        passed[column] = value;
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

    #[test]
    fn column_sums_are_those_of_the_definition() {
        for isa in Isa::available() {
            let values = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
            assert_eq!(column_sums(isa, Matrix::new(&values, [2, 3])), [11.0, 22.0, 33.0]);
            assert_eq!(column_sums(isa, Matrix::new(&[], [0, 2])), [0.0, 0.0]);
            assert!(column_sums(isa, Matrix::new(&[], [2, 0])).is_empty());
        }
    }

    #[test]
    fn a_gradient_passes_where_the_output_is_positive_or_nan() {
        for isa in Isa::available() {
            // Ten columns: full vectors and a rest in every instruction set but the widest.
            let y: Vec<f32> = (0..20).map(|i| [0.0, 1.0, -0.0, f32::NAN, -2.0][i % 5]).collect();
            let grad: Vec<f32> = (0..20).map(|i| i as f32 + 1.0).collect();
            let (passed, sums) = relu_backward(isa, Matrix::new(&grad, [2, 10]), &y);
            for i in 0..20 {
                assert_eq!(passed[i], if [1, 3].contains(&(i % 5)) { grad[i] } else { 0.0 });
            }
            for column in 0..10 {
                assert_eq!(sums[column], passed[column] + passed[column + 10]);
            }
        }
        let (passed, sums) = relu_backward(Isa::current(), Matrix::new(&[], [0, 2]), &[]);
        assert!(passed.is_empty());
        assert_eq!(sums, [0.0, 0.0]);
    }
}
