//! What the fused optimizers share: a rule for every element, and what it is applied to.

use burn::tensor::Tensor;

/// What an optimizer does with every element of a parameter.
// Without the flex device nobody steps in one pass.
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
pub(super) trait Rule<const N: usize>: Copy + Send + Sync {
    /// The parameter and its state after the step. Implementations are `#[inline(always)]`, and use
    /// only operations that are rounded the same in a vector of any width.
    fn step(self, parameter: f32, state: [f32; N], grad: f32) -> (f32, [f32; N]);

    /// A state nearer to 0 than this is kept as 0.
    ///
    /// The state of an element whose gradients have become 0, as behind a ReLU that never opens, shrinks until it is
    /// denormal, and stays so for ever: a tenth of the smallest number is rounded to nothing. Intel's processors take 16
    /// to 28 times as long for a step over such numbers, and no parameter can tell them from 0.
    #[inline(always)]
    fn floor(self) -> f32 {
        f32::MIN_POSITIVE
    }
}

/// The [floor](Rule::floor) of a mean of squares whose root, with `epsilon` added, divides. Below an ordinary ε the root of
/// a denormal number is nothing; without one it is all there is.
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
pub(super) fn floor_beside(epsilon: f32) -> f32 {
    match epsilon > 1e-12 {
        true => f32::MIN_POSITIVE,
        false => 0.0,
    }
}

/// A parameter, its gradient and its state.
pub(super) struct Tensors<const D: usize, const N: usize> {
    pub parameter: Tensor<D>,
    pub grad: Tensor<D>,
    pub state: [Tensor<D>; N],
}

/// A state that the first step finds: the value that every sum keeps as it is, which is −0 and not 0,
/// since −0 + 0 is 0.
pub(super) fn initial_state<const D: usize>(parameter: &Tensor<D>) -> Tensor<D> {
    Tensor::full(parameter.shape(), -0.0, (&parameter.device(), parameter.dtype()))
}

/// The parameter and its state after a step; or everything as it was.
pub(super) type Stepped<const D: usize, const N: usize> =
    Result<(Tensor<D>, [Tensor<D>; N]), Box<Tensors<D, N>>>;
