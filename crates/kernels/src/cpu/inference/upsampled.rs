//! Convolutions of images whose pixels are all repeated, without the repetitions.

use super::conv::{Conv, Geometry, Spread, Weight};
use super::planes::Planes;
use super::step::{Images, Work};
use crate::cpu::simd::Isa;

/// A convolution of an image of which every pixel is repeated `scale` times in both directions.
///
/// Under the kernel lie then fewer different pixels than it has entries, and how they lie there repeats itself every
/// `scale` pixels of the result. So it is `scale` × `scale` convolutions of the image as it was, whose kernels are sums of
/// entries, each for every `scale`-th pixel of the result: with a kernel of 3 × 3 and every pixel twice, four kernels of
/// 2 × 2.
pub(super) struct Upsampled {
    scale: usize,
    convs: Vec<Conv>,
    /// What the convolution costs an image where the repetitions are made and many images are interleaved.
    interleaved: u64,
}

impl Upsampled {
    /// Of a convolution of stride 1 that costs `interleaved` with many images interleaved, whose results have sides that
    /// are multiples of `scale`.
    pub fn new(
        isa: Isa,
        geometry: Geometry,
        scale: usize,
        weight: Weight,
        bias: Option<&[f32]>,
        interleaved: u64,
    ) -> Self {
        let firsts = (0..scale).flat_map(|row| (0..scale).map(move |column| [row, column]));
        let convs = firsts.map(|first| {
            let axes = [0, 1].map(|axis| Axis::new(&geometry, axis, scale, first[axis]));
            let values = summed(&geometry, &axes, weight);
            let kernel = axes.each_ref().map(|axis| axis.kernel);
            let padding = axes.each_ref().map(|axis| axis.padding);
            let step = [values.len() / geometry.channels[1], 1];
            let weight = Weight { values: &values, step };
            let mut conv =
                Conv::direct(isa, Geometry { kernel, padding, ..geometry }, weight, bias);
            conv.spread = Spread { scale, first };
            conv
        });
        Self { scale, convs: convs.collect(), interleaved }
    }

    /// The part of `y` that each of the convolutions computes.
    fn part(&self, y: &Planes) -> Planes {
        let [channels, height, width] = y.shape;
        Planes { shape: [channels, height / self.scale, width / self.scale], ..*y }
    }

    /// As [`Conv::costs`].
    pub fn costs(&self, y: &Planes) -> [u64; 2] {
        let [_, height, width] = self.part(y).shape;
        let here = self.convs.iter().map(|conv| conv.costs([height, width], y.lanes)[0]).sum();
        [here, self.interleaved]
    }

    /// As [`Conv::frame`], around the image as it was.
    pub fn frame(&self, x: &Planes, y: &Planes) -> [usize; 4] {
        let y = self.part(y);
        let frames = self.convs.iter().map(|conv| conv.frame(x, &y));
        let larger =
            |a: [usize; 4], b: [usize; 4]| std::array::from_fn(|side| a[side].max(b[side]));
        frames.fold([0; 4], larger)
    }

    pub fn run(&self, work: Work, x: Images<*const f32>, y: Images<*mut f32>) {
        self.convs.iter().for_each(|conv| conv.run(work, x, None, y));
    }

    pub fn weight_bytes(&self) -> usize {
        self.convs.iter().map(Conv::weight_bytes).sum()
    }

    pub fn has_no_limits(&self) -> bool {
        self.convs.iter().all(Conv::has_no_limits)
    }

    pub fn set_limits(&mut self, limits: [f32; 2]) {
        self.convs.iter_mut().for_each(|conv| conv.limits = limits);
    }
}

/// The entries of a kernel along one axis for one of every `scale` pixels.
struct Axis {
    /// The pixel under each entry, counted from the first one.
    under: Vec<usize>,
    kernel: usize,
    padding: usize,
}

impl Axis {
    fn new(g: &Geometry, axis: usize, scale: usize, first: usize) -> Self {
        let (kernel, padding, scale) =
            (g.kernel[axis] as isize, g.padding[axis] as isize, scale as isize);
        let pixel = |entry: isize| (first as isize + entry - padding).div_euclid(scale);
        // `first` is less than `scale`: no kernel begins behind its pixel.
        let begin = pixel(0);
        let under: Vec<usize> = (0..kernel).map(|i| (pixel(i) - begin) as usize).collect();
        Self { kernel: under[under.len() - 1] + 1, padding: (-begin) as usize, under }
    }
}

/// The kernels, `[out_channels, in_channels, height, width]`, of sums of the entries that meet the same pixel.
fn summed(g: &Geometry, [rows, columns]: &[Axis; 2], weight: Weight) -> Vec<f32> {
    let [inputs, outputs] = g.channels;
    let [height, width] = g.kernel;
    let len = rows.kernel * columns.kernel;
    let mut sums = vec![0.0; outputs * inputs * len];
    for (i, sums) in sums.chunks_exact_mut(len).enumerate() {
        let (output, input) = (i / inputs, i % inputs);
        for row in 0..height {
            for column in 0..width {
                let term = (input * height + row) * width + column;
                let at = output * weight.step[0] + term * weight.step[1];
                sums[rows.under[row] * columns.kernel + columns.under[column]] += weight.values[at];
            }
        }
    }
    sums
}
