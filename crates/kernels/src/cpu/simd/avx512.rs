//! AVX-512F with VL: x86-64 servers since 2017 (Skylake-SP) and Zen 4.

use super::avx2::transpose8;
use super::vector::{Simd, Task};
use std::arch::x86_64::*;

/// 16 lanes, 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// The task, compiled for the instructions.
///
/// VL is for the compiler alone: without it the halves of a vector can only be read in the first 16 registers, and a
/// kernel that adds the lanes of its sums in the end uses only those for all of them, and the stack for the rest.
///
/// # Safety
///
/// The processor has AVX-512F and VL, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[inline(never)]
unsafe fn compiled<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller vouches for the instructions.
    unsafe { task.run::<Avx512>() }
}

/// The lanes for which a comparison holds.
///
/// # Safety
///
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn compare<const HOW: i32>(a: __m512, b: __m512) -> __mmask16 {
    #[cfg(not(miri))]
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        _mm512_cmp_ps_mask::<HOW>(a, b)
    }
    // Miri, which no processor limits, knows the comparison of halves only.
    #[cfg(miri)]
    // SAFETY: as above, and vectors of twice the width are two vectors.
    unsafe {
        let [a, b]: [[__m256; 2]; 2] = std::mem::transmute([a, b]);
        let half = |i: usize| _mm256_movemask_ps(_mm256_cmp_ps::<HOW>(a[i], b[i])) as __mmask16;
        half(0) | half(1) << 8
    }
}

/// The whole numbers in the lanes.
///
/// # Safety
///
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn round(v: __m512) -> __m512i {
    #[cfg(not(miri))]
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        _mm512_cvtps_epi32(v)
    }
    #[cfg(miri)]
    // SAFETY: as in `compare`.
    unsafe {
        let v: [__m256; 2] = std::mem::transmute(v);
        std::mem::transmute([_mm256_cvtps_epi32(v[0]), _mm256_cvtps_epi32(v[1])])
    }
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
    // 24 sums + 4 + 1 = 29 registers.
    const BLOCK_VECTORS: usize = 4;

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
    unsafe fn prefetch(from: *const f32) {
        #[cfg(not(miri))]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.cast())
        }
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
        unsafe { compare::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe { compare::<_CMP_UNORD_Q>(a, a) | compare::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }
    #[inline(always)]
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        // Where one of both is NaN, x86 gives the second.
        unsafe { _mm512_min_ps(high, _mm512_max_ps(low, v)) }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    unsafe fn add_sums<const N: usize>(to: *mut f32, vectors: [Self::V; N]) {
        unsafe {
            for i in (0..N / 4 * 4).step_by(4) {
                let four = [vectors[i], vectors[i + 1], vectors[i + 2], vectors[i + 3]];
                let to = to.wrapping_add(i);
                _mm_storeu_ps(to, _mm_add_ps(_mm_loadu_ps(to), sums_of_four(four)));
            }
            for i in N / 4 * 4..N {
                *to.wrapping_add(i) += Self::sum(vectors[i]);
            }
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(round(v))) }
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

/// The sums of four vectors' lanes: halves, quarters, pairs and their elements are added, as
/// `_mm512_reduce_add_ps` does it, but those of the four together.
///
/// # Safety
///
/// The processor has AVX-512.
#[inline(always)]
unsafe fn sums_of_four([a, b, c, d]: [__m512; 4]) -> __m128 {
    // SAFETY: the caller's promise.
    unsafe {
        let halves = |a, b| {
            let (low, high) =
                (_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xEE>(a, b));
            _mm512_add_ps(low, high)
        };
        let (ab, cd) = (halves(a, b), halves(c, d));
        let even = _mm512_shuffle_f32x4::<0x88>(ab, cd);
        let quarters = _mm512_add_ps(even, _mm512_shuffle_f32x4::<0xDD>(ab, cd));
        let pairs = _mm512_add_ps(quarters, _mm512_permute_ps::<0b0100_1110>(quarters));
        let sums = _mm512_add_ps(pairs, _mm512_permute_ps::<0b1011_0001>(pairs));
        let firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
        _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, sums))
    }
}
