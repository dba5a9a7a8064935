//! The transforms of a row of pixels, weights or results, as vectors.
//!
//! With the matrices Aᵀ, G and Bᵀ of Toom and Cook for the points 0, 1, −1 (2 and −2; 1/2 and −1/2) and ∞, `M` results
//! of a correlation with `R` weights are Aᵀ[(G w) ⊙ (Bᵀ x)]: `T = M + R − 1` products instead of `M·R`.
//! Applied to rows and columns, T² instead of M²R² (Lavin and Gray 2016, arXiv:1509.09308). The
//! gradients need the transposed matrices A and Gᵀ alone.

use crate::cpu::simd::Simd;

/// `a + factor · b`.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn plus<S: Simd>(a: S::V, factor: f32, b: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { S::fma(S::splat(factor), b, a) }
}

/// Bᵀ x: from `T` inputs.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn input<S: Simd, const T: usize>(x: [S::V; T]) -> [S::V; T] {
    let mut v = x;
    // SAFETY: the caller's promise.
    unsafe {
        if T == 4 {
            v[0] = S::sub(x[0], x[2]);
            v[1] = S::add(x[1], x[2]);
            v[2] = S::sub(x[2], x[1]);
            v[3] = S::sub(x[3], x[1]);
        } else if T == 8 {
            v[0] = plus::<S>(S::sub(x[0], x[6]), 5.25, S::sub(x[4], x[2]));
            let even = plus::<S>(S::add(x[2], x[6]), -4.25, x[4]);
            let odd = plus::<S>(S::add(x[1], x[5]), -4.25, x[3]);
            v[1] = S::add(even, odd);
            v[2] = S::sub(even, odd);
            let even = plus::<S>(plus::<S>(x[6], -1.25, x[4]), 0.25, x[2]);
            let odd = plus::<S>(plus::<S>(x[5], -1.25, x[3]), 0.25, x[1]);
            v[3] = plus::<S>(even, 2.0, odd);
            v[4] = plus::<S>(even, -2.0, odd);
            let even = plus::<S>(plus::<S>(x[6], -5.0, x[4]), 4.0, x[2]);
            let odd = plus::<S>(plus::<S>(x[5], -5.0, x[3]), 4.0, x[1]);
            v[5] = plus::<S>(even, 0.5, odd);
            v[6] = plus::<S>(even, -0.5, odd);
            v[7] = plus::<S>(S::sub(x[7], x[1]), 5.25, S::sub(x[3], x[5]));
        } else {
            v[0] = plus::<S>(plus::<S>(x[4], -5.0, x[2]), 4.0, x[0]);
            let (even, odd) = (plus::<S>(x[4], -4.0, x[2]), plus::<S>(x[3], -4.0, x[1]));
            v[1] = S::add(even, odd);
            v[2] = S::sub(even, odd);
            let (even, odd) = (S::sub(x[4], x[2]), S::sub(x[3], x[1]));
            v[3] = plus::<S>(even, 2.0, odd);
            v[4] = plus::<S>(even, -2.0, odd);
            v[5] = plus::<S>(plus::<S>(x[5], -5.0, x[3]), 4.0, x[1]);
        }
    }
    v
}

/// Aᵀ m: `M` results of `T` sums of products.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn output<S: Simd, const M: usize, const T: usize>(m: [S::V; T]) -> [S::V; M] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut y = [S::splat(0.0); M];
        let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        y[0] = S::add(m[0], sum);
        y[1] = difference;
        if T >= 6 {
            let (sum_2, difference_2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            y[0] = S::add(y[0], sum_2);
            y[1] = plus::<S>(y[1], 2.0, difference_2);
            if M == 4 {
                y[2] = plus::<S>(sum, 4.0, sum_2);
                y[3] = plus::<S>(difference, 8.0, difference_2);
            }
        }
        if T == 8 {
            let (sum_half, difference_half) = (S::add(m[5], m[6]), S::sub(m[5], m[6]));
            y[0] = S::add(y[0], sum_half);
            y[1] = plus::<S>(y[1], 0.5, difference_half);
            y[2] = plus::<S>(y[2], 0.25, sum_half);
            y[3] = plus::<S>(y[3], 0.125, difference_half);
        }
        y[M - 1] = S::add(y[M - 1], m[T - 1]);
        y
    }
}

/// A d: from `M` gradients of results to those of the sums of products.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(super) unsafe fn gradient<S: Simd, const M: usize, const T: usize>(d: [S::V; M]) -> [S::V; T] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut z = [S::splat(0.0); T];
        z[0] = d[0];
        let (even, odd) = match M {
            4 => (S::add(d[0], d[2]), S::add(d[1], d[3])),
            _ => (d[0], d[1]),
        };
        z[1] = S::add(even, odd);
        z[2] = S::sub(even, odd);
        if T >= 6 {
            let (even, odd) = match M {
                4 => (plus::<S>(d[0], 4.0, d[2]), plus::<S>(d[1], 4.0, d[3])),
                _ => (d[0], d[1]),
            };
            z[3] = plus::<S>(even, 2.0, odd);
            z[4] = plus::<S>(even, -2.0, odd);
        }
        if T == 8 {
            let (even, odd) = (plus::<S>(d[0], 0.25, d[2]), plus::<S>(d[1], 0.25, d[3]));
            z[5] = plus::<S>(even, 0.5, odd);
            z[6] = plus::<S>(even, -0.5, odd);
        }
        z[T - 1] = d[M - 1];
        z
    }
}

