//! AVX-512F: x86-64 servers since 2017 (Skylake-SP) and Zen 4.

use super::avx2::transpose8;
use super::{Simd, Task};
use std::arch::x86_64::*;

/// 16 lanes, 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// The task, compiled for the instructions.
///
/// # Safety
///
/// The processor has AVX-512F, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
unsafe fn compiled<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller vouches for the instructions.
    unsafe { task.run::<Avx512>() }
}

// SAFETY of every block below: the trait's caller vouches for the instructions and the addresses.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx512 {
    type V = __m512;
    type M = __mmask16;
    const LANES: usize = 16;
    // 24 accumulators + 6 + 1 = 31 registers.
    const BLOCK_C: usize = 6;
    const BLOCK_X: usize = 4;

    #[inline(always)]
    unsafe fn enter<T: Task>(task: T) -> T::Output {
        unsafe { compiled(task) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) | _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v))) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for i in [0, 8] {
            for j in [0, 8] {
                let from = from.wrapping_add(i * from_stride + j);
                let to = to.wrapping_add(j * to_stride + i);
                unsafe { transpose8(from, from_stride, to, to_stride) }
            }
        }
    }
}
