//! What is to be computed: a product, and what happens to it.

use super::matrix::Matrix;
use crate::ops::FusedActivation;

/// What the result starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// The product is added to what is there.
    Add,
    /// What is there is overwritten.
    Zero,
    /// What is there is overwritten by the product plus one of these values for every column.
    Bias(&'a [f32]),
    /// The same with one of these values for every row.
    RowBias(&'a [f32]),
}

/// A product `a · b`, and what happens to it.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub a: Matrix<'a>,
    pub b: Matrix<'a>,
    pub start: Start<'a>,
    /// What follows.
    pub activation: FusedActivation,
}

impl<'a> Product<'a> {
    /// `a · b`.
    pub(crate) fn new(a: Matrix<'a>, b: Matrix<'a>) -> Self {
        assert_eq!(a.size[1], b.size[0], "columns of the left matrix, rows of the right one");
        Product { a, b, start: Start::Zero, activation: FusedActivation::None }
    }

    /// Rows and columns of the result.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.a.size[0], self.b.size[1]]
    }
}
