//! Resizing of bytes as torch computes it with `antialias=True`: along the rows first, then down the columns,
//! each time by sums of pixels with whole numbers as weights, rounded to bytes. The weights are those of
//! Pillow's resampling.
//!
//! Both passes are one function, which adds lines of pixels of equal weights: down the columns, parts of rows,
//! along the rows, parts of columns, for which the image is transposed before and after.

use std::ops::Range;

use super::Interpolation;
use super::lanes::{LANES, Lanes, groups, put_group, wide};

/// Which pixels of a line make up each pixel of the resized line.
#[derive(Default)]
pub(super) struct Taps {
    /// For what they were made.
    key: Option<(Interpolation, usize, usize)>,
    /// Of each pixel, the first one.
    first: Vec<usize>,
    /// How many times four pixels make up one.
    fours: usize,
    /// The weights of the pixels, one pixel after another, times two to the power of `precision`; zeros fill
    /// them up.
    weights: Vec<[i32; 4]>,
    precision: u32,
    /// The weights before they are whole numbers.
    exact: Vec<f64>,
}

/// Some of the pixels of a resized line, made of those of a line from a place on.
struct Cut<'a> {
    first: &'a [usize],
    weights: &'a [[i32; 4]],
    fours: usize,
    precision: u32,
    from: usize,
}

impl Taps {
    /// The pixels of a range; and up to where those lie that make them up, of a line of a length.
    #[inline(always)]
    fn cut(&self, range: Range<usize>, length: usize) -> (Cut<'_>, usize) {
        let Self { fours, precision, .. } = *self;
        let weights = &self.weights[range.start * fours..range.end * fours];
        let first = &self.first[range];
        let from = first.first().map_or(0, |&first| first);
        let end = first.last().map_or(0, |&first| (first + 4 * fours).min(length));
        (Cut { first, weights, fours, precision, from }, end)
    }
}

/// The most bits after the point of a weight: sums of bytes need 8 and a bit for their sign and fit in 32, even
/// where negative weights take some away.
const MOST_PRECISION: u32 = 22;

impl Taps {
    /// Those that bring a line of `from` pixels to `to`; nothing is done if they are these already.
    fn set(&mut self, interpolation: Interpolation, from: usize, to: usize) {
        let key = Some((interpolation, from, to));
        if self.key != key {
            match interpolation {
                Interpolation::Bicubic => self.make(2.0, keys, from, to),
                _ => self.make(1.0, |x| (1.0 - x.abs()).max(0.0), from, to),
            }
            self.key = key;
        }
    }

    fn make(&mut self, radius: f64, filter: impl Fn(f64) -> f64, from: usize, to: usize) {
        let scale = from as f64 / to as f64;
        // A line that gets shorter is smoothed: every pixel has a part in it.
        let stretch = scale.max(1.0);
        let (radius, by) = (radius * stretch, 1.0 / stretch);
        // No interval of twice the radius has more whole numbers.
        let most = ((2.0 * radius).ceil() as usize).min(from);
        self.fours = most.div_ceil(4);
        self.first.clear();
        self.exact.clear();
        self.exact.resize(4 * self.fours * to, 0.0);
        let mut greatest: f64 = 0.0;
        for (at, window) in self.exact.chunks_exact_mut(4 * self.fours).enumerate() {
            let center = scale * (at as f64 + 0.5);
            // Below 0 it becomes 0.
            let first = (center - radius + 0.5) as usize;
            let end = ((center + radius + 0.5) as usize).min(from).min(first + most);
            // The zeros are before the weights where there is no room after them.
            let begin = first.min(from.saturating_sub(4 * self.fours));
            let window = &mut window[first - begin..end - begin];
            let mut total = 0.0;
            for (weight, pixel) in window.iter_mut().zip(first..) {
                *weight = filter((pixel as f64 - center + 0.5) * by);
                total += *weight;
            }
            for weight in window {
                *weight /= total;
                greatest = greatest.max(*weight);
            }
            self.first.push(begin);
        }
        // As many bits as the greatest weight leaves room for in 16.
        let bits = |precision: u32| (0.5 + greatest * f64::from(1u32 << precision)) as i32;
        self.precision = (0..MOST_PRECISION)
            .find(|&precision| bits(precision + 1) >= 1 << 15)
            .unwrap_or(MOST_PRECISION);
        let one = f64::from(1u32 << self.precision);
        // Half is rounded away from 0, as torch does.
        let whole = |weight: f64| (weight * one + 0.5f64.copysign(weight)) as i32;
        self.weights.clear();
        self.weights.extend(self.exact.as_chunks().0.iter().map(|four| four.map(whole)));
    }
}

