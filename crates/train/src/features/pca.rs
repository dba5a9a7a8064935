//! Principal components of features.

use rayon::prelude::*;
use selvedge_data::SplitMix64;
use selvedge_models::symmetric::eigen;

use super::Features;
use crate::TrainError;
use crate::error::require;

/// More vectors than components are iterated, so that the last component comes out as fast as the first.
const MORE: usize = 10;
/// What a component may be off, relative to the largest variance.
const TOLERANCE: f64 = 1e-10;
/// The share of the whole variance below which a direction has none but that of rounding.
const NOTHING: f64 = 1e-14;
const MOST_ITERATIONS: usize = 300;
/// Columns that are summed together: few enough for their sums to stay in the cache.
const COLUMNS: usize = 64;

/// The directions in which features vary the most (Pearson, 1901), by subspace iteration (Halko et al., "Finding structure
/// with randomness", 2011, arXiv 0909.4061) until they no longer move.
///
/// They are scikit-learn's, its convention for their signs included: the entry of the largest size is positive. The
/// same features give the same bits whatever the number of threads.
///
/// ```
/// use selvedge_train::features::{Features, Pca};
///
/// let classes = vec!["a".to_string()];
/// let values = vec![0.0, 0.0, 1.0, 2.0, 2.0, 4.0];
/// let features = Features::from_values(values, [2, 1, 1], vec![0; 3], classes)?;
/// let pca = Pca::fit(&features, 1)?;
/// assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-9);
/// let along: Vec<f64> = pca.project(&features)?.into_iter().map(|point| point[0]).collect();
/// assert!((along[2] - 5f64.sqrt()).abs() < 1e-9 && along[1].abs() < 1e-9);
/// # Ok::<(), selvedge_train::TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pca {
    mean: Vec<f64>,
    /// `[component, feature]`
    components: Vec<Vec<f64>>,
    variances: Vec<f64>,
    total: f64,
}

impl Pca {
    /// The first `components` of them, the largest variance first. Directions in which nothing varies are zeros.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for fewer than two images, for no components or more of them than there are images or
    /// features, and for features that are NaN or infinite.
    pub fn fit(features: &Features, components: usize) -> Result<Self, TrainError> {
        let (images, size) = (features.len(), features.size());
        require(images >= 2, "the number of images", images, "at least 2")?;
        let expected = "at least 1, and at most the number of images and of features";
        let fits = (1..=images.min(size)).contains(&components);
        require(fits, "the number of components", components, expected)?;
        features.require_finite()?;
        let data = Centered::new(features);
        let count = (components + MORE).min(images.min(size));
        // Any start but one across the components does.
        let mut rng = SplitMix64::new(0);
        let mut q: Vec<f64> = (0..size * count).map(|_| rng.unit() - 0.5).collect();
        let mut variances = vec![0.0; count];
        for _ in 0..MOST_ITERATIONS {
            orthonormalize(&mut q, count);
            let z = data.times(&q, count);
            let (values, u) = eigen(gram(&z, count), count);
            variances.iter_mut().zip(&values).for_each(|(to, v)| *to = v / (images as f64 - 1.0));
            q = rotated(&q, &u, count);
            // The covariance times each vector, which is the vector times its variance once it no longer moves.
            let mut next = data.transposed_times(&rotated(&z, &u, count), count);
            next.iter_mut().for_each(|value| *value /= images as f64 - 1.0);
            let off = (0..components).map(|c| {
                let rest = q.chunks(count).zip(next.chunks(count));
                rest.map(|(q, next)| (next[c] - variances[c] * q[c]).powi(2)).sum::<f64>().sqrt()
            });
            if off.fold(0.0, f64::max) <= TOLERANCE * variances[0] {
                break;
            }
            q = next;
        }
        // Where it ended with the last iteration, the vectors still carry their variances.
        orthonormalize(&mut q, count);
        let column = |c: usize| q.chunks(count).map(move |row| row[c]).collect();
        let mut components: Vec<Vec<f64>> = (0..components).map(column).collect();
        variances.truncate(components.len());
        let total = data.total_variance();
        for (component, variance) in components.iter_mut().zip(&mut variances) {
            match *variance > NOTHING * total {
                true => positive(component),
                false => (*variance, *component) = (0.0, vec![0.0; size]),
            }
        }
        Ok(Self { total, mean: data.mean, components, variances })
    }

    /// The mean of the features.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The directions, one after the other, each with an entry for every feature and of length 1.
    pub fn components(&self) -> &[Vec<f64>] {
        &self.components
    }

