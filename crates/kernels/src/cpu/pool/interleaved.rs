//! Activation and max-pool of interleaved planes, and their gradient.
//!
//! The forward pass leaves a byte for every output, its *argmax*: which pixel of the pool's window was
//! taken, counted by rows, or [`MASKED`] where the activation made it 0 or 6. So one array holds the pool's argmax and
//! the activation's mask; it is all that the backward pass needs.

use crate::cpu::layout::{Geometry, Spread};
use crate::cpu::simd::{Simd, Task};
use crate::ops::FusedActivation;

/// The argmax of an output that the activation masks: no gradient flows through it.
const MASKED: f32 = 255.0;

/// Pixels of a window along one axis that lie in the plane: `[first, end)`.
#[inline(always)]
fn clip(g: &Geometry, axis: usize, output: usize) -> (usize, usize) {
    let start = output * g.pool.stride[axis];
    let first = g.pool.padding[axis].saturating_sub(start);
    let end = (g.conv[axis] + g.pool.padding[axis]).saturating_sub(start).min(g.pool.kernel[axis]);
    (first, end)
}

/// Rows of the convolution that pool rows `[first, end)` look at: `[first, end)`.
pub(crate) fn conv_rows_of(g: &Geometry, first: usize, end: usize) -> (usize, usize) {
    let last = end - 1;
    let (top, bottom) = (clip(g, 0, first).0, clip(g, 0, last).1);
    (
        first * g.pool.stride[0] + top - g.pool.padding[0],
        last * g.pool.stride[0] + bottom - g.pool.padding[0],
    )
}

/// One channel's strip: some rows of a plane of the convolution, and the pool rows they are for.
pub(crate) struct Strip<'a> {
    /// Rows of the convolution, `[row, column, LANES]`.
    pub conv: &'a [f32],
    /// The first of these rows.
    pub conv_first: usize,
    /// Pool rows `[first, end)`.
    pub rows: (usize, usize),
    /// A factor for every image, if the result is scaled.
    pub scale: Option<&'a [f32]>,
}

/// Pools one channel's strip into these rows of that channel's output and of its argmax.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn pool_strip<S: Simd>(
    g: &Geometry,
    strip: &Strip,
    output: &mut [f32],
    mut argmax: Option<&mut [u8]>,
) {
    let lanes = S::LANES;
    let [height, width] = g.output;
    assert!(strip.rows.0 < strip.rows.1 && strip.rows.1 <= height);
    let len = (strip.rows.1 - strip.rows.0) * width * lanes;
    assert!(output.len() >= len);
    assert!(argmax.as_ref().is_none_or(|argmax| argmax.len() >= len));
    let row_len = g.conv[1] * lanes;
    let (conv_first, conv_end) = conv_rows_of(g, strip.rows.0, strip.rows.1);
    assert!(conv_first >= strip.conv_first);
    assert!(strip.conv.len() >= (conv_end - strip.conv_first) * row_len);
    for row in strip.rows.0..strip.rows.1 {
        let (top, bottom) = clip(g, 0, row);
        let first_row = row * g.pool.stride[0] + top - g.pool.padding[0] - strip.conv_first;
        let at = (row - strip.rows.0) * width * lanes;
        let task = PoolRow {
            g,
            from: strip.conv[first_row * row_len..].as_ptr(),
            rows: (top, bottom),
            output: output[at..].as_mut_ptr(),
            argmax: argmax.as_mut().map(|argmax| argmax[at..].as_mut_ptr()),
            relu: g.activation == FusedActivation::Relu,
            scale: strip.scale.map(|scale| scale[..lanes].as_ptr()),
        };
        // SAFETY: the assertions cover a row of the output and all rows of the convolution below it.
        unsafe {
            match (g.activation, g.pool.kernel, g.pool.padding) {
                (FusedActivation::Relu6, [1, 1], _) => S::enter(WholeRow::<true, 1, 1>(task)),
                (FusedActivation::Relu6, _, _) => S::enter(ClippedRow::<true>(task)),
                (_, [1, 1], _) => S::enter(WholeRow::<false, 1, 1>(task)),
                (_, [2, 2], [0, 0]) => S::enter(WholeRow::<false, 2, 2>(task)),
                _ => S::enter(ClippedRow::<false>(task)),
            }
        }
    }
}

/// A row of the output, and the rows of the convolution under it, which are long enough for it.
struct PoolRow<'a> {
    g: &'a Geometry,
    /// The first row of the window that lies in the plane.
    from: *const f32,
    /// Rows of the window that lie in the plane: `[first, end)`.
    rows: (usize, usize),
    output: *mut f32,
    argmax: Option<*mut u8>,
    relu: bool,
    /// A factor for every lane.
    scale: Option<*const f32>,
}