/// R. Keys, *Cubic convolution interpolation for digital image processing*, 1981, with -0.5.
fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// What resizing needs besides image and result, kept for the next image.
#[derive(Default)]
pub(super) struct Resizer {
    columns: Taps,
    rows: Taps,
    lines: Lines,
}

/// Where pixels lie between the steps: a few columns of the result at a time.
#[derive(Default)]
struct Lines {
    /// By column, some rows of the image, and the same after they were resized.
    wide: Vec<u8>,
    resized: Vec<u8>,
    /// By row, the columns, and the same after they were resized.
    between: Vec<u8>,
    down: Vec<u8>,
    sums: Vec<i32>,
}

/// A part of planes of a width: its first row and column, and its rows and columns.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub width: usize,
    pub place: [usize; 2],
    pub size: [usize; 2],
}

impl Resizer {
    /// Brings the same part of each plane to a size, `[height, width]`.
    pub(super) fn resize<'a>(
        &mut self,
        planes: impl Iterator<Item = &'a [u8]>,
        part: Part,
        interpolation: Interpolation,
        (output, size): (&mut [u8], [usize; 2]),
    ) {
        let Self { columns, rows, lines } = self;
        rows.set(interpolation, part.size[0], size[0]);
        columns.set(interpolation, part.size[1], size[1]);
        for (plane, output) in planes.zip(output.chunks_exact_mut(size[0] * size[1])) {
            resize_plane(plane, part, [rows, columns], lines, output);
        }
    }
}

/// Lines are added in parts of at most so many pixels, which with the lines of an image of usual size fit in the
/// fastest memory.
const PART: usize = 64;

/// How long the parts of a line of a length are: whole vectors, and no longer than needed.
fn part_of(length: usize) -> usize {
    length.next_multiple_of(2 * LANES).min(PART)
}

wide! {
    fn resize_plane(plane: &[u8], part: Part, taps: [&Taps; 2], lines: &mut Lines, output: &mut [u8]) {
        let Part { width, place: [top, left], size: [rows, columns] } = part;
        let [height, out_width] = taps.map(|taps| taps.first.len());
        let (tall, broad) = (part_of(rows), part_of(out_width));
        let Lines { wide, resized, between, down, sums } = lines;
        // A window that is filled up with zeros may end three pixels beyond the line. Such pixels, and those by
        // which lines are too long, have no part in the result.
        resized.resize(broad * tall, 0);
        between.resize((rows.next_multiple_of(tall) + 3) * broad, 0);
        down.resize(height * broad, 0);
        sums.resize(PART, 0);
        let (all_rows, _) = taps[0].cut(0..height, rows);
        for out_first in (0..out_width).step_by(broad) {
            let (cut, end) = taps[1].cut(out_first..(out_first + broad).min(out_width), columns);
            wide.resize(((end - cut.from).next_multiple_of(LANES) + 3) * tall, 0);
            for row in (0..rows).step_by(tall) {
                for x in (0..end - cut.from).step_by(LANES) {
                    for y in (0..tall).step_by(LANES) {
                        let first = (top + row + y) * width + left + cut.from + x;
                        let from = &plane[first.min(plane.len())..];
                        transpose((from, width), (&mut wide[x * tall + y..], tall));
                    }
                }
                convolve(&cut, (wide, tall), sums, resized);
                for x in (0..broad).step_by(LANES) {
                    for y in (0..tall).step_by(LANES) {
                        let to = &mut between[(row + y) * broad + x..];
                        transpose((&resized[x * tall + y..], tall), (to, broad));
                    }
                }
            }
            convolve(&all_rows, (between, broad), sums, down);
            for (row, line) in output.chunks_exact_mut(out_width).zip(down.chunks_exact(broad)) {
                let row = &mut row[out_first..];
                for group in groups(row.len().min(broad)) {
                    if let Some(pixels) = line[group..].first_chunk() {
                        put_group(row, group, pixels);
                    }
                }
            }
        }
    }
}

