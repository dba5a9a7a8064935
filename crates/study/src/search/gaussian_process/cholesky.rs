//! A symmetric matrix as a triangle times itself.

/// The lower triangle L of K = L·Lᵀ, row by row.
pub(super) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Of the lower triangle of a symmetric matrix, row by row; `None` if it is not positive definite.
    pub(super) fn new(mut rows: Vec<Vec<f64>>) -> Option<Self> {
        for i in 0..rows.len() {
            let (before, row) = rows.split_at_mut(i);
            let row = &mut row[0];
            for (j, other) in before.iter().enumerate() {
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let rest = row[i] - dot(&row[..i], &row[..i]);
            // NaN is not above 0 either.
            if !(rest > 0.0 && rest.is_finite()) {
                return None;
            }
            row[i] = rest.sqrt();
        }
        Some(Self { rows })
    }

    /// x of L·x = `b`.
    pub(super) fn solve_lower(&self, b: &[f64]) -> Vec<f64> {
        let mut x = Vec::with_capacity(b.len());
        for (i, row) in self.rows.iter().enumerate() {
            x.push((b[i] - dot(&row[..i], &x)) / row[i]);
        }
        x
    }

    /// x of K·x = `b`.
    pub(super) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = self.solve_lower(b);
        for (i, row) in self.rows.iter().enumerate().rev() {
            x[i] /= row[i];
            let found = x[i];
            x[..i].iter_mut().zip(row).for_each(|(x, &l)| *x -= found * l);
        }
        x
    }

    /// The lower triangle of K⁻¹, row by row.
    pub(super) fn inverse(&self) -> Vec<Vec<f64>> {
        let count = self.rows.len();
        // L⁻¹ by columns, each from its diagonal down.
        let columns: Vec<Vec<f64>> = (0..count)
            .map(|first| {
                let mut column = vec![1.0 / self.rows[first][first]];
                for row in &self.rows[first + 1..] {
                    let at = first + column.len();
                    column.push(-dot(&row[first..at], &column) / row[at]);
                }
                column
            })
            .collect();
        let entry = |i: usize, j: usize| dot(&columns[i], &columns[j][i - j..]);
        (0..count).map(|i| (0..=i).map(|j| entry(i, j)).collect()).collect()
    }

    /// The logarithm of the determinant of K.
    pub(super) fn log_determinant(&self) -> f64 {
        2.0 * self.rows.iter().enumerate().map(|(i, row)| libm::log(row[i])).sum::<f64>()
    }
}

/// The sum of products, in an order that is always the same.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: K = numpy.array([[4., 2., .6], [2., 5., 1.], [.6, 1., 3.]]); numpy.linalg.inv(K),
    // numpy.linalg.solve(K, [1, 2, 3]) and numpy.linalg.slogdet(K)
    #[test]
    fn inverse_solution_and_determinant_are_those_of_numpy() {
        let cholesky = Cholesky::new(vec![vec![4.0], vec![2.0, 5.0], vec![0.6, 1.0, 3.0]]).unwrap();
        let inverse = cholesky.inverse();
        let expected = [
            vec![0.313_901_345_291_479_84],
            vec![-0.121_076_233_183_856_5, 0.260_986_547_085_201_8],
            vec![-0.022_421_524_663_677_13, -0.062_780_269_058_295_95, 0.358_744_394_618_834_06],
        ];
        for (row, expected) in inverse.iter().zip(expected) {
            for (found, expected) in row.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-14, "{found} {expected}");
            }
        }
        let solved = [0.004_484_304_932_735_439, 0.212_556_053_811_659_2, 0.928_251_121_076_233_1];
        for (found, expected) in cholesky.solve(&[1.0, 2.0, 3.0]).iter().zip(solved) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
        assert!((cholesky.log_determinant() - 3.797_733_859_026_018_3).abs() < 1e-14);
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_triangle() {
        assert!(Cholesky::new(vec![vec![1.0], vec![2.0, 1.0]]).is_none());
        assert!(Cholesky::new(vec![vec![f64::NAN]]).is_none());
    }
}
