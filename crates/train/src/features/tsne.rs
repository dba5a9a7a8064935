//! A map of features in the plane.

use rayon::prelude::*;
use selvedge_data::SplitMix64;

use super::{Features, Pca};
use crate::TrainError;
use crate::error::require;

/// Beyond it the probabilities of all pairs take more than 200 MB.
const MOST_IMAGES: usize = 5_000;
/// Iterations in which clusters are drawn together, with less momentum.
const EARLY: usize = 250;
/// What the entropy of a point's probabilities may be off, in nats.
const TOLERANCE: f64 = 1e-5;
/// The learning rate of a few images.
const LEAST_RATE: f64 = 5.0;
/// The least probability of a pair.
const LEAST: f64 = f64::EPSILON;

/// t-SNE (van der Maaten and Hinton, "Visualizing data using t-SNE", 2008): a place in the plane for every image, such
/// that images whose features are close lie close. [`fit`](Self::fit) computes it.
///
/// Computed as scikit-learn's `TSNE(method="exact")`, with its settings. Every pair of images is looked at: a few thousand
/// images are the limit. The crate `bhtsne` does with fewer pairs, but its sums depend on the number of threads; here the
/// same features give the same bits.
///
/// Distances between clusters and their sizes mean little, and clusters can be seen in noise (Wattenberg et al., "How to
/// use t-SNE effectively", Distill 2016). Look at several values of `perplexity`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// About how many neighbours an image has: from 1 to less than the number of images.
    pub perplexity: f64,
    /// How many steps; in the first 250 of them neighbours attract each other 12 times as much.
    pub iterations: usize,
    /// `None` is the larger of images / 48 (Belkina et al., 2019) and 5. scikit-learn takes at least 50, with which the map
    /// of a few dozen images leaps about.
    pub learning_rate: Option<f64>,
    /// Features beyond so many are first brought down to so many principal components, which is faster and takes noise
    /// away.
    pub components: usize,
    /// Where it begins: at the first two principal components, or for a number at random places drawn from it.
    pub seed: Option<u64>,
}

impl Default for Tsne {
    /// Perplexity 30, 1,000 steps, the automatic learning rate, 50 components, from the principal components.
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            iterations: 1_000,
            learning_rate: None,
            components: 50,
            seed: None,
        }
    }
}

/// What [`Tsne`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct TsneMap {
    /// The place of each image.
    pub points: Vec<[f64; 2]>,
    /// The Kullback-Leibler divergence that is left, in nats: the less the better, of maps of the same features with the
    /// same perplexity.
    pub divergence: f64,
}

impl Tsne {
    /// The map of the features of some images. A thousand of them take some seconds.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for fewer than 4 images or more than 5,000, for features that are NaN or infinite, and for
    /// settings out of their range.
    ///
    /// ```
    /// use selvedge_train::features::{Features, Tsne};
    ///
    /// // Two groups of six.
    /// let values = (0..12).map(|i| if i < 6 { i as f32 } else { 100.0 + i as f32 }).collect();
    /// let features = Features::from_values(values, [1, 1, 1], vec![0; 12], vec!["a".to_string()])?;
    /// let map = Tsne { perplexity: 3.0, ..Tsne::default() }.fit(&features)?;
    /// assert_eq!(map.points.len(), 12);
    /// # Ok::<(), selvedge_train::TrainError>(())
    /// ```
    pub fn fit(&self, features: &Features) -> Result<TsneMap, TrainError> {
        let images = features.len();
        let fits = (4..=MOST_IMAGES).contains(&images);
        require(fits, "the number of images", images, "4 to 5000")?;
        let fits = self.perplexity >= 1.0 && self.perplexity < images as f64;
        let expected = "at least 1, and below the number of images";
        require(fits, "perplexity", self.perplexity, expected)?;
        require(self.iterations > 0, "iterations", 0, "at least 1")?;
        require(self.components > 0, "components", 0, "at least 1")?;
        if let Some(rate) = self.learning_rate {
            require(rate > 0.0 && rate.is_finite(), "learning_rate", rate, "above 0, and finite")?;
        }
        features.require_finite()?;
        let size = features.size();
        let count = self.components.min(size).min(images);
        let along = Pca::fit(features, count)?.project(features)?;
        let points = match count < size {
            true => along.clone(),
            false => (0..images)
                .map(|i| features.image(i).iter().map(|x| f64::from(*x)).collect())
                .collect(),
        };
        let probabilities = joint_probabilities(&points, self.perplexity);
        Ok(descend(&probabilities, self.start(&along), self))
    }

    /// Where each image begins: in either case close to the middle.
    fn start(&self, along: &[Vec<f64>]) -> Vec<[f64; 2]> {
        let Some(seed) = self.seed else {
            let first = |point: &Vec<f64>| [point[0], point.get(1).copied().unwrap_or(0.0)];
            let points: Vec<[f64; 2]> = along.iter().map(first).collect();
            let mean_square = points.iter().map(|p| p[0] * p[0]).sum::<f64>() / points.len() as f64;
            let scale = if mean_square > 0.0 { 1e-4 / mean_square.sqrt() } else { 0.0 };
            return points.into_iter().map(|point| point.map(|x| scale * x)).collect();
        };
        let mut rng = SplitMix64::new(seed);
        let mut normal = || {
            let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
            1e-4 * radius * (std::f64::consts::TAU * rng.unit()).cos()
        };
        along.iter().map(|_| [normal(), normal()]).collect()
    }
}

