//! A convolution, one of every channel by itself and one of 1 × 1, row by row: what lies between them, which is several
//! times as large as the images before and behind, never leaves the caches of the thread that has made it.

use super::conv::Conv;
use super::depthwise::Depthwise;
use super::planes::Planes;
use super::step::{Images, Split, Work};
use crate::cpu::memory::Aligned;
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Bytes of the rows between the convolutions that are there at a time: with the weights, they stay in the second-level
/// cache.
const BETWEEN: usize = 448 * 1024;

/// The block of Sandler et al. ("MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, arXiv 1801.04381); what
/// goes around it is added by the last convolution.
pub(super) struct Bottleneck {
    /// What makes the channels of the second convolution, and those; without it, they are the image's own.
    pub expand: Option<(Conv, Planes)>,
    pub depthwise: Depthwise,
    /// What the second convolution makes.
    pub middle: Planes,
    pub project: Conv,
}

impl Bottleneck {
    /// Whether it takes less time than its convolutions one by one, for so many bytes of weights and of values between
    /// them, of images `x`: where rows are the cheaper way to share it, and weights need not be read for many images at
    /// once.
    pub fn pays(weights: usize, between: usize, x: &Planes) -> bool {
        Split::of(weights, x) == Split::Rows && weights < between
    }

    pub fn weight_bytes(&self) -> usize {
        let expand = self.expand.as_ref().map_or(0, |(conv, _)| conv.weight_bytes());
        expand + size_of_val::<[f32]>(&self.depthwise.weights) + self.project.weight_bytes()
    }

    /// Elements of the images between the convolutions.
    pub fn inner_len(&self) -> usize {
        self.expand.as_ref().map_or(0, |(_, planes)| planes.len()) + self.middle.len()
    }

    /// As [`Conv::costs`].
    pub fn costs(&self, y: &Planes) -> [u64; 2] {
        let of = |conv: &Conv, y: &Planes| conv.costs([y.shape[1], y.shape[2]], y.lanes);
        let expand = self.expand.as_ref().map_or([0; 2], |(conv, planes)| of(conv, planes));
        let others = [self.depthwise.costs(&self.middle), of(&self.project, y)];
        others.into_iter().fold(expand, |[a, b], [c, d]| [a + c, b + d])
    }

    /// The frame that it reads around `x`.
    pub fn frame(&self, x: &Planes) -> [usize; 4] {
        match &self.expand {
            Some((conv, planes)) => conv.frame(x, planes),
            None => self.depthwise.frame(x, &self.middle),
        }
    }

    /// Computes an image from `x`, plus `other` where there is one.
    pub fn run(
        &self,
        work: Work,
        x: Images<*const f32>,
        other: Option<Images<*const f32>>,
        y: Images<*mut f32>,
    ) {
        let height = y.planes.shape[1];
        let pieces: Vec<_> = even_pieces(height, height.div_ceil(threads::count())).collect();
        let operations = self.costs(&y.planes)[0] * y.planes.lanes as u64;
        work.each(pieces.len(), operations, |i| {
            let (first, count) = pieces[i];
            Share { layer: self, work, x, other, y }.compute(first, count);
        });
    }
}

/// What a thread computes rows of.
struct Share<'a> {
    layer: &'a Bottleneck,
    work: Work,
    x: Images<*const f32>,
    other: Option<Images<*const f32>>,
    y: Images<*mut f32>,
}

