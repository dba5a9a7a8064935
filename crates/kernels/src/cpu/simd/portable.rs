//! Vectors as arrays: what the compiler makes of them depends on the target.

use super::vector::{Simd, Task};

/// Number of lanes: the width of SSE2, NEON and WebAssembly registers.
const LANES: usize = 4;

/// The fallback for processors without one of the other instruction sets.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    type V = [f32; LANES];
    type M = [bool; LANES];
    const LANES: usize = LANES;
    // 8 accumulators of the 16 registers of SSE2: without fused multiply-add, products need registers.
    const BLOCK_C: usize = 2;
    const BLOCK_X: usize = 4;
    // 12 sums + 2 + 1 and a product = 16 registers.
    const BLOCK_VECTORS: usize = 2;

    #[inline(never)]
    unsafe fn enter<T: Task>(task: T) -> T::Output {
        // SAFETY: no particular instruction is needed.
        unsafe { task.run::<Self>() }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for LANES readable elements.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for LANES writable elements.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // `f32::mul_add` would call a library function where the target has no such instruction.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M {
        std::array::from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        std::array::from_fn(|i| a[i] > b[i] || a[i].is_nan())
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|i| if mask[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        let one = |i: usize| {
            let above = if v[i] < low[i] { low[i] } else { v[i] };
            if above > high[i] { high[i] } else { above }
        };
        std::array::from_fn(one)
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        v.iter().sum()
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        // SAFETY: the caller vouches for LANES writable bytes.
        unsafe { to.cast::<[u8; LANES]>().write_unaligned(v.map(|x| x as u8)) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        // SAFETY: the caller vouches for LANES readable bytes.
        unsafe { from.cast::<[u8; LANES]>().read_unaligned().map(f32::from) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for i in 0..LANES {
            for j in 0..LANES {
                // SAFETY: the caller vouches for LANES rows of LANES elements on both sides.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) };
            }
        }
    }
}
