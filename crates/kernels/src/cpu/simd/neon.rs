//! NEON: every 64-bit Arm processor.

use super::vector::{Simd, Task};
use std::arch::aarch64::*;

/// 4 lanes, 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

/// The task, compiled for the instructions.
///
/// # Safety
///
/// The processor has NEON.
#[target_feature(enable = "neon")]
#[inline(never)]
unsafe fn compiled<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller vouches for the instructions.
    unsafe { task.run::<Neon>() }
}

// SAFETY of every block below: the trait's caller vouches for the instructions and the addresses.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Neon {
    type V = float32x4_t;
    type M = uint32x4_t;
    const LANES: usize = 4;
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
        unsafe { vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { vst1q_f32(to, v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M {
        unsafe { vceqq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe { vorrq_u32(vcgtq_f32(a, b), vmvnq_u32(vceqq_f32(a, a))) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { vbslq_f32(mask, yes, no) }
    }
    #[inline(always)]
    unsafe fn clamp(v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        unsafe { vminq_f32(vmaxq_f32(v, low), high) }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe { vaddvq_f32(v) }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V) {
        unsafe {
            let halves = vmovn_u32(vcvtq_u32_f32(v));
            let bytes = vmovn_u16(vcombine_u16(halves, halves));
            let word = vget_lane_u32::<0>(vreinterpret_u32_u8(bytes));
            to.cast::<u32>().write_unaligned(word);
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        unsafe {
            let word = from.cast::<u32>().read_unaligned();
            let halves = vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word))));
            vcvtq_f32_u32(vmovl_u16(halves))
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        unsafe {
            let (r0, r1) = (vld1q_f32(from), vld1q_f32(from.wrapping_add(from_stride)));
            let r2 = vld1q_f32(from.wrapping_add(2 * from_stride));
            let r3 = vld1q_f32(from.wrapping_add(3 * from_stride));
            let (a, b) = (vtrnq_f32(r0, r1), vtrnq_f32(r2, r3));
            let t0 = vcombine_f32(vget_low_f32(a.0), vget_low_f32(b.0));
            let t1 = vcombine_f32(vget_low_f32(a.1), vget_low_f32(b.1));
            let t2 = vcombine_f32(vget_high_f32(a.0), vget_high_f32(b.0));
            let t3 = vcombine_f32(vget_high_f32(a.1), vget_high_f32(b.1));
            vst1q_f32(to, t0);
            vst1q_f32(to.wrapping_add(to_stride), t1);
            vst1q_f32(to.wrapping_add(2 * to_stride), t2);
            vst1q_f32(to.wrapping_add(3 * to_stride), t3);
        }
    }
}