impl PoolRow<'_> {
    /// Activation and scale, then stores pixel `column`. `SIX` says whether there is ReLU6.
    ///
    /// # Safety
    ///
    /// The processor has `S`; the row has the column.
    #[inline(always)]
    unsafe fn finish<S: Simd, const SIX: bool>(
        &self,
        column: usize,
        mut best: S::V,
        mut index: S::V,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if SIX || self.relu {
                let passes = S::greater_or_nan(best, S::splat(0.0));
                best = S::select(passes, best, S::splat(0.0));
                index = S::select(passes, index, S::splat(MASKED));
            }
            if SIX {
                let six = S::splat(6.0);
                // Not the other way round, which a NaN would pass.
                let passes = S::greater_or_nan(S::sub(six, best), S::splat(0.0));
                best = S::select(passes, best, six);
                index = S::select(passes, index, S::splat(MASKED));
            }
            if let Some(scale) = self.scale {
                best = S::fma(best, S::load(scale), S::splat(0.0));
            }
            S::store(self.output.wrapping_add(column * S::LANES), best);
            if let Some(to) = self.argmax {
                S::store_bytes(to.wrapping_add(column * S::LANES), index);
            }
        }
    }
}

/// A row of windows of `KH` × `KW` pixels, unrolled, all of which lie in the plane.
struct WholeRow<'a, const SIX: bool, const KH: usize, const KW: usize>(PoolRow<'a>);

impl<const SIX: bool, const KH: usize, const KW: usize> Task for WholeRow<'_, SIX, KH, KW> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let row = self.0;
        let row_len = row.g.conv[1] * S::LANES;
        let step = row.g.pool.stride[1] * S::LANES;
        let mut from = row.from;
        for column in 0..row.g.output[1] {
            // SAFETY: as `PoolRow` says.
            unsafe {
                let mut best = S::load(from);
                let mut index = S::splat(0.0);
                for k in 1..KH * KW {
                    let value = S::load(from.wrapping_add(k / KW * row_len + k % KW * S::LANES));
                    let better = S::greater_or_nan(value, best);
                    best = S::select(better, value, best);
                    index = S::select(better, S::splat(k as f32), index);
                }
                row.finish::<S, SIX>(column, best, index);
            }
            from = from.wrapping_add(step);
        }
    }
}

/// A row of windows of any size, some of which may reach beyond the plane.
struct ClippedRow<'a, const SIX: bool>(PoolRow<'a>);

impl<const SIX: bool> Task for ClippedRow<'_, SIX> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let row = self.0;
        let g = row.g;
        let row_len = g.conv[1] * S::LANES;
        for column in 0..g.output[1] {
            let (left, right) = clip(g, 1, column);
            let first = column * g.pool.stride[1] + left - g.pool.padding[1];
            let from = row.from.wrapping_add(first * S::LANES);
            // SAFETY: as `PoolRow` says; windows are clipped, and have at least one pixel.
            unsafe {
                let mut best = S::load(from);
                let mut index = S::splat((row.rows.0 * g.pool.kernel[1] + left) as f32);
                for ky in row.rows.0..row.rows.1 {
                    for kx in left..right {
                        let at = (ky - row.rows.0) * row_len + (kx - left) * S::LANES;
                        let value = S::load(from.wrapping_add(at));
                        let better = S::greater_or_nan(value, best);
                        best = S::select(better, value, best);
                        index =
                            S::select(better, S::splat((ky * g.pool.kernel[1] + kx) as f32), index);
                    }
                }
                row.finish::<S, SIX>(column, best, index);
            }
        }
    }
}

/// What the gradient of the convolution's result is made of.
pub(crate) struct OutputGrad<'a> {
    pub spread: &'a Spread,
    pub channel: usize,
    /// Gradient of this channel's outputs, and their argmax.
    pub grad: &'a [f32],
    pub argmax: Option<&'a [u8]>,
    /// The factors of the forward pass.
    pub scale: Option<&'a [f32]>,
}

/// Hands the gradient of one channel's outputs to the pixels that were chosen, and adds it up in every
/// lane of `sum`, row by row, so that no rounding error grows with the number of pixels. `to` holds
/// zeros where windows overlap or leave gaps.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn unpool<S: Simd>(
    g: &Geometry,
    from: &OutputGrad,
    to: &mut [f32],
    sum: &mut [f32],
) {
    let (lanes, spread) = (S::LANES, from.spread);
    let [height, width] = g.output;
    for axis in 0..2 {
        assert!(spread.first[axis] + g.conv[axis] <= spread.plane[axis]);
    }
    assert!(from.channel < spread.channels && to.len() >= spread.len(lanes) && sum.len() >= lanes);
    assert!(from.grad.len() >= height * width * lanes);
    assert!(from.argmax.is_none_or(|argmax| argmax.len() >= height * width * lanes));
    let task = Unpool {
        g,
        spread,
        grad: from.grad.as_ptr(),
        argmax: from.argmax.map(|argmax| argmax.as_ptr()),
        scale: from.scale.map(|scale| scale[..lanes].as_ptr()),
        to: to[from.channel * spread.plane[1] * lanes..].as_mut_ptr(),
        sum: sum.as_mut_ptr(),
    };
    // SAFETY: clipped windows lie in the convolution's plane, whose last pixel lies in `to`.
    unsafe {
        match (g.pool.kernel, g.pool.padding, g.windows_are_disjoint()) {
            ([1, 1], _, true) => S::enter(UnpoolWhole::<1, 1>(task)),
            ([2, 2], [0, 0], true) => S::enter(UnpoolWhole::<2, 2>(task)),
            _ => S::enter(UnpoolClipped(task)),
        }
    }
}