/// Sixteen rows of sixteen columns, from images of a width each, become columns. What lies beyond the end of
/// the first is 0.
#[inline(always)]
fn transpose((from, width): (&[u8], usize), (to, to_width): (&mut [u8], usize)) {
    let mut pack = [[0; LANES]; LANES];
    if from.len() < (LANES - 1) * width + LANES {
        gather(from, width, &mut pack);
    } else {
        for (i, line) in pack.iter_mut().enumerate() {
            line.copy_from_slice(&from[i * width..][..LANES]);
        }
    }
    let mut mixed = pack;
    // To put the second half between the first one, as with a pack of cards, doubles the distance between the
    // columns of a row; four times make sixteen of one.
    for _ in 0..2 {
        mix(&pack, &mut mixed);
        mix(&mixed, &mut pack);
    }
    let to = &mut to[..(LANES - 1) * to_width + LANES];
    for (i, line) in pack.iter().enumerate() {
        to[i * to_width..][..LANES].copy_from_slice(line);
    }
}

/// The rows of an image's last pixels. Not a part of what is inlined: copies of a length that is not known are
/// calls.
#[cold]
#[inline(never)]
fn gather(from: &[u8], width: usize, rows: &mut [Lanes<u8>; LANES]) {
    for (i, row) in rows.iter_mut().enumerate() {
        let Some(source) = from.get(i * width..) else { break };
        let length = source.len().min(LANES);
        row[..length].copy_from_slice(&source[..length]);
    }
}

#[inline(always)]
fn mix(pack: &[Lanes<u8>; LANES], mixed: &mut [Lanes<u8>; LANES]) {
    let (first, second) = pack.as_flattened().split_at(LANES * LANES / 2);
    let pairs = mixed.as_flattened_mut().as_chunks_mut().0;
    for (pair, (&a, &b)) in pairs.iter_mut().zip(first.iter().zip(second)) {
        *pair = [a, b];
    }
}

/// The sums of lines of a length, as many as there are windows.
#[inline(always)]
fn convolve(cut: &Cut<'_>, (lines, length): (&[u8], usize), sums: &mut [i32], resized: &mut [u8]) {
    let precision = cut.precision;
    let half: i32 = 1 << precision >> 1;
    let sums = &mut sums[..length];
    let windows = cut.first.iter().zip(cut.weights.chunks_exact(cut.fours));
    for (resized, (&first, window)) in resized.chunks_exact_mut(length).zip(windows) {
        let mut lines = lines[(first - cut.from) * length..].chunks_exact(4 * length);
        let Some((last, window)) = window.split_last() else { continue };
        if !window.is_empty() {
            sums.fill(half);
            for (weights, four) in window.iter().zip(&mut lines) {
                add(four, weights, sums, |sum, added| *sum = sum.wrapping_add(added));
            }
        }
        let Some(four) = lines.next() else { continue };
        if window.is_empty() {
            add(four, last, resized, |pixel, sum| *pixel = byte(sum.wrapping_add(half), precision));
        } else {
            add(four, last, sums, |sum, added| *sum = sum.wrapping_add(added));
            for (pixel, &sum) in resized.iter_mut().zip(&*sums) {
                *pixel = byte(sum, precision);
            }
        }
    }
}

/// Gives the weighted sum of four lines, pixel by pixel, to each place of a line.
#[inline(always)]
fn add<T>(four: &[u8], weights: &[i32; 4], to: &mut [T], put: impl Fn(&mut T, i32)) {
    let length = to.len();
    let ((a, b), (c, d)) = {
        let (first, second) = four.split_at(2 * length);
        (first.split_at(length), second.split_at(length))
    };
    let (a, b, c, d) = (&a[..length], &b[..length], &c[..length], &d[..length]);
    let [by_a, by_b, by_c, by_d] = *weights;
    for i in 0..length {
        // It never is out of range, and a check would cost more than the sum.
        let product = |pixel: u8, weight: i32| i32::from(pixel).wrapping_mul(weight);
        let first = product(a[i], by_a).wrapping_add(product(b[i], by_b));
        let second = product(c[i], by_c).wrapping_add(product(d[i], by_d));
        put(&mut to[i], first.wrapping_add(second));
    }
}

