//! WebAssembly's own vectors. A program that is compiled for them runs nowhere else, so they take the place of the
//! portable ones.

use std::arch::wasm32::*;

use super::vector::{Simd, Task};

/// 4 lanes; the registers are those of the processor below.
#[derive(Clone, Copy)]
pub(crate) struct Wasm;

// SAFETY of every block below: the trait's caller vouches for the addresses.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Wasm {
    type V = v128;
    type M = v128;
    const LANES: usize = 4;
    // As the portable ones, for the 16 registers of SSE2.
    const BLOCK_C: usize = 2;
    const BLOCK_X: usize = 4;
    const BLOCK_VECTORS: usize = 2;

    #[inline(never)]
    unsafe fn enter<T: Task>(task: T) -> T::Output {
        unsafe { task.run::<Self>() }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        f32x4_splat(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { v128_store(to.cast(), v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        f32x4_add(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Its fused multiply-add is "relaxed": the bits would depend on the computer.
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M {
        f32x4_eq(a, b)
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        v128_or(f32x4_gt(a, b), f32x4_ne(a, a))
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        v128_bitselect(yes, no, mask)
    }
    #[inline(always)]
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        f32x4_min(f32x4_max(v, low), high)
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        let lane = [f32x4_extract_lane::<0>(v), f32x4_extract_lane::<1>(v)];
        lane[0] + lane[1] + f32x4_extract_lane::<2>(v) + f32x4_extract_lane::<3>(v)
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        let words = i32x4_trunc_sat_f32x4(v);
        let halves = i16x8_narrow_i32x4(words, words);
        unsafe { v128_store32_lane::<0>(u8x16_narrow_i16x8(halves, halves), to.cast()) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        let bytes = unsafe { v128_load32_zero(from.cast()) };
        f32x4_convert_i32x4(u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes)))
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        unsafe {
            let row = |i: usize| v128_load(from.wrapping_add(i * from_stride).cast());
            let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
            let (a, b) = (i32x4_shuffle::<0, 4, 1, 5>(r0, r1), i32x4_shuffle::<2, 6, 3, 7>(r0, r1));
            let (c, d) = (i32x4_shuffle::<0, 4, 1, 5>(r2, r3), i32x4_shuffle::<2, 6, 3, 7>(r2, r3));
            let column = |i: usize, v: v128| v128_store(to.wrapping_add(i * to_stride).cast(), v);
            column(0, i64x2_shuffle::<0, 2>(a, c));
            column(1, i64x2_shuffle::<1, 3>(a, c));
            column(2, i64x2_shuffle::<0, 2>(b, d));
            column(3, i64x2_shuffle::<1, 3>(b, d));
        }
    }
}