/// One channel's planes, and its first row in `to`. They are as long as their sizes say, and every
/// pixel of the convolution has its place in `to`.
struct Unpool<'a> {
    g: &'a Geometry,
    spread: &'a Spread,
    grad: *const f32,
    argmax: Option<*const u8>,
    scale: Option<*const f32>,
    to: *mut f32,
    sum: *mut f32,
}

impl Unpool<'_> {
    /// Gradient and argmax of output `at`.
    ///
    /// # Safety
    ///
    /// The processor has `S`; there is such an output.
    #[inline(always)]
    unsafe fn output<S: Simd>(&self, at: usize) -> (S::V, S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            let index = match self.argmax {
                Some(argmax) => S::load_bytes(argmax.wrapping_add(at * S::LANES)),
                None => S::splat(0.0),
            };
            let mut grad = S::load(self.grad.wrapping_add(at * S::LANES));
            if let Some(scale) = self.scale {
                grad = S::fma(grad, S::load(scale), S::splat(0.0));
            }
            (grad, index)
        }
    }

    /// Where pixel (`y`, `x`) of the convolution lies.
    #[inline(always)]
    fn place(&self, y: usize, x: usize, lanes: usize) -> *mut f32 {
        let spread = self.spread;
        let (row, column) = (spread.first[0] + y, spread.first[1] + x);
        self.to.wrapping_add(row * spread.row_len(lanes) + column * lanes)
    }
}

/// Windows of `KH` × `KW` pixels, unrolled, that lie in the plane and share no pixel.
struct UnpoolWhole<'a, const KH: usize, const KW: usize>(Unpool<'a>);

impl<const KH: usize, const KW: usize> Task for UnpoolWhole<'_, KH, KW> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let planes = self.0;
        let (g, spread) = (planes.g, planes.spread);
        let [height, width] = g.output;
        let row_len = spread.row_len(S::LANES);
        // SAFETY: as `Unpool` says.
        unsafe {
            let zero = S::splat(0.0);
            let mut sum = S::load(planes.sum);
            for row in 0..height {
                let mut row_sum = zero;
                let mut to = planes.place(row * g.pool.stride[0], 0, S::LANES);
                for column in 0..width {
                    let (grad, index) = planes.output::<S>(row * width + column);
                    let masked = S::equal(index, S::splat(MASKED));
                    row_sum = S::add(row_sum, S::select(masked, zero, grad));
                    for k in 0..KH * KW {
                        let chosen = S::equal(index, S::splat(k as f32));
                        let to = to.wrapping_add(k / KW * row_len + k % KW * S::LANES);
                        S::store(to, S::select(chosen, grad, zero));
                    }
                    to = to.wrapping_add(g.pool.stride[1] * S::LANES);
                }
                sum = S::add(sum, row_sum);
            }
            S::store(planes.sum, sum);
        }
    }
}

/// Any windows: they may overlap, and reach beyond the plane.
struct UnpoolClipped<'a>(Unpool<'a>);

impl Task for UnpoolClipped<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let planes = self.0;
        let g = planes.g;
        let [height, width] = g.output;
        let tiles = g.windows_are_disjoint();
        // SAFETY: as `Unpool` says.
        unsafe {
            let zero = S::splat(0.0);
            let mut sum = S::load(planes.sum);
            for row in 0..height {
                let mut row_sum = zero;
                let (top, bottom) = clip(g, 0, row);
                for column in 0..width {
                    let (left, right) = clip(g, 1, column);
                    let (grad, index) = planes.output::<S>(row * width + column);
                    for ky in top..bottom {
                        let y = row * g.pool.stride[0] + ky - g.pool.padding[0];
                        for kx in left..right {
                            let x = column * g.pool.stride[1] + kx - g.pool.padding[1];
                            let to = planes.place(y, x, S::LANES);
                            let k = (ky * g.pool.kernel[1] + kx) as f32;
                            let share = S::select(S::equal(index, S::splat(k)), grad, zero);
                            row_sum = S::add(row_sum, share);
                            S::store(to, if tiles { share } else { S::add(S::load(to), share) });
                        }
                    }
                }
                sum = S::add(sum, row_sum);
            }
            S::store(planes.sum, sum);
        }
    }
}
