//! The sigmoid and the hyperbolic tangent, in plain operations that the compiler turns into vectors.

use super::gelu::exp_of_minus;

/// 1 / (1 + exp(-x)). A NaN stays one.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let small = exp_of_minus(x.abs());
    let above = if x < 0.0 { small } else { 1.0 };
    // A number in the place of NaN would be hidden by the function of its absolute value.
    if x.is_nan() { x } else { above / (1.0 + small) }
}

/// The hyperbolic tangent. A NaN stays one.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let small = exp_of_minus(2.0 * a);
    let far = (1.0 - small) / (1.0 + small);
    // Near 0 the difference above has few digits; the series is within 2e-9 of the function there.
    let square = x * x;
    let series = 1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0)));
    let positive = if a < 0.15 { a * series } else { far };
    let value = if x < 0.0 { -positive } else { positive };
    if x.is_nan() { x } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_those_of_the_definition_and_a_nan_stays_one() {
        for i in -4000..=4000 {
            let x = i as f32 * 0.0271;
            let exact = f64::from(x);
            let (a, b) = (f64::from(sigmoid(x)), 1.0 / (1.0 + (-exact).exp()));
            assert!((a - b).abs() < 2e-7, "{a} and {b} for {x}");
            for x in [x, 0.01 * x] {
                let (a, b) = (f64::from(tanh(x)), f64::from(x).tanh());
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} and {b} for {x}");
            }
        }
        for x in [1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!([sigmoid(x), tanh(x)], [if x > 0.0 { 1.0 } else { 0.0 }, x.signum()]);
        }
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
