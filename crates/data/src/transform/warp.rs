//! An image seen through an affine map, as torchvision's `affine` and `rotate` compute it: by
//! `grid_sample` with zeros beyond the edge, in f32.

use super::lanes::{nearest, to_bytes, wide};
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

/// Where the pixels of an output row lie in the image. Computed in the order in which torchvision does, so
/// that a place that is just between two pixels is rounded to the same one.
struct Line {
    /// Of row and column: the factor of x, what y adds, what the map adds, half the image's side; places are
    /// from -1 to 1.
    maps: [[f32; 4]; 2],
    /// x of the first pixel, from the middle.
    start: f32,
}

impl Line {
    /// Row and column of the image that the pixel of a column shows.
    #[inline(always)]
    fn at(&self, column: usize) -> [f32; 2] {
        let x = self.start + column as f32;
        self.maps.map(|[factor, by_y, by, half]| (x * factor + by_y + by + 1.0) * half - 0.5)
    }
}

/// What the pixels of an output row show.
struct Places {
    /// The pixel of a plane, of four the upper left one; negative where (one of) it lies beyond the image.
    pixel: Vec<i32>,
    /// Row and column of that pixel, from the upper left corner of the image.
    at: [Vec<i32>; 2],
    /// How far below and to the right of it.
    beside: [Vec<f32>; 2],
    /// The values of the row, before they are bytes.
    values: Vec<f32>,
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
    let [half_height, half_width] = [height, width].map(|side| 0.5 * side as f32);
    let rows = [d, e, f].map(|value| value / half_height);
    let columns = [a, b, c].map(|value| value / half_width);
    let mut places = Places {
        pixel: vec![0; width],
        at: [vec![0; width], vec![0; width]],
        beside: [vec![0.0; width], vec![0.0; width]],
        values: vec![0.0; width],
    };
    let size = [height, width];
    for row in 0..height {
        // From the middle of the image to that of the pixel.
        let y = row as f32 - (half_height - 0.5);
        let map = |[by_x, by_y, by]: [f32; 3], half| [by_x, y * by_y, by, half];
        let maps = [map(rows, half_height), map(columns, half_width)];
        let line = Line { maps, start: 0.5 - half_width };
        match interpolation {
            Interpolation::Nearest => nearest_places(&line, size, &mut places.pixel),
            _ => bilinear_places(&line, size, &mut places),
        }
        let outputs = output.chunks_exact_mut(height * width);
        for (plane, output) in image.planes().zip(outputs) {
            let output = &mut output[row * width..][..width];
            match interpolation {
                Interpolation::Nearest => {
                    let beyond = fill.unwrap_or(0);
                    for (output, &pixel) in output.iter_mut().zip(&places.pixel) {
                        // A negative one is far beyond as an unsigned one.
                        *output = plane.get(pixel as usize).copied().unwrap_or(beyond);
                    }
                }
                _ => bilinear(plane, size, fill, &mut places, output),
            }
        }
    }
}

wide! {
    fn nearest_places(line: &Line, size: [usize; 2], pixels: &mut [i32]) {
        let [height, width] = size.map(|side| side as i32);
        for (column, pixel) in pixels.iter_mut().enumerate() {
            let [y, x] = line.at(column).map(|at| nearest(at) as i32);
            let inside = (y >= 0) & (y < height) & (x >= 0) & (x < width);
            *pixel = if inside { y.wrapping_mul(width).wrapping_add(x) } else { -1 };
        }
    }
}

wide! {
    fn bilinear_places(line: &Line, size: [usize; 2], places: &mut Places) {
        let [height, width] = size.map(|side| side as i32);
        let [rows, columns] = &mut places.at;
        let [down, right] = &mut places.beside;
        let at = rows.iter_mut().zip(columns).zip(down.iter_mut().zip(right));
        for (column, (((row, left), (down, right)), pixel)) in at.zip(&mut places.pixel).enumerate() {
            let [y, x] = line.at(column);
            let [top, first] = [y, x].map(floor);
            (*down, *right) = (y - top, x - first);
            (*row, *left) = (top as i32, first as i32);
            let inside = (*row >= 0) & (*row < height - 1) & (*left >= 0) & (*left < width - 1);
            *pixel = if inside { row.wrapping_mul(width).wrapping_add(*left) } else { -1 };
        }
    }
}

/// The greatest whole number that is no greater, of a number below 2²² in size; without the call that
/// `f32::floor` is where a processor is not known.
#[inline(always)]
fn floor(value: f32) -> f32 {
    let whole = nearest(value);
    if whole > value { whole - 1.0 } else { whole }
}

fn bilinear(
    plane: &[u8],
    [height, width]: [usize; 2],
    fill: Option<u8>,
    places: &mut Places,
    output: &mut [u8],
) {
    let Places { pixel, at: [rows, columns], beside: [down, right], values } = places;
    let beside = down.iter().zip(right.iter());
    for (i, ((value, &pixel), (&down, &right))) in
        values.iter_mut().zip(pixel.iter()).zip(beside).enumerate()
    {
        let four =
            usize::try_from(pixel).ok().and_then(|first| plane.get(first..first + width + 2));
        *value = match four {
            Some(four) => {
                let [a, b] = [f32::from(four[0]), f32::from(four[1])];
                let [c, d] = [f32::from(four[width]), f32::from(four[width + 1])];
                let above = a + (b - a) * right;
                let below = c + (d - c) * right;
                above + (below - above) * down
            }
            None => {
                let [up, left] = [1.0 - down, 1.0 - right];
                let weights = [up * left, up * right, down * left, down * right];
                edge(plane, [height, width], [rows[i], columns[i]], weights, fill)
            }
        };
    }
    to_bytes(values, output);
}

/// The value where some of the four neighbours lie beyond the image.
fn edge(
    plane: &[u8],
    [height, width]: [usize; 2],
    [top, left]: [i32; 2],
    weights: [f32; 4],
    fill: Option<u8>,
) -> f32 {
    let beyond =
        |first: i32, side: usize| first < -1 || usize::try_from(first).is_ok_and(|f| f >= side);
    if beyond(top, height) || beyond(left, width) {
        return fill.map_or(0.0, f32::from);
    }
    let (mut value, mut covered) = (0.0, 0.0);
    for (weight, [down, right]) in weights.into_iter().zip([[0, 0], [0, 1], [1, 0], [1, 1]]) {
        let y = usize::try_from(top.saturating_add(down)).ok().filter(|&y| y < height);
        let x = usize::try_from(left.saturating_add(right)).ok().filter(|&x| x < width);
        if let (Some(y), Some(x)) = (y, x) {
            value += f32::from(plane[y * width + x]) * weight;
            covered += weight;
        }
    }
    // torchvision weighs what is covered a second time.
    fill.map(f32::from).map_or(value, |fill| (value - fill) * covered + fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_rounded_down() {
        for value in [0.0, 0.49, 0.5, 0.99, 1.0, -0.01, -0.5, -1.0, -1.5, 1e6 + 0.75, -70_000.25] {
            assert_eq!(floor(value), value.floor(), "{value}");
        }
    }
}
