//! What bounds the correlation of two images, and what it is computed from.
//!
//! Of an image, less its mean and divided by its length, the means of the parts of a grid, each times the
//! root of the part's pixels, are a projection P on an orthonormal set; R is the length of what the
//! projection leaves. The correlation of two images is P·P' + R·R' at most, by Cauchy and Schwarz. So (P, R)
//! is the vector of an image, and the product of two vectors the bound.

use rayon::prelude::*;

use crate::View;
use crate::transform::wide;

/// Rows and columns of the grid at most.
const GRID: usize = 8;

/// Training images whose vectors lie side by side.
pub(super) const LANES: usize = 16;

/// Test images that are compared with them at once.
pub(super) const TESTS: usize = 4;

/// Numbers of a vector: of a whole grid, and the length of the rest.
const SIZE: usize = GRID * GRID + 1;

/// What is known of each image of a view.
pub(super) struct Features {
    /// Sum of the bytes, and `n` times the sum of their squares less the square of the sum.
    sums: Vec<(u64, u64)>,
    /// The vectors of each image; zeros of an even one.
    vectors: Vec<[f32; SIZE]>,
    /// The same of [`LANES`] images side by side.
    groups: Vec<[[f32; LANES]; SIZE]>,
    /// Bytes of an image.
    bytes: u64,
}

impl Features {
    pub fn of(view: &View) -> Self {
        let shape = view.shape();
        let (sums, mut vectors): (Vec<_>, Vec<_>) =
            (0..view.len()).into_par_iter().map(|i| features(view.image(i), shape)).unzip();
        let groups = vectors
            .par_chunks(LANES)
            .map(|vectors| {
                let mut group = [[0.0; LANES]; SIZE];
                for (lane, vector) in vectors.iter().enumerate() {
                    group.iter_mut().zip(vector).for_each(|(lanes, v)| lanes[lane] = *v);
                }
                group
            })
            .collect();
        // As many as are read at once.
        vectors.resize(vectors.len().next_multiple_of(TESTS), [0.0; SIZE]);
        Self { sums, vectors, groups, bytes: shape.iter().product::<usize>() as u64 }
    }

    pub fn group(&self, group: usize) -> &[[f32; LANES]; SIZE] {
        &self.groups[group]
    }

    /// The vectors of [`TESTS`] images from one on.
    pub fn rows(&self, first: usize) -> &[[f32; SIZE]] {
        &self.vectors[first..first + TESTS]
    }

    /// Whether all bytes of an image are the same.
    pub fn is_even(&self, image: usize) -> bool {
        self.sums[image].1 == 0
    }

    /// The correlation of an image with one of others, of which the sum of products is known; neither even.
    pub fn correlation(&self, image: usize, others: &Self, other: usize, product: u64) -> f64 {
        let ((sum_a, square_a), (sum_b, square_b)) = (self.sums[image], others.sums[other]);
        let covariance =
            i128::from(self.bytes) * i128::from(product) - i128::from(sum_a) * i128::from(sum_b);
        // Of copies both are the same number, and the root of its square is exact.
        covariance as f64 / (square_a as f64 * square_b as f64).sqrt()
    }
}

/// Sums and vector of one image.
fn features(image: &[u8], [channels, height, width]: [usize; 3]) -> ((u64, u64), [f32; SIZE]) {
    let n = image.len() as u64;
    let sum: u64 = image.iter().map(|&p| u64::from(p)).sum();
    let square = n * product(image, image) - sum * sum;
    let mut vector = [0.0; SIZE];
    if square == 0 {
        return ((sum, square), vector);
    }
    let mean = sum as f64 / n as f64;
    let length = (square as f64 / n as f64).sqrt();
    let [rows, columns] = [height, width].map(|side| side.min(GRID));
    let mut left = 1.0;
    for row in 0..rows {
        for column in 0..columns {
            let y = row * height / rows..(row + 1) * height / rows;
            let x = column * width / columns..(column + 1) * width / columns;
            let count = (channels * y.len() * x.len()) as f64;
            let lines =
                (0..channels).flat_map(|c| y.clone().map(move |y| (c * height + y) * width));
            let part = lines.flat_map(|line| &image[line + x.start..line + x.end]);
            let sum: u64 = part.map(|&p| u64::from(p)).sum();
            let value = (sum as f64 - count * mean) / count.sqrt() / length;
            vector[row * GRID + column] = value as f32;
            left -= value * value;
        }
    }
    vector[SIZE - 1] = left.max(0.0).sqrt() as f32;
    ((sum, square), vector)
}

/// The sum of the products of bytes.
pub(super) fn product(a: &[u8], b: &[u8]) -> u64 {
    let mut sum = 0;
    sum_of_products(a, b, &mut sum);
    sum
}

wide! {
    fn sum_of_products(a: &[u8], b: &[u8], sum: &mut u64) {
        // 2^15 products of two bytes fit 32 bits.
        for (a, b) in a.chunks(1 << 15).zip(b.chunks(1 << 15)) {
            let products = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b));
            *sum += products.fold(0i32, i32::wrapping_add) as u32 as u64;
        }
    }
}

wide! {
    /// The products of the vectors of a group of training images with those of some test images.
    pub(super) fn correlations(
        group: &[[f32; LANES]; SIZE],
        tests: &[[f32; SIZE]],
        products: &mut [[f32; LANES]; TESTS],
    ) {
        let [a, b, c, d] = tests else { return };
        let mut sums = [[0.0f32; LANES]; TESTS];
        for i in 0..SIZE {
            let values = [a[i], b[i], c[i], d[i]];
            for (sums, value) in sums.iter_mut().zip(values) {
                for (sum, lane) in sums.iter_mut().zip(&group[i]) {
                    *sum += value * lane;
                }
            }
        }
        *products = sums;
    }
}
