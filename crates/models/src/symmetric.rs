//! Eigenvalues of small symmetric matrices.

/// Rounds over all pairs; five to ten are usual.
const MOST_ROUNDS: usize = 60;

/// The eigenvalues of a symmetric matrix `[n, n]`, the largest first, and the eigenvectors as the columns of a matrix
/// `[n, n]`, by Jacobi's rotations (1846).
pub fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let size: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..MOST_ROUNDS {
        let beside = |a: &[f64]| {
            let all = a.iter().enumerate().filter(|(i, _)| i / n != i % n);
            all.map(|(_, x)| x * x).sum::<f64>()
        };
        if beside(&a) <= 1e-30 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, (p, q));
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[j * n + j].total_cmp(&a[i * n + i]));
    let values = order.iter().map(|i| a[i * n + i].max(0.0)).collect();
    let vectors = (0..n).flat_map(|row| order.iter().map(move |i| (row, *i)));
    let vectors = vectors.map(|(row, i)| v[row * n + i]).collect();
    (values, vectors)
}

/// Turns the plane of two axes so that the entry of both is 0.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let entry = a[p * n + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * entry);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    let turn = |x: f64, y: f64| (c * x - s * y, s * x + c * y);
    for i in 0..n {
        (a[i * n + p], a[i * n + q]) = turn(a[i * n + p], a[i * n + q]);
    }
    for i in 0..n {
        (a[p * n + i], a[q * n + i]) = turn(a[p * n + i], a[q * n + i]);
        (v[i * n + p], v[i * n + q]) = turn(v[i * n + p], v[i * n + q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_put_together_again_by_its_eigenvectors() {
        let n = 7;
        let value = |i: usize, j: usize| ((3 * i * j + 5 * (i + j)) as f64).sin();
        let a: Vec<f64> = (0..n * n).map(|at| value(at / n, at % n)).collect();
        // Its square has no negative eigenvalues, which are told as 0.
        let entry = |i: usize, j: usize| (0..n).map(|k| a[i * n + k] * a[k * n + j]).sum::<f64>();
        let square: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
        let (values, v) = eigen(square.clone(), n);
        assert!(values.is_sorted_by(|a, b| a >= b));
        for (at, expected) in square.iter().enumerate() {
            let (i, j) = (at / n, at % n);
            let sum: f64 = (0..n).map(|k| values[k] * v[i * n + k] * v[j * n + k]).sum();
            assert!((sum - expected).abs() < 1e-12, "{sum} {expected}");
            let dot: f64 = (0..n).map(|k| v[k * n + i] * v[k * n + j]).sum();
            assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
        }
        assert_eq!(eigen(vec![0.0; 4], 2).0, [0.0, 0.0]);
    }
}
