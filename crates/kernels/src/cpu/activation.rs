//! Activations of vectors.

use super::simd::Simd;
use crate::ops::FusedActivation;

/// The activation of a vector. A NaN stays one.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn activated<S: Simd>(activation: FusedActivation, y: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let (zero, six) = (S::splat(0.0), S::splat(6.0));
        let above = S::select(S::greater_or_nan(y, zero), y, zero);
        match activation {
            FusedActivation::None => y,
            FusedActivation::Relu => above,
            FusedActivation::Relu6 => S::select(is_below_six::<S>(above), above, six),
        }
    }
}

/// The gradients that the activation of `y` lets through.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn passed<S: Simd>(activation: FusedActivation, y: S::V, grad: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = S::splat(0.0);
        let above = S::select(S::greater_or_nan(y, zero), grad, zero);
        match activation {
            FusedActivation::None => grad,
            FusedActivation::Relu => above,
            FusedActivation::Relu6 => S::select(is_below_six::<S>(y), above, zero),
        }
    }
}

/// Where values are below 6, or NaN.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn is_below_six<S: Simd>(y: S::V) -> S::M {
    // SAFETY: the caller's promise.
    unsafe { S::greater_or_nan(S::sub(S::splat(6.0), y), S::splat(0.0)) }
}