#[inline(always)]
fn byte(sum: i32, precision: u32) -> u8 {
    (sum >> precision).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels that follow no pattern, by a formula that is the same in Python.
    fn pixels(count: u32) -> Vec<u8> {
        let hash = |i: u32| i.wrapping_mul(2_654_435_761);
        (0..count).map(|i| ((hash(i) ^ (hash(i) >> 15)) >> 8) as u8).collect()
    }

    // Expected:
    // import numpy, torch
    // from torchvision.transforms.v2 import InterpolationMode as M, functional as F
    // for h, w, (top, left, rows, columns), size, mode in (
    //         (100, 150, (0, 0, 100, 150), [65, 70], M.BILINEAR), (100, 150, (0, 0, 100, 150), [65, 70], M.BICUBIC),
    //         (90, 80, (7, 30, 70, 33), [130, 129], M.BILINEAR), (90, 80, (7, 30, 70, 33), [130, 129], M.BICUBIC),
    //         (200, 300, (0, 0, 200, 300), [9, 7], M.BICUBIC), (28, 28, (3, 5, 20, 17), [28, 28], M.BILINEAR)):
    //     x = numpy.arange(h * w, dtype=numpy.uint64) * 2654435761 & 0xFFFFFFFF
    //     image = torch.from_numpy(((x ^ x >> 15) >> 8 & 255).astype(numpy.uint8).reshape(1, h, w))
    //     part = image[:, top:top + rows, left:left + columns]
    //     found = F.resize(part, size, mode, antialias=True).flatten().to(torch.int64)
    //     print((found * (torch.arange(len(found)) % 251)).sum())
    #[test]
    fn large_images_and_their_parts_are_resized_as_by_torchvision() {
        use Interpolation::{Bicubic, Bilinear};
        let mut resizer = Resizer::default();
        for ([height, width], [top, left, rows, columns], size, interpolation, expected) in [
            ([100, 150], [0, 0, 100, 150], [65, 70], Bilinear, 71_277_191),
            ([100, 150], [0, 0, 100, 150], [65, 70], Bicubic, 71_278_822),
            ([90, 80], [7, 30, 70, 33], [130, 129], Bilinear, 262_701_034),
            ([90, 80], [7, 30, 70, 33], [130, 129], Bicubic, 262_849_538),
            ([200, 300], [0, 0, 200, 300], [9, 7], Bicubic, 246_837),
            ([28, 28], [3, 5, 20, 17], [28, 28], Bilinear, 11_725_491),
        ] {
            let image = pixels(height * width);
            let part = Part { width: width as usize, place: [top, left], size: [rows, columns] };
            let mut output = vec![0; size[0] * size[1]];
            resizer.resize(
                [image.as_slice()].into_iter(),
                part,
                interpolation,
                (&mut output, size),
            );
            let sum: usize =
                output.iter().enumerate().map(|(i, &p)| usize::from(p) * (i % 251)).sum();
            assert_eq!(sum, expected, "{height} x {width} to {size:?}, {interpolation:?}");
        }
    }

    #[test]
    fn sums_need_little_room_whatever_the_size() {
        let mut resizer = Resizer::default();
        let image = pixels(20_000);
        let part = Part { width: 1, place: [0, 0], size: [20_000, 1] };
        let mut output = vec![0; 20_000];
        let target = (output.as_mut_slice(), [1, 20_000]);
        resizer.resize([image.as_slice()].into_iter(), part, Interpolation::Bilinear, target);
        // The mean of all pixels, in every column.
        let mean = image.iter().map(|&p| f64::from(p)).sum::<f64>() / 20_000.0;
        assert!(output.iter().all(|&p| (f64::from(p) - mean).abs() < 4.0), "{mean} {}", output[0]);
        let Lines { wide, resized, between, down, .. } = &resizer.lines;
        assert!(wide.len() + resized.len() + between.len() + down.len() < 100 * 20_000);
    }

    #[test]
    fn transposing_exchanges_rows_and_columns() {
        let image: Vec<u8> = (0..20 * 16).map(|i| (i * 7 % 251) as u8).collect();
        let mut found = vec![0; 18 * 16];
        transpose((&image, 20), (&mut found, 18));
        for (row, column) in (0..16).flat_map(|row| (0..16).map(move |column| (row, column))) {
            assert_eq!(found[18 * row + column], image[20 * column + row]);
        }
    }
}