/// G: row k holds the powers of point k, scaled so that Bᵀ needs few and short numbers alone.
pub(super) const fn weight_matrix<const R: usize, const T: usize>() -> [[f32; R]; T] {
    let points: [f64; 7] = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5];
    // One for a point and its opposite.
    let scales: [f64; 4] = match T {
        4 => [1.0, 0.5, 0.0, 0.0],
        6 => [1.0 / 4.0, -1.0 / 6.0, 1.0 / 24.0, 0.0],
        _ => [1.0, -2.0 / 9.0, 1.0 / 90.0, 32.0 / 45.0],
    };
    let mut g = [[0.0; R]; T];
    let mut k = 0;
    while k < T - 1 {
        let (mut power, mut j) = (scales[k.div_ceil(2)], 0);
        while j < R {
            g[k][j] = power as f32;
            power *= points[k];
            j += 1;
        }
        k += 1;
    }
    g[T - 1][R - 1] = 1.0;
    g
}

/// `matrix · v`, with a matrix that is known when the code is compiled.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(super) unsafe fn product<S: Simd, const N: usize, const K: usize>(
    matrix: &[[f32; K]; N],
    v: [S::V; K],
) -> [S::V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut result = [S::splat(0.0); N];
        for n in 0..N {
            for k in 0..K {
                result[n] = plus::<S>(result[n], matrix[n][k], v[k]);
            }
        }
        result
    }
}

/// G w Gᵀ of `LANES` kernels, `weights[row][column][kernel]`: the vectors of all positions, row by row.
///
/// # Safety
///
/// The processor has `S`, no vector of which is longer than 16 elements.
#[inline(always)]
pub(crate) unsafe fn kernels<S: Simd, const R: usize, const T: usize>(
    weights: &[[[f32; 16]; R]; R],
) -> [[S::V; T]; T] {
    let g = const { weight_matrix::<R, T>() };
    // SAFETY: the caller's promise.
    unsafe {
        let zero = S::splat(0.0);
        let mut half = [[zero; T]; R];
        for j in 0..R {
            let mut column = [zero; R];
            for i in 0..R {
                column[i] = S::load(weights[i][j].as_ptr());
            }
            half[j] = product::<S, T, R>(&g, column);
        }
        let mut all = [[zero; T]; T];
        for i in 0..T {
            let mut row = [zero; R];
            for j in 0..R {
                row[j] = half[j][i];
            }
            all[i] = product::<S, T, R>(&g, row);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Isa, Task};

    /// Correlates one row by its definition and by the transforms, and the gradients likewise.
    struct OneRow<const M: usize, const R: usize, const T: usize>;

    impl<const M: usize, const R: usize, const T: usize> Task for OneRow<M, R, T> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            let value = |i: usize| ((i * 7 + 3) % 11) as f32 - 5.0;
            let x: [f32; T] = std::array::from_fn(value);
            let w: [f32; R] = std::array::from_fn(|i| value(i + 20));
            let dy: [f32; M] = std::array::from_fn(|i| value(i + 40));
            let first = |v: S::V| {
                let mut lanes = [0.0; 16];
                // SAFETY: no vector is longer than 16.
                unsafe { S::store(lanes.as_mut_ptr(), v) };
                lanes[0]
            };
            let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-4, "{M} {R}: {a} is not {b}");
            // SAFETY: the processor is the caller's promise.
            unsafe {
                let g = const { weight_matrix::<R, T>() };
                let v = input::<S, T>(x.map(|x| S::splat(x)));
                let u = product::<S, T, R>(&g, w.map(|w| S::splat(w)));
                let zero = S::splat(0.0);
                let y = output::<S, M, T>(std::array::from_fn(|t| S::fma(u[t], v[t], zero)));
                for i in 0..M {
                    near(first(y[i]), (0..R).map(|j| x[i + j] * w[j]).sum());
                }
                let z = gradient::<S, M, T>(dy.map(|d| S::splat(d)));
                for j in 0..R {
                    // Gᵀ of the products.
                    let found = (0..T).map(|t| g[t][j] * first(z[t]) * first(v[t])).sum();
                    near(found, (0..M).map(|i| x[i + j] * dy[i]).sum());
                }
            }
        }
    }

    #[test]
    fn transforms_of_a_row_give_its_correlation_and_its_gradients() {
        for isa in Isa::available() {
            isa.run(OneRow::<2, 3, 4>);
            isa.run(OneRow::<4, 3, 6>);
            isa.run(OneRow::<2, 5, 6>);
            isa.run(OneRow::<4, 5, 8>);
        }
    }
}
