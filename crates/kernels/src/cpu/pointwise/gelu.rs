//! x · Φ(x).

use super::Function;

/// GELU.
#[derive(Clone, Copy)]
pub(crate) struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * normal(x).below
    }

    #[inline(always)]
    fn gradient(self, x: f32, grad: f32) -> f32 {
        let Normal { below, density } = normal(x);
        (below + x * density) * grad
    }
}

/// The standard normal distribution at one place.
struct Normal {
    /// Φ(x), the share below x.
    below: f32,
    /// φ(x) = exp(−x² / 2) / √2π.
    density: f32,
}

/// Φ(−a) · exp(a² / 2) / t for a ≥ 0 as a polynomial in t = 1 / (1 + [`NEARNESS`] · a), by falling powers. The form is
/// that of Abramowitz and Stegun (1964), 7.1.26, with two terms more: fitted by least squares, reweighted until no
/// error stood out, it is within 4e-8 of Φ.
const TAIL: [f32; 8] = [
    0.034_288_965,
    -0.135_214_36,
    0.144_292_65,
    -0.005_329_446_6,
    0.105_317_9,
    0.109_104_78,
    0.123_872_55,
    0.123_666_99,
];
const NEARNESS: f32 = 0.31;

/// A NaN gives NaNs.
#[inline(always)]
fn normal(x: f32) -> Normal {
    let a = x.abs();
    let t = 1.0 / (1.0 + NEARNESS * a);
    let mut tail = TAIL[0];
    for factor in &TAIL[1..] {
        tail = tail * t + factor;
    }
    let bell = exp_of_minus(0.5 * (a * a));
    let tail = tail * t * bell;
    const DENSITY_OF_0: f32 = 0.398_942_3;
    Normal { below: if x < 0.0 { tail } else { 1.0 - tail }, density: DENSITY_OF_0 * bell }
}

/// exp(−s) for s ≥ 0; 0 for s above 87, where the result would lose digits. A NaN gives some number.
#[inline(always)]
pub(super) fn exp_of_minus(s: f32) -> f32 {
    // Adding it rounds a small number to a whole one, which is then in the last bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has so few digits that its product with a whole number is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let lasts = s <= 87.0;
    let s = if lasts { s } else { 87.0 };
    let shifted = ROUND - s * std::f32::consts::LOG2_E;
    let whole = shifted - ROUND;
    let rest = (-s - whole * LN_2[0]) - whole * LN_2[1];
    // The series of exp, whose rest is below 1e-8 for |rest| ≤ ln 2 / 2.
    let mut power = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        power = power * rest + factor;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    if lasts { power * f32::from_bits(exponent) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::pointwise::{PIECE, gradients, values};
    use crate::cpu::simd::Isa;
    use crate::cpu::threads::tests::on;

    /// Places that cover all of it: near 0, where results end, and beyond.
    fn places() -> Vec<f32> {
        let dense = (-1400..=1400).map(|i| i as f32 * 0.01);
        dense.chain([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, 3.0e38, -3.0e38]).collect()
    }

    /// ∫ exp(−u² / 2) / √2π of u from `from` on, by Simpson's rule: an own way to the same number.
    fn above(from: f64) -> f64 {
        let (steps, to) = (20_000, from + 12.0);
        let density = |u: f64| (-0.5 * u * u).exp() / std::f64::consts::TAU.sqrt();
        let width = (to - from) / f64::from(steps);
        let weight = |i| {
            if i == 0 || i == steps {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let sum: f64 = (0..=steps).map(|i| weight(i) * density(from + f64::from(i) * width)).sum();
        sum * width / 3.0
    }

    #[test]
    fn values_and_slopes_are_those_of_the_integral_on_every_instruction_set() {
        let x: Vec<f32> = (-28..=28).map(|i| i as f32 * 0.37).collect();
        let ones = vec![1.0; x.len()];
        for isa in Isa::available() {
            let (y, dx) = (values(isa, Gelu, &x), gradients(isa, Gelu, &x, &ones));
            for (i, x) in x.iter().map(|x| f64::from(*x)).enumerate() {
                let below = if x < 0.0 { above(-x) } else { 1.0 - above(x) };
                let slope = below + x * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
                let (y, dx) = (f64::from(y[i]), f64::from(dx[i]));
                assert!((y - x * below).abs() < 4e-7, "{isa:?}: {y} for {x}");
                assert!((dx - slope).abs() < 4e-7, "{isa:?}: slope {dx} for {x}");
            }
        }
    }

    #[test]
    fn all_instruction_sets_and_numbers_of_threads_give_the_same_bits() {
        let x: Vec<f32> = places().into_iter().cycle().take(3 * PIECE + 7).collect();
        let grad: Vec<f32> = x.iter().map(|x| 0.3 - x.fract()).collect();
        let bits = |isa| {
            let both = [values(isa, Gelu, &x), gradients(isa, Gelu, &x, &grad)];
            both.map(|values| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>())
        };
        let expected = bits(Isa::Portable);
        for isa in Isa::available() {
            for threads in [1, 3] {
                assert!(on(threads, || bits(isa)) == expected, "{isa:?} with {threads}");
            }
        }
    }

    #[test]
    fn nothing_overflows_and_a_nan_stays_one() {
        let x = places();
        let (y, dx) = (values(Isa::current(), Gelu, &x), gradients(Isa::current(), Gelu, &x, &x));
        assert!(y.iter().chain(dx.iter().take(2801)).all(|v| v.is_finite()));
        for (x, y) in x.iter().zip(y.iter()) {
            let far = x.abs() > 14.0;
            assert!(!far || *y == x.max(0.0), "{y} for {x}");
        }
        let nan = [f32::NAN];
        assert!(values(Isa::current(), Gelu, &nan)[0].is_nan());
        assert!(gradients(Isa::current(), Gelu, &nan, &[1.0])[0].is_nan());
    }
}
