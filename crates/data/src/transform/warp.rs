//! An image seen through an affine map, as torchvision's `affine` and `rotate` compute it: by
//! `grid_sample` with zeros beyond the edge, in f32.

use std::cell::RefCell;

use super::lanes::{LANES, groups, nearest, nearest_integer, put_group, wide};
use super::{ImageRef, Interpolation};

/// What is shown at each pixel of the output, in coordinates with their origin in the image's centre:
/// `[a, b, c, d, e, f]` shows at (x, y) what lies at (ax + by + c, dx + ey + f).
pub(super) type Inverse = [f64; 6];

/// Turns by an angle, scales, shears and moves, in degrees and pixels, about a centre: the inverse of that
/// map, torchvision's `_get_inverse_affine_matrix`.
pub(super) fn inverse(
    [cx, cy]: [f64; 2],
    angle: f64,
    [tx, ty]: [f64; 2],
    scale: f64,
    shear: [f64; 2],
) -> Inverse {
    let rot = angle.to_radians();
    let [sx, sy] = shear.map(f64::to_radians);
    let a = (rot - sy).cos() / sy.cos();
    let b = -(a * sx.tan() + rot.sin());
    let c = (rot - sy).sin() / sy.cos();
    let d = rot.cos() - c * sx.tan();
    let mut matrix = [d / scale, -b / scale, 0.0, -c / scale, a / scale, 0.0];
    matrix[2] += cx - matrix[0] * (cx + tx) - matrix[1] * (cy + ty);
    matrix[5] += cy - matrix[3] * (cx + tx) - matrix[4] * (cy + ty);
    matrix
}

/// Where the pixels of the output lie in the image. Computed in the order in which torchvision does, so that a
/// place that is just between two pixels is rounded to the same one.
struct Map {
    /// Of row and column: what y times, and what is added.
    by_y: [f32; 2],
    by: [f32; 2],
    /// Height and width of the image, and of it within its border.
    size: [usize; 2],
    bordered: [usize; 2],
    /// Half of height and width; places are from -1 to 1 before they are multiplied by it.
    half: [f32; 2],
}

/// What a warp needs besides image and output, kept for the next image. Lines are longer than a row, to be of
/// whole vectors.
#[derive(Default)]
struct Scratch {
    /// The planes, with a pixel around them: no place need be looked at whether it lies in the image.
    planes: Vec<u8>,
    line: Line,
}