/// The symmetric probabilities of all pairs, `[image, image]`, whose sum is 1.
pub(super) fn joint_probabilities(points: &[Vec<f64>], perplexity: f64) -> Vec<f64> {
    let n = points.len();
    let mut conditional = vec![0.0; n * n];
    conditional.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        let square = |other: &Vec<f64>| -> f64 {
            other.iter().zip(&points[i]).map(|(a, b)| (a - b).powi(2)).sum()
        };
        row.iter_mut().zip(points).for_each(|(to, other)| *to = square(other));
        conditional_probabilities(row, i, perplexity);
    });
    let mut joint = vec![0.0; n * n];
    joint.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        for (j, to) in row.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            *to = (conditional[i * n + j] + conditional[j * n + i]) / (2 * n) as f64;
            *to = to.max(LEAST);
        }
    });
    joint
}

/// Makes of the squares of the distances from point `i` the probabilities of a Gaussian whose width is such that their
/// entropy is the logarithm of the perplexity.
fn conditional_probabilities(row: &mut [f64], i: usize, perplexity: f64) {
    let squares: Vec<f64> = row.to_vec();
    // From the nearest one on, so that not all of them vanish however far away they are.
    let others = squares.iter().enumerate().filter(|(j, _)| *j != i);
    let nearest = others.map(|(_, square)| *square).fold(f64::INFINITY, f64::min);
    let (mut beta, mut low, mut high) = (1.0, 0.0, f64::INFINITY);
    for _ in 0..200 {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (j, (to, square)) in row.iter_mut().zip(&squares).enumerate() {
            *to = if j == i { 0.0 } else { (-beta * (square - nearest)).exp() };
            sum += *to;
            weighted += *to * (square - nearest);
        }
        row.iter_mut().for_each(|to| *to /= sum);
        let entropy = sum.ln() + beta * weighted / sum;
        let off = entropy - perplexity.ln();
        if off.abs() <= TOLERANCE {
            break;
        }
        match off > 0.0 {
            true => {
                (low, beta) = (beta, if high < f64::MAX { (beta + high) / 2.0 } else { 2.0 * beta })
            }
            false => (high, beta) = (beta, (beta + low) / 2.0),
        }
        // All others are equally far away: no width makes a difference.
        if !(1e-300..=1e300).contains(&beta) {
            break;
        }
    }
}

/// Gradient descent with momentum and a gain for every coordinate (Jacobs, 1988).
pub(super) fn descend(joint: &[f64], mut points: Vec<[f64; 2]>, settings: &Tsne) -> TsneMap {
    let n = points.len();
    let rate = settings.learning_rate.unwrap_or((n as f64 / 48.0).max(LEAST_RATE));
    let (mut moves, mut gains) = (vec![[0.0; 2]; n], vec![[1.0f64; 2]; n]);
    for iteration in 0..settings.iterations {
        let early = iteration < EARLY;
        let (momentum, exaggeration) = if early { (0.5, 12.0) } else { (0.8, 1.0) };
        let gradient = gradient(joint, &points, exaggeration);
        for (i, slope) in gradient.into_iter().enumerate() {
            for axis in 0..2 {
                let gain = &mut gains[i][axis];
                let same_way = moves[i][axis] * slope[axis] < 0.0;
                *gain = f64::max(if same_way { *gain + 0.2 } else { 0.8 * *gain }, 0.01);
                moves[i][axis] = momentum * moves[i][axis] - rate * *gain * slope[axis];
                points[i][axis] += moves[i][axis];
            }
        }
    }
    let divergence = divergence(joint, &points);
    TsneMap { points, divergence }
}

/// How close two points are: 1 where they are one, and less and less with their distance.
fn closeness(a: &[f64; 2], b: &[f64; 2]) -> f64 {
    1.0 / (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2))
}

/// The sum of the closeness of all pairs. Every row is summed by one thread, and the rows in their order.
fn total_closeness(points: &[[f64; 2]]) -> f64 {
    let row = |point: &[f64; 2]| {
        let row = points.iter().map(|other| closeness(point, other)).sum::<f64>();
        // Without the point itself, which is as close as can be.
        row - 1.0
    };
    let rows: Vec<f64> = points.par_iter().map(row).collect();
    rows.into_iter().sum()
}

/// The gradient of the divergence with `exaggeration` times the probabilities.
pub(super) fn gradient(joint: &[f64], points: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    let sum = total_closeness(points);
    let slope = |(point, joint): (&[f64; 2], &[f64])| {
        let mut slope = [0.0; 2];
        // That the point is among the others does no harm: it is at no distance from itself.
        for (other, p) in points.iter().zip(joint) {
            let close = closeness(point, other);
            let pull = 4.0 * (exaggeration * p - (close / sum).max(LEAST)) * close;
            slope[0] += pull * (point[0] - other[0]);
            slope[1] += pull * (point[1] - other[1]);
        }
        slope
    };
    points.par_iter().zip(joint.par_chunks(points.len())).map(slope).collect()
}

/// The Kullback-Leibler divergence between the probabilities and those of the map.
pub(super) fn divergence(joint: &[f64], points: &[[f64; 2]]) -> f64 {
    let (n, sum) = (points.len(), total_closeness(points));
    let row = |i: usize| {
        let others = (0..n).filter(|j| *j != i);
        let pair = |j: usize| {
            let p = joint[i * n + j];
            p * (p / (closeness(&points[i], &points[j]) / sum).max(LEAST)).ln()
        };
        others.map(pair).sum::<f64>()
    };
    let rows: Vec<f64> = (0..n).into_par_iter().map(row).collect();
    rows.into_iter().sum()
}