    /// The variance along each of them, divided by one less than the number of images.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variances
    }

    /// The share of the whole variance along each of them; 0 where nothing varies.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let share = |variance: &f64| if self.total > 0.0 { variance / self.total } else { 0.0 };
        self.variances.iter().map(share).collect()
    }

    /// Where each image lies along the components, from the mean.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for features of another size.
    pub fn project(&self, features: &Features) -> Result<Vec<Vec<f64>>, TrainError> {
        let expected = "as many as the components have entries";
        let size = features.size();
        require(size == self.mean.len(), "the number of features", size, expected)?;
        let along = |image: &[f32], component: &[f64]| -> f64 {
            let centered = image.iter().zip(&self.mean).map(|(x, mean)| f64::from(*x) - mean);
            centered.zip(component).map(|(x, c)| x * c).sum()
        };
        let point = |i| self.components.iter().map(|c| along(features.image(i), c)).collect();
        Ok((0..features.len()).into_par_iter().map(point).collect())
    }
}

/// Features without their mean, which is subtracted as they are read.
struct Centered<'a> {
    features: &'a Features,
    mean: Vec<f64>,
}

impl<'a> Centered<'a> {
    fn new(features: &'a Features) -> Self {
        let mut mean = vec![0.0; features.size()];
        for i in 0..features.len() {
            mean.iter_mut().zip(features.image(i)).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        mean.iter_mut().for_each(|sum| *sum /= features.len() as f64);
        Self { features, mean }
    }

    fn total_variance(&self) -> f64 {
        let image = |i| {
            let centered = self.features.image(i).iter().zip(&self.mean);
            centered.map(|(x, mean)| (f64::from(*x) - mean).powi(2)).sum::<f64>()
        };
        (0..self.features.len()).map(image).sum::<f64>() / (self.features.len() as f64 - 1.0)
    }

    /// The features times `q`, `[feature, count]`: `[image, count]`.
    fn times(&self, q: &[f64], count: usize) -> Vec<f64> {
        let mut z = vec![0.0; self.features.len() * count];
        z.par_chunks_mut(count).enumerate().for_each(|(i, row)| {
            let image = self.features.image(i).iter().zip(&self.mean);
            for ((x, mean), q) in image.zip(q.chunks(count)) {
                add_scaled(row, f64::from(*x) - mean, q);
            }
        });
        z
    }

    /// The features, transposed, times `z`, `[image, count]`: `[feature, count]`. Every sum is made by one thread.
    fn transposed_times(&self, z: &[f64], count: usize) -> Vec<f64> {
        let mut w = vec![0.0; self.mean.len() * count];
        w.par_chunks_mut(COLUMNS * count).enumerate().for_each(|(block, rows)| {
            let first = block * COLUMNS;
            for (i, z) in z.chunks(count).enumerate() {
                let image = self.features.image(i)[first..].iter().zip(&self.mean[first..]);
                for (row, (x, mean)) in rows.chunks_mut(count).zip(image) {
                    add_scaled(row, f64::from(*x) - mean, z);
                }
            }
        });
        w
    }
}

fn add_scaled(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

/// Zᵀ Z of `z`, `[row, count]`.
fn gram(z: &[f64], count: usize) -> Vec<f64> {
    let mut gram = vec![0.0; count * count];
    for row in z.chunks(count) {
        for (to, value) in gram.chunks_mut(count).zip(row) {
            add_scaled(to, *value, row);
        }
    }
    gram
}

/// `x`, `[row, count]`, times `u`, `[count, count]`.
fn rotated(x: &[f64], u: &[f64], count: usize) -> Vec<f64> {
    let mut result = vec![0.0; x.len()];
    result.par_chunks_mut(count).zip(x.par_chunks(count)).for_each(|(to, row)| {
        for (value, u) in row.iter().zip(u.chunks(count)) {
            add_scaled(to, *value, u);
        }
    });
    result
}

/// Makes the columns of `q`, `[row, count]`, orthonormal (Gram and Schmidt); one that depends on those before it becomes
/// zeros.
fn orthonormalize(q: &mut [f64], count: usize) {
    let dot =
        |q: &[f64], a: usize, b: usize| q.chunks(count).map(|row| row[a] * row[b]).sum::<f64>();
    for column in 0..count {
        let before = dot(q, column, column).sqrt();
        // Twice, as rounding leaves something the first time.
        for _ in 0..2 {
            for other in 0..column {
                let along = dot(q, column, other);
                q.chunks_mut(count).for_each(|row| row[column] -= along * row[other]);
            }
        }
        let length = dot(q, column, column).sqrt();
        let scale = if length > 1e-12 * before { 1.0 / length } else { 0.0 };
        q.chunks_mut(count).for_each(|row| row[column] *= scale);
    }
}

/// Turns a direction round if its entry of the largest size, the first of several, is negative.
fn positive(component: &mut [f64]) {
    let largest = component.iter().fold(0.0, |m: f64, v| if v.abs() > m.abs() { *v } else { m });
    if largest < 0.0 {
        component.iter_mut().for_each(|value| *value = -*value);
    }
}
