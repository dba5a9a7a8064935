//! Functions of single values and their gradients, in one pass each.
//!
//! Plain Rust: in a [`Task`] the compiler turns the loop into vectors of the instruction set. No product is fused with
//! a sum, so all instruction sets give the same bits.

mod gelu;
mod relu;
mod relu6;
mod sigmoid;
mod steady;

use rayon::prelude::*;

pub(crate) use gelu::Gelu;
pub(crate) use relu::Relu;
pub(crate) use relu6::Relu6;
pub(crate) use sigmoid::{sigmoid, tanh};
pub(crate) use steady::Steady;

use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// Values of a piece: small enough for the second-level cache, and some microseconds of work.
const PIECE: usize = 16 * 1024;

/// A function of single values. Its own functions are `#[inline(always)]`.
pub(crate) trait Function: Copy + Sync {
    /// The result for `x`.
    fn value(self, x: f32) -> f32;
    /// The gradient of `x` for that of the result.
    fn gradient(self, x: f32, grad: f32) -> f32;
}

/// The function of every value.
pub(crate) fn values(isa: Isa, function: impl Function, x: &[f32]) -> Recycled {
    let mut y = Recycled::any(x.len());
    let pieces = y.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    threads::for_each(pieces, |(y, x)| isa.run(Values { function, x, y }));
    y
}

/// The function of every sum of two terms.
pub(crate) fn sums(isa: Isa, function: impl Function, terms: [&[f32]; 2]) -> Recycled {
    pairs(
        isa,
        #[inline(always)]
        move |a, b| function.value(a + b),
        terms,
    )
}

/// The gradient of every value for those of the results.
pub(crate) fn gradients(isa: Isa, function: impl Function, x: &[f32], grad: &[f32]) -> Recycled {
    pairs(
        isa,
        #[inline(always)]
        move |x, grad| function.gradient(x, grad),
        [x, grad],
    )
}

/// What `of` makes of every two values. It is `#[inline(always)]`.
pub(crate) fn pairs(
    isa: Isa,
    of: impl Fn(f32, f32) -> f32 + Copy + Sync,
    [a, b]: [&[f32]; 2],
) -> Recycled {
    let mut to = Recycled::any(a.len());
    let pieces = to.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE)).zip(b.par_chunks(PIECE));
    threads::for_each(pieces, |((to, a), b)| isa.run(Pairs { of, a, b, to }));
    to
}

struct Values<'a, F> {
    function: F,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<F: Function> Task for Values<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in 0..self.y.len().min(self.x.len()) {
            self.y[i] = self.function.value(self.x[i]);
        }
    }
}

struct Pairs<'a, F> {
    of: F,
    a: &'a [f32],
    b: &'a [f32],
    to: &'a mut [f32],
}

impl<F: Fn(f32, f32) -> f32> Task for Pairs<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in 0..self.to.len().min(self.a.len()).min(self.b.len()) {
            self.to[i] = (self.of)(self.a[i], self.b[i]);
        }
    }
}
