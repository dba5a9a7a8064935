//! Between Burn's layout and the kernels' layout.
//!
//! Burn keeps images one after the other, `[batch, channel, height, width]`. The kernels interleave a
//! group of `LANES` images, so that a vector holds the same pixel of `LANES` images; the lanes behind
//! the last image of a batch are 0. What a convolution reads is `[row, channel, column, LANES]` with a
//! border of zeros; what is only passed through is `[channel, row, column, LANES]`.

use super::geometry::Geometry;
use super::input_planes::InputPlanes;
use super::spread::Spread;
use crate::cpu::simd::{Simd, Task};

/// Interleaves one run of `len` elements of `LANES` images that are `image_len` elements apart.
///
/// # Safety
///
/// The processor has `S`; the runs are readable, and `len * LANES` elements at `to` are writable.
#[inline(always)]
unsafe fn interleave<S: Simd>(from: *const f32, image_len: usize, len: usize, to: *mut f32) {
    let lanes = S::LANES;
    // SAFETY: every block starts at most at `len - lanes`; the rest is the caller's promise.
    unsafe {
        if len < lanes {
            for i in 0..len {
                for lane in 0..lanes {
                    *to.wrapping_add(i * lanes + lane) = *from.wrapping_add(lane * image_len + i);
                }
            }
            return;
        }
        let mut at = 0;
        while at < len {
            // The last block overlaps the one before it, and writes the same elements again.
            let start = at.min(len - lanes);
            let (from, to) = (from.wrapping_add(start), to.wrapping_add(start * lanes));
            S::transpose(from, image_len, to, lanes);
            at += lanes;
        }
    }
}

/// A run of elements of every image of a group.
struct Runs<'a> {
    images: &'a [f32],
    /// Number of images.
    count: usize,
    image_len: usize,
    /// Elements of a run.
    len: usize,
    /// If there are fewer than `LANES` images, room for their runs; those of the others stay zeros.
    filled: Vec<f32>,
}

impl<'a> Runs<'a> {
    fn new(images: &'a [f32], image_len: usize, len: usize, lanes: usize) -> Self {
        assert!(images.len() <= lanes * image_len, "at most LANES images");
        let count = images.len().checked_div(image_len).unwrap_or(lanes);
        let filled = vec![0.0; if count == lanes { 0 } else { lanes * len }];
        Runs { images, count, image_len, len, filled }
    }

    /// Interleaves the runs that begin at element `first` of every image.
    ///
    /// # Safety
    ///
    /// The processor has `S`, for whose lanes this was made.
    #[inline(always)]
    unsafe fn interleave<S: Simd>(&mut self, first: usize, to: &mut [f32]) {
        assert!(first + self.len <= self.image_len && to.len() >= self.len * S::LANES);
        let (from, distance) = if self.filled.is_empty() {
            (self.images[first..].as_ptr(), self.image_len)
        } else {
            for image in 0..self.count {
                let run = &self.images[image * self.image_len + first..][..self.len];
                self.filled[image * self.len..][..self.len].copy_from_slice(run);
            }
            (self.filled.as_ptr(), self.len)
        };
        // SAFETY: there are runs of LANES images, and room for them.
        unsafe { interleave::<S>(from, distance, self.len, to.as_mut_ptr()) };
    }
}

/// Interleaves at most `LANES` images of `image_len` elements, keeping the order of the elements.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn pack<S: Simd>(images: &[f32], image_len: usize, to: &mut [f32]) {
    // SAFETY: the processor is the caller's promise.
    unsafe { S::enter(Interleave { images, image_len, to }) }
}

/// A group, in the order of its elements.
struct Interleave<'a> {
    images: &'a [f32],
    image_len: usize,
    to: &'a mut [f32],
}

impl Task for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut runs = Runs::new(self.images, self.image_len, self.image_len, S::LANES);
        // SAFETY: the processor is the promise of whoever enters the task.
        unsafe { runs.interleave::<S>(0, self.to) };
    }
}

/// Interleaves at most `LANES` images as a convolution reads them. Borders are left as they are.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn pack_rows<S: Simd>(images: &[f32], planes: &InputPlanes, to: &mut [f32]) {
    let [border, _] = planes.padding;
    let to = &mut to[border * planes.row_len(S::LANES)..];
    // SAFETY: the processor is the caller's promise.
    unsafe { pack_strip::<S>(images, planes, (border, planes.padded()[0] - border), to) }
}

/// The same for the rows `rows` alone, counted with the border, which becomes zeros. Only columns of
/// the border are left as they are.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn pack_strip<S: Simd>(
    images: &[f32],
    planes: &InputPlanes,
    rows: (usize, usize),
    to: &mut [f32],
) {
    assert!(rows.1 <= planes.padded()[0]);
    assert!(to.len() >= (rows.1 - rows.0) * planes.row_len(S::LANES));
    // SAFETY: the processor is the caller's promise.
    unsafe {
        let (border, width) = (planes.padding, planes.padded()[1]);
        S::enter(InterleaveRows { images, planes, border, width, rows, to })
    }
}

/// Interleaves the gradients of a convolution's results, for at most `LANES` images. The border is left as it is.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn pack_gradient<S: Simd>(
    images: &[f32],
    g: &Geometry,
    spread: &Spread,
    to: &mut [f32],
) {
    let [border, _] = spread.first;
    let rows = (border, border + g.conv[0]);
    assert!(spread.first[1] + g.conv[1] <= spread.plane[1] && rows.1 <= spread.plane[0]);
    let planes =
        &InputPlanes { channels: spread.channels, size: g.conv, upsample: [1; 2], padding: [0; 2] };
    let (border, width) = (spread.first, spread.plane[1]);
    let to = &mut to[rows.0 * spread.row_len(S::LANES)..];
    // SAFETY: the processor is the caller's promise.
    unsafe { S::enter(InterleaveRows { images, planes, border, width, rows, to }) }
}