/// What is known of the pixels of an output row.
#[derive(Default)]
struct Line {
    /// Of row and column in the image: what the x of each pixel adds, in every row.
    by_x: [Vec<f32>; 2],
    /// Row and column, then how far below and to the right of a pixel.
    at: [Vec<f32>; 2],
    /// How much of the place lies in the image: less than 1 within a pixel of its edge.
    covered: Vec<f32>,
    /// Which pixel of the planes with their border it is, of four the upper left one.
    pixels: Vec<i32>,
    /// The four pixels around, and what is between them.
    four: [Vec<u8>; 4],
    values: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Draws the image as the map shows it into an output of its size. `fill` is what lies beyond the image;
/// `None` fades to 0 at the edge only once where values are interpolated.
pub(super) fn warp(
    image: ImageRef<'_>,
    matrix: Inverse,
    interpolation: Interpolation,
    fill: Option<u8>,
    output: &mut [u8],
) {
    let [_, height, width] = image.shape;
    let [a, b, c, d, e, f] = matrix.map(|value| value as f32);
    let half = [height, width].map(|side| 0.5 * side as f32);
    let map = Map {
        by_y: [e / half[0], b / half[1]],
        by: [f / half[0], c / half[1]],
        size: [height, width],
        bordered: [height + 2, width + 2],
        half,
    };
    let by_x = [d / half[0], a / half[1]];
    // From the middle of the image to that of a pixel.
    let start = 0.5 - half[1];
    SCRATCH.with_borrow_mut(|Scratch { planes, line }| {
        line.resize(width.next_multiple_of(2 * LANES));
        for (line, by_x) in line.by_x.iter_mut().zip(by_x) {
            for (column, x) in line.iter_mut().enumerate() {
                *x = (start + column as f32) * by_x;
            }
        }
        match interpolation {
            Interpolation::Nearest => {
                put_border(image, fill.unwrap_or(0), planes);
                draw_nearest(&map, line, planes, output);
            }
            _ => {
                put_border(image, 0, planes);
                draw_bilinear(&map, line, planes, fill, output);
            }
        }
    });
}

/// The planes of an image with a pixel of a value around each.
fn put_border(image: ImageRef<'_>, value: u8, planes: &mut Vec<u8>) {
    let [channels, height, width] = image.shape;
    planes.clear();
    planes.resize(channels * (height + 2) * (width + 2), value);
    let bordered = planes.chunks_exact_mut((height + 2) * (width + 2));
    for (plane, bordered) in image.planes().zip(bordered) {
        let rows = bordered[width + 2..].chunks_exact_mut(width + 2);
        rows.zip(plane.chunks_exact(width))
            .for_each(|(to, row)| to[1..=width].copy_from_slice(row));
    }
}

impl Map {
    /// Rows and columns of the image that an output row shows; those that lie a pixel beyond the edge or further
    /// are as if a pixel beyond.
    #[inline(always)]
    fn places(&self, row: usize, line: &mut Line) {
        // From the middle of the image to that of the pixel.
        let y = row as f32 - (self.half[0] - 0.5);
        for axis in 0..2 {
            let (by_y, by, half) = (y * self.by_y[axis], self.by[axis], self.half[axis]);
            let end = self.size[axis] as f32;
            for (place, x) in line.at[axis].iter_mut().zip(&line.by_x[axis]) {
                *place = ((x + by_y + by + 1.0) * half - 0.5).clamp(-1.0, end);
            }
        }
    }
}

impl Line {
    fn resize(&mut self, length: usize) {
        let Self { by_x, at, covered, pixels, four, values } = self;
        for line in by_x.iter_mut().chain(at).chain([covered]) {
            line.resize(length, 0.0);
        }
        pixels.resize(length, 0);
        four.iter_mut().chain([values]).for_each(|line| line.resize(length, 0));
    }
}

wide! {
    fn draw_nearest(map: &Map, line: &mut Line, planes: &[u8], output: &mut [u8]) {
        let ([height, width], [rows, columns]) = (map.size, map.bordered);
        for row in 0..height {
            map.places(row, line);
            let Line { at: [down, right], pixels, .. } = &mut *line;
            for (pixel, (&y, &x)) in pixels.iter_mut().zip(down.iter().zip(&*right)) {
                *pixel = bordered(y, x, columns as i32);
            }
            let planes = planes.chunks_exact(rows * columns);
            for (plane, output) in planes.zip(output.chunks_exact_mut(height * width)) {
                for (output, &pixel) in output[row * width..][..width].iter_mut().zip(&*pixels) {
                    *output = plane[pixel as usize];
                }
            }
        }
    }
}

/// The pixel of a plane with its border that lies nearest to a place.
#[inline(always)]
fn bordered(y: f32, x: f32, columns: i32) -> i32 {
    let [y, x] = [y, x].map(|at| nearest_integer(at).wrapping_add(1));
    y.wrapping_mul(columns).wrapping_add(x)
}

wide! {
    fn draw_bilinear(map: &Map, line: &mut Line, planes: &[u8], fill: Option<u8>, output: &mut [u8]) {
        let ([height, width], [rows, columns]) = (map.size, map.bordered);
        for row in 0..height {
            map.places(row, line);
            corners(map, line);
            let planes = planes.chunks_exact(rows * columns);
            for (plane, output) in planes.zip(output.chunks_exact_mut(height * width)) {
                let Line { pixels, four: [a, b, c, d], .. } = &mut *line;
                for (i, &pixel) in pixels[..width].iter().enumerate() {
                    let around = &plane[pixel as usize..][..columns + 2];
                    (a[i], b[i]) = (around[0], around[1]);
                    (c[i], d[i]) = (around[columns], around[columns + 1]);
                }
                interpolate(line, fill);
                let output = &mut output[row * width..][..width];
                for group in groups(width) {
                    if let Some(values) = line.values[group..].first_chunk() {
                        put_group(output, group, values);
                    }
                }
            }
        }
    }
}

/// From the places of a line, its pixels, and how far from them and within the image.
#[inline(always)]
fn corners(map: &Map, line: &mut Line) {
    let Line { at: [down, right], covered, pixels, .. } = line;
    // The last places whose neighbours below and to the right are within the border.
    let [last_row, last_column] = map.size.map(|side| side as f32 - 1.0);
    let columns = map.bordered[1] as i32;
    let length = pixels.len();
    let (down, right, covered) =
        (&mut down[..length], &mut right[..length], &mut covered[..length]);
    for i in 0..length {
        let (y, x) = (down[i], right[i]);
        covered[i] = inside(y, last_row) * inside(x, last_column);
        let (top, left) = (at_most(floor(y), last_row), at_most(floor(x), last_column));
        (down[i], right[i]) = (y - top, x - left);
        pixels[i] = bordered(top, left, columns);
    }
}

/// The values of a line between its four pixels.
#[inline(always)]
fn interpolate(line: &mut Line, fill: Option<u8>) {
    let Line { at: [down, right], covered, four, values, .. } = line;
    let length = values.len();
    let [a, b, c, d] = four.each_ref().map(|line| &line[..length]);
    let (down, right, covered) = (&down[..length], &right[..length], &covered[..length]);
    let value = |i: usize| {
        let [a, b, c, d] = [a, b, c, d].map(|line| f32::from(line[i]));
        let above = a + (b - a) * right[i];
        let below = c + (d - c) * right[i];
        above + (below - above) * down[i]
    };
    match fill.map(f32::from) {
        // torchvision weighs what is covered a second time.
        Some(fill) => {
            for i in 0..length {
                values[i] = nearest_integer((value(i) - fill) * covered[i] + fill) as u8;
            }
        }
        None => {
            for (i, to) in values.iter_mut().enumerate() {
                *to = nearest_integer(value(i)) as u8;
            }
        }
    }
}

/// How much of a pixel's width a place covers that lies from -1 to a pixel beyond the last one.
#[inline(always)]
fn inside(place: f32, last: f32) -> f32 {
    at_most(at_most(place + 1.0, last + 1.0 - place), 1.0)
}

/// The lesser one of two numbers, by the instruction that does not look for NaN.
#[inline(always)]
fn at_most(value: f32, most: f32) -> f32 {
    if value < most { value } else { most }
}

/// The greatest whole number that is no greater, of a number below 2²² in size; without the call that
/// `f32::floor` is where a processor is not known.
#[inline(always)]
fn floor(value: f32) -> f32 {
    let whole = nearest(value);
    if whole > value { whole - 1.0 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies at a place of a plane, computed pixel by pixel.
    fn plain(
        image: ImageRef<'_>,
        map: impl Fn(f32, f32) -> [f32; 2],
        bilinear: bool,
        fill: f32,
    ) -> Vec<f32> {
        let [_, height, width] = image.shape;
        let mut values = Vec::new();
        for plane in image.planes() {
            let pixel = |y: f32, x: f32| {
                let inside = y >= 0.0 && x >= 0.0 && y < height as f32 && x < width as f32;
                inside.then(|| f32::from(plane[y as usize * width + x as usize]))
            };
            for (row, column) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let [y, x] = map(row as f32, column as f32);
                if !bilinear {
                    values.push(pixel(y.round_ties_even(), x.round_ties_even()).unwrap_or(fill));
                    continue;
                }
                let (mut value, mut covered) = (0.0, 0.0);
                for (down, right) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
                    let (at_y, at_x) = (y.floor() + down, x.floor() + right);
                    let weight = (1.0 - (y - at_y).abs()) * (1.0 - (x - at_x).abs());
                    if let Some(pixel) = pixel(at_y, at_x) {
                        value += weight * pixel;
                        covered += weight;
                    }
                }
                values.push((value - fill) * covered + fill);
            }
        }
        values
    }

