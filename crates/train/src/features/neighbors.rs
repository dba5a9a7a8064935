//! The images whose features are the nearest.

use rayon::prelude::*;

use super::Features;
use crate::TrainError;
use crate::error::require;

/// How far apart two images are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distance {
    /// One minus the cosine of the angle between their features, 0 to 2: what is strong does not count, only what it is
    /// made of. Of features that are all 0, 1 from everything.
    #[default]
    Cosine,
    /// The length of their difference.
    Euclidean,
}

/// A near image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Its position among the images that were searched.
    pub position: usize,
    /// How far away it is.
    pub distance: f64,
}

impl Features {
    /// The `count` images of these that are the nearest to each of `others`, the nearest first, of equally near ones the
    /// earlier one; all of them if there are not as many.
    ///
    /// ```
    /// use selvedge_train::features::{Distance, Features};
    ///
    /// let of = |values: Vec<f32>| {
    ///     let count = values.len() / 2;
    ///     Features::from_values(values, [2, 1, 1], vec![0; count], vec!["a".to_string()])
    /// };
    /// let (train, image) = (of(vec![1.0, 0.0, 5.0, 5.0, 0.0, 1.0])?, of(vec![0.1, 0.2])?);
    /// // By direction it is the one in the middle, by place the last one.
    /// assert_eq!(train.nearest(&image, 1, Distance::Cosine)?[0][0].position, 1);
    /// assert_eq!(train.nearest(&image, 2, Distance::Euclidean)?[0][0].position, 2);
    /// # Ok::<(), selvedge_train::TrainError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a count of 0, features of different sizes, and features that are NaN or infinite.
    pub fn nearest(
        &self,
        others: &Self,
        count: usize,
        distance: Distance,
    ) -> Result<Vec<Vec<Neighbor>>, TrainError> {
        require(count > 0, "the number of neighbours", count, "at least 1")?;
        let expected = "that of the images that are searched";
        let same = self.size() == others.size();
        require(same, "the number of features of an image", others.size(), expected)?;
        self.require_finite()?;
        others.require_finite()?;
        let lengths: Vec<f64> = (0..self.len()).map(|i| length(self.image(i))).collect();
        let of_one = |other: usize| {
            let other = others.image(other);
            let length = length(other);
            let mut found: Vec<Neighbor> = (0..self.len())
                .map(|position| {
                    let image = self.image(position);
                    let distance = match distance {
                        Distance::Euclidean => euclidean(image, other),
                        Distance::Cosine => cosine(image, other, lengths[position] * length),
                    };
                    Neighbor { position, distance }
                })
                .collect();
            // Stable, so that of equally near ones the earlier one comes first.
            found.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            found.truncate(count);
            found
        };
        Ok((0..others.len()).into_par_iter().map(of_one).collect())
    }
}

fn length(a: &[f32]) -> f64 {
    a.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

fn euclidean(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

fn cosine(a: &[f32], b: &[f32], lengths: f64) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    if lengths > 0.0 { (1.0 - dot / lengths).clamp(0.0, 2.0) } else { 1.0 }
}
