//! AVX2 with fused multiply-add: x86-64 processors since 2013 (Haswell, Zen).

use super::vector::{Simd, Task};
use std::arch::x86_64::*;

/// 8 lanes, 16 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// The task, compiled for the instructions.
///
/// # Safety
///
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn compiled<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller vouches for the instructions.
    unsafe { task.run::<Avx2>() }
}

/// Transposes 8 × 8 elements.
///
/// # Safety
///
/// The processor has AVX2; 8 rows of 8 elements can be read and written at the given strides.
#[inline(always)]
pub(super) unsafe fn transpose8(from: *const f32, fs: usize, to: *mut f32, ts: usize) {
    // No closures here: they would be functions of their own, compiled without the instructions.
    // SAFETY: the caller vouches for the addresses and the instructions.
    unsafe {
        let mut r = [_mm256_setzero_ps(); 8];
        for i in 0..8 {
            r[i] = _mm256_loadu_ps(from.wrapping_add(i * fs));
        }
        // Interleave pairs of rows, then pairs of pairs, then exchange the 128-bit halves.
        let mut t = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut s = [_mm256_setzero_ps(); 8];
        for half in [0, 4] {
            s[half] = _mm256_shuffle_ps::<0x44>(t[half], t[half + 2]);
            s[half + 1] = _mm256_shuffle_ps::<0xee>(t[half], t[half + 2]);
            s[half + 2] = _mm256_shuffle_ps::<0x44>(t[half + 1], t[half + 3]);
            s[half + 3] = _mm256_shuffle_ps::<0xee>(t[half + 1], t[half + 3]);
        }
        for i in 0..4 {
            let (low, high) = (s[i], s[i + 4]);
            let to = to.wrapping_add(i * ts);
            _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(to.wrapping_add(4 * ts), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }
}

// SAFETY of every block below: the trait's caller vouches for the instructions and the addresses.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx2 {
    type V = __m256;
    type M = __m256;
    const LANES: usize = 8;
    // 12 accumulators + 3 + 1 = 16 registers.
    const BLOCK_C: usize = 3;
    const BLOCK_X: usize = 4;
    // 12 sums + 2 + 1 = 15 registers.
    const BLOCK_VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn enter<T: Task>(task: T) -> T::Output {
        unsafe { compiled(task) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        #[cfg(not(miri))]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.cast())
        }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe {
            let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
            _mm256_or_ps(nan, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b))
        }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm256_blendv_ps(no, yes, mask) }
    }
    #[inline(always)]
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        // Where one of both is NaN, x86 gives the second.
        unsafe { _mm256_min_ps(high, _mm256_max_ps(low, v)) }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe {
            let halves = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pairs = _mm_add_ps(halves, _mm_movehl_ps(halves, halves));
            _mm_cvtss_f32(_mm_add_ss(pairs, _mm_movehdup_ps(pairs)))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        unsafe {
            let words = _mm256_cvtps_epi32(v);
            let (low, high) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            let halves = _mm_packus_epi32(low, high);
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(halves, halves));
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        unsafe { transpose8(from, from_stride, to, to_stride) }
    }
}