    #[test]
    fn rows_of_any_width_show_what_lies_at_their_places() {
        for [height, width] in [[3, 1], [5, 16], [9, 33], [28, 28], [40, 131]] {
            let pixels: Vec<u8> =
                (0..2 * height * width).map(|i| (i * i / 3 % 256) as u8).collect();
            let image = ImageRef { pixels: &pixels, shape: [2, height, width] };
            // Powers of two, so that every place is exact, up to several images beyond the edge.
            let matrix = [0.75, -0.5, 3.25, 0.5, 0.75, -2.0];
            let half = [height, width].map(|side| (side as f32 - 1.0) / 2.0);
            let map = |row: f32, column: f32| {
                let [y, x] = [row - half[0], column - half[1]];
                [0.5 * x + 0.75 * y - 2.0 + half[0], 0.75 * x - 0.5 * y + 3.25 + half[1]]
            };
            let mut output = vec![7; pixels.len()];
            warp(image, matrix, Interpolation::Bilinear, Some(50), &mut output);
            for (found, expected) in output.iter().zip(plain(image, map, true, 50.0)) {
                assert!((f32::from(*found) - expected).abs() < 0.51, "{width}: {found} {expected}");
            }
            // A little off the places that are as near to one pixel as to another.
            let matrix = [0.75, -0.5, 3.28, 0.5, 0.75, -1.97];
            let off = |row: f32, column: f32| map(row, column).map(|at| at + 0.03);
            warp(image, matrix, Interpolation::Nearest, Some(50), &mut output);
            for (found, expected) in output.iter().zip(plain(image, off, false, 50.0)) {
                assert_eq!(f32::from(*found), expected, "{width}");
            }
        }
    }

    #[test]
    fn whole_numbers_are_rounded_down() {
        for value in [0.0, 0.49, 0.5, 0.99, 1.0, -0.01, -0.5, -1.0, -1.5, 1e6 + 0.75, -70_000.25] {
            assert_eq!(floor(value), value.floor(), "{value}");
        }
    }
}