impl Share<'_> {
    /// Computes some rows, a few at a time.
    fn compute(&self, first: usize, count: usize) {
        let Bottleneck { expand, depthwise, middle, project } = self.layer;
        let (stride, above) = (depthwise.stride[0], depthwise.padding[0]);
        let reach = depthwise.dilation * (depthwise.kernel[0] - 1) + 1;
        let expanded = expand.as_ref().map(|(conv, planes)| {
            let [_, _, left, right] = depthwise.frame(planes, middle);
            (conv, Planes { frame: [0, 0, left, right], ..*planes })
        });
        let bytes = |planes: &Planes| planes.blocks() * planes.row() * size_of::<f32>();
        let read = expanded.as_ref().map_or(0, |(_, planes)| bytes(planes));
        let room = BETWEEN.saturating_sub(read * reach.saturating_sub(stride));
        let fits = room / (read * stride + bytes(middle));
        let bands: Vec<_> = even_pieces(count, fits.max(1)).collect();
        let most = bands[0].1;
        let mut window =
            expanded.map(|(conv, planes)| Window::new(conv, planes, (most - 1) * stride + reach));
        let planes = Planes { shape: [middle.shape[0], most, middle.shape[2]], ..*middle };
        let mut between = Aligned::any(planes.len());
        let between = Images { at: between.as_mut_ptr(), planes };
        for (start, count) in bands {
            let row = first + start;
            let x = match &mut window {
                Some(window) => {
                    let begin = (row * stride) as isize - above as isize;
                    let x = window.slide(self.work, self.x, begin, (count - 1) * stride + reach);
                    // The rows that the kernel reads above the first one are there as a frame.
                    let [channels, height, width] = x.planes.shape;
                    let [_, _, left, right] = x.planes.frame;
                    let shape = [channels, height - above, width];
                    Images {
                        planes: Planes { shape, frame: [above, 0, left, right], ..x.planes },
                        ..x
                    }
                }
                None => self.x.below(row * stride),
            };
            let middle = between.rows(0, count);
            depthwise.run(self.work, x, middle);
            let other = self.other.map(|other| other.rows(row, count));
            project.run(self.work, middle.as_const(), other, self.y.rows(row, count));
        }
    }
}

/// Some rows of what a convolution makes, of which later ones follow.
struct Window<'a> {
    conv: &'a Conv,
    /// Rows of the whole image.
    height: usize,
    /// Those that there is room for.
    planes: Planes,
    values: Aligned,
    /// The first row that is there, and the one behind the last one. Those outside of the image are zero.
    rows: [isize; 2],
}

impl<'a> Window<'a> {
    /// No rows yet, of an image like that, with room for so many.
    fn new(conv: &'a Conv, image: Planes, room: usize) -> Self {
        let [channels, height, width] = image.shape;
        let planes = Planes { shape: [channels, room, width], ..image };
        let mut values = Aligned::any(planes.len());
        planes.clear_frame(&mut values);
        Window { conv, height, planes, values, rows: [isize::MIN; 2] }
    }

    /// Moves on to `count` rows from `first` on, and computes what is new.
    fn slide(
        &mut self,
        work: Work,
        x: Images<*const f32>,
        first: isize,
        count: usize,
    ) -> Images<*const f32> {
        let row = self.planes.row();
        let end = first + count as isize;
        let [before, known] = self.rows;
        let kept = if known > first { (known - first) as usize } else { 0 };
        if kept > 0 {
            let from = (first - before) as usize * row;
            for block in self.values.chunks_exact_mut(self.planes.block()) {
                block.copy_within(from..from + kept * row, 0);
            }
        }
        self.rows = [first, end];
        // Of the new rows those of the image.
        let begin = first + kept as isize;
        let [inside, outside] = [0, self.height as isize].map(|row| row.clamp(begin, end));
        for block in self.values.chunks_exact_mut(self.planes.block()) {
            block[kept * row..][..(inside - begin) as usize * row].fill(0.0);
            block[(outside - first) as usize * row..count * row].fill(0.0);
        }
        let images = Images { at: self.values.as_mut_ptr(), planes: self.planes };
        if inside < outside {
            let x = x.below(inside as usize * self.conv.geometry.stride[0]);
            let new = images.rows((inside - first) as usize, (outside - inside) as usize);
            self.conv.run(work, x, None, new);
        }
        images.as_const()
    }
}
