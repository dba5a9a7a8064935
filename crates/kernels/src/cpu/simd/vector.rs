//! What a kernel is written in: vectors, and tasks that are compiled for each kind of them.

/// Vectors of `f32` in one instruction set.
///
/// # Safety
///
/// An implementation may use instructions that not every processor has. All functions may only be
/// called where the instruction set has been found at run time, that is below [`Isa::run`].
pub(crate) trait Simd: Copy + 'static {
    /// A vector of [`LANES`](Simd::LANES) elements.
    type V: Copy;
    /// The result of a comparison, one truth value a lane.
    type M: Copy;
    /// Elements in a vector: the images that are computed together.
    const LANES: usize;
    /// Output channels of the largest register block. With [`BLOCK_X`](Simd::BLOCK_X) it is chosen so
    /// that the accumulators, one operand of each kind and a spare fit in the register file.
    const BLOCK_C: usize;
    /// Pixels (forward) or kernel offsets (weight gradient) of the largest register block.
    const BLOCK_X: usize;
    /// Vectors in a row of the largest register block of a product of matrices, which has 6 rows.
    const BLOCK_VECTORS: usize;

    /// Runs a task in a function of its own that is compiled for the instruction set. What is in it
    /// competes for registers with nothing else.
    unsafe fn enter<T: Task>(task: T) -> T::Output;
    /// All lanes `value`.
    unsafe fn splat(value: f32) -> Self::V;
    /// Reads `LANES` elements from an address of any alignment.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Asks for the cache line of an address, which need not be a valid one, where the processor can be asked.
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    /// Writes `LANES` elements to an address of any alignment.
    unsafe fn store(to: *mut f32, v: Self::V);
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a == b`; false where one of them is NaN.
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M;
    /// `a > b`, or `a` is NaN.
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M;
    /// `yes` where the mask is set, else `no`.
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// `v`, but not below `low` and not above `high`. A NaN stays one.
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V;
    /// Sum of all lanes.
    unsafe fn sum(v: Self::V) -> f32;
    /// Adds the sum of each vector's lanes to one of `N` elements, with the bits of [`sum`](Simd::sum).
    #[inline(always)]
    unsafe fn add_sums<const N: usize>(to: *mut f32, vectors: [Self::V; N]) {
        for i in 0..N {
            // SAFETY: the caller vouches for `N` elements, and for the processor.
            unsafe { *to.wrapping_add(i) += Self::sum(vectors[i]) };
        }
    }
    /// Writes lanes that hold whole numbers from 0 to 255 as bytes.
    unsafe fn store_bytes(to: *mut u8, v: Self::V);
    /// Reads bytes as values from 0 to 255.
    unsafe fn load_bytes(from: *const u8) -> Self::V;
    /// Transposes a block of `LANES` × `LANES` elements; rows are `stride` elements apart.
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);
}

/// Work that is compiled once for every instruction set.
pub(crate) trait Task {
    /// What the work returns.
    type Output;
    /// Does the work. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    ///
    /// The processor has the instructions of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Pixels or kernel offsets of the largest register block with `channels` output channels: few channels leave
/// registers for more of them, and one channel needs 8 accumulators to keep the multipliers busy.
#[inline(always)]
pub(crate) const fn block_x<S: Simd>(channels: usize) -> usize {
    match channels {
        1 => 8,
        2 => 6,
        _ => S::BLOCK_X,
    }
}
