//! An image seen through an affine map, as torchvision's `affine` and `rotate` compute it: by
//! `grid_sample` with zeros beyond the edge, in f32.

use super::lanes::nearest;
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

/// Draws the image as the map shows it into an output of its size. `fill` is what lies beyond the image;
/// `None` fades to 0 at the edge only once where values are interpolated.
pub(super) fn warp(
    image: ImageRef<'_>,
    matrix: Inverse,
    interpolation: Interpolation,
    fill: Option<u8>,
    output: &mut [u8],
) {
    let [channels, height, width] = image.shape;
    let [a, b, c, d, e, f] = matrix.map(|value| value as f32);
    let [half_height, half_width] = [height, width].map(|side| 0.5 * side as f32);
    let rows = [d, e, f].map(|value| value / half_height);
    let columns = [a, b, c].map(|value| value / half_width);
    for row in 0..height {
        // From the middle of the image to that of the pixel.
        let y = row as f32 - (half_height - 0.5);
        let map = |[by_x, by_y, by]: [f32; 3], half| [by_x, y * by_y, by, half];
        let maps = [map(rows, half_height), map(columns, half_width)];
        let line = Line { maps, start: 0.5 - half_width };
        for channel in 0..channels {
            let plane = &image.pixels[channel * height * width..][..height * width];
            let row = &mut output[(channel * height + row) * width..][..width];
            match interpolation {
                Interpolation::Nearest => row_nearest(plane, [height, width], &line, fill, row),
                _ => row_bilinear(plane, [height, width], &line, fill, row),
            }
        }
    }
}

fn row_nearest(
    plane: &[u8],
    [height, width]: [usize; 2],
    line: &Line,
    fill: Option<u8>,
    row: &mut [u8],
) {
    let fill = fill.unwrap_or(0);
    for (column, output) in row.iter_mut().enumerate() {
        let [y, x] = line.at(column).map(|at| nearest(at) as i32 as usize);
        // A negative one is far beyond as an unsigned one.
        *output = if y < height && x < width { plane[y * width + x] } else { fill };
    }
}

fn row_bilinear(
    plane: &[u8],
    [height, width]: [usize; 2],
    line: &Line,
    fill: Option<u8>,
    row: &mut [u8],
) {
    for (column, output) in row.iter_mut().enumerate() {
        let [y, x] = line.at(column);
        let [top, left] = [y.floor(), x.floor()];
        let [down, right] = [y - top, x - left];
        let [up, rest] = [1.0 - down, 1.0 - right];
        let weights = [up * rest, up * right, down * rest, down * right];
        let [top, left] = [top as i32, left as i32];
        let inside = top >= 0
            && left >= 0
            && (top as usize) < height.saturating_sub(1)
            && (left as usize) < width.saturating_sub(1);
        let value = if inside {
            let first = top as usize * width + left as usize;
            let (above, below) =
                (&plane[first..first + 2], &plane[first + width..first + width + 2]);
            let values = [above[0], above[1], below[0], below[1]].map(f32::from);
            values[0] * weights[0]
                + values[1] * weights[1]
                + values[2] * weights[2]
                + values[3] * weights[3]
        } else {
            edge(plane, [height, width], [top, left], weights, fill)
        };
        *output = nearest(value) as i32 as u8;
    }
}

/// The value where some of the four neighbours lie beyond the image.
#[cold]
fn edge(
    plane: &[u8],
    [height, width]: [usize; 2],
    [top, left]: [i32; 2],
    weights: [f32; 4],
    fill: Option<u8>,
) -> f32 {
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