/// A group, row by row.
struct InterleaveRows<'a> {
    images: &'a [f32],
    planes: &'a InputPlanes,
    /// Rows and columns in front of the first pixel, and pixels in a row, with the border.
    border: [usize; 2],
    width: usize,
    /// The rows that `to` is for, counted with the border.
    rows: (usize, usize),
    to: &'a mut [f32],
}

impl Task for InterleaveRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let planes = self.planes;
        let ([height, width], [border_y, border_x]) = (planes.size, self.border);
        let lanes = S::LANES;
        let direct = width >= lanes && planes.upsample == [1, 1];
        // Rows that are repeated, or shorter than a block, are interleaved a plane at a time, and then
        // put in place.
        let run = if direct { width } else { height * width };
        let mut plane = vec![0.0; if direct { 0 } else { run * lanes }];
        let mut runs = Runs::new(self.images, planes.image_len(), run, lanes);
        for channel in 0..planes.channels {
            let first = channel * height * width;
            if !direct {
                // SAFETY: the processor is the caller's promise.
                unsafe { runs.interleave::<S>(first, &mut plane) };
            }
            for padded_row in self.rows.0..self.rows.1 {
                let to_row = (padded_row - self.rows.0) * planes.channels + channel;
                let to = &mut self.to[(to_row * self.width + border_x) * lanes..];
                let row = padded_row.wrapping_sub(border_y);
                if row >= height * planes.upsample[0] {
                    to[..width * planes.upsample[1] * lanes].fill(0.0);
                    continue;
                }
                if direct {
                    // SAFETY: the processor is the caller's promise.
                    unsafe { runs.interleave::<S>(first + row * width, to) };
                    continue;
                }
                let from = &plane[row / planes.upsample[0] * width * lanes..][..width * lanes];
                let repeated = planes.upsample[1] * lanes;
                let to = to[..width * repeated].chunks_exact_mut(repeated);
                for (to, pixel) in to.zip(from.chunks_exact(lanes)) {
                    for to in to.chunks_exact_mut(lanes) {
                        to.copy_from_slice(pixel);
                    }
                }
            }
        }
    }
}

/// Adds up the pixels that upsampling made of one: `[channel, row, column, LANES]`, in place.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn fold<S: Simd>(planes: &InputPlanes, elements: &mut [f32]) {
    let repeats = planes.upsample[0] * planes.upsample[1];
    assert!(elements.len() >= planes.image_len() * repeats * S::LANES);
    if repeats > 1 {
        // SAFETY: the processor is the caller's promise.
        unsafe { S::enter(Fold { planes, elements }) }
    }
}

struct Fold<'a> {
    planes: &'a InputPlanes,
    elements: &'a mut [f32],
}

impl Task for Fold<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ([_, width], [repeat_y, repeat_x]) = (self.planes.size, self.planes.upsample);
        let elements = self.elements.as_mut_ptr();
        // A sum lies at or before the first of its terms, so no term is overwritten before it is read.
        for row in 0..self.planes.channels * self.planes.size[0] {
            for column in 0..width {
                // SAFETY: the rows of all channels follow each other, and their number is asserted.
                unsafe {
                    let mut sum = S::splat(0.0);
                    for y in 0..repeat_y {
                        for x in 0..repeat_x {
                            let at =
                                (row * repeat_y + y) * width * repeat_x + column * repeat_x + x;
                            sum = S::add(sum, S::load(elements.wrapping_add(at * S::LANES)));
                        }
                    }
                    S::store(elements.wrapping_add((row * width + column) * S::LANES), sum);
                }
            }
        }
    }
}

/// The reverse of [`pack`]: `images` receives at most `LANES` images.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn unpack<S: Simd>(from: &[f32], image_len: usize, images: &mut [f32]) {
    let count = images.len().checked_div(image_len).unwrap_or(0);
    // SAFETY: the processor is the caller's promise; the images have `count` runs.
    unsafe { unpack_run::<S>(from, image_len, images.as_mut_ptr(), image_len, count) }
}

/// The reverse of [`pack`] for a run of `len` elements of each of `count` images, whose runs begin
/// `image_len` elements apart.
///
/// # Safety
///
/// The processor has `S`; nobody else uses the runs, which are writable.
#[inline(always)]
pub(crate) unsafe fn unpack_run<S: Simd>(
    from: &[f32],
    len: usize,
    to: *mut f32,
    image_len: usize,
    count: usize,
) {
    assert!(from.len() >= S::LANES * len && count <= S::LANES);
    // SAFETY: the caller's promise.
    unsafe {
        if count == S::LANES && len >= S::LANES {
            return S::enter(Separate { from, len, to, image_len });
        }
        for lane in 0..count {
            for i in 0..len {
                *to.wrapping_add(lane * image_len + i) = from[i * S::LANES + lane];
            }
        }
    }
}

/// Runs of a whole group of images that are not shorter than a block.
struct Separate<'a> {
    from: &'a [f32],
    len: usize,
    to: *mut f32,
    image_len: usize,
}

impl Task for Separate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut at = 0;
        while at < self.len {
            let start = at.min(self.len - S::LANES);
            let from = self.from.as_ptr().wrapping_add(start * S::LANES);
            let to = self.to.wrapping_add(start);
            // SAFETY: the block ends at most at `len`, and both sides have runs of `LANES` images.
            unsafe { S::transpose(from, S::LANES, to, self.image_len) };
            at += S::LANES;
        }
    }
}
