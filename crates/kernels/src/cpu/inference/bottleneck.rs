//! A convolution, one of every channel by itself and one of 1 × 1, row by row: what lies between them, which is several
//! times as large as the images before and behind, never leaves the caches of the thread that has made it.

use super::conv::Conv;
use super::depthwise::Depthwise;
use super::planes::Planes;
use super::step::{Images, NO_LIMITS, Split, Work};
use crate::cpu::memory::Aligned;
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Bytes of the rows that the second convolution reads: with what it makes of them, and the weights, they stay in the
/// second-level cache.
const ROWS: usize = 384 * 1024;

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
    /// Whether threads that share the rows of `x` need not share the weights of such a layer.
    pub fn pays(weights: usize, x: &Planes) -> bool {
        Split::of(weights, x) == Split::Rows
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

    pub fn has_no_limits(&self) -> bool {
        self.project.limits == NO_LIMITS
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
            Rows { layer: self, work, x, other, y }.run(first, count);
        });
    }
}

/// The rows of a result.
struct Rows<'a> {
    layer: &'a Bottleneck,
    work: Work,
    x: Images<*const f32>,
    other: Option<Images<*const f32>>,
    y: Images<*mut f32>,
}

impl Rows<'_> {
    /// Computes some rows, a few at a time.
    fn run(&self, first: usize, count: usize) {
        let Bottleneck { expand, depthwise, middle, project } = self.layer;
        let stride = depthwise.stride[0];
        let reach = depthwise.dilation * (depthwise.kernel[0] - 1) + 1;
        let mut window = expand.as_ref().map(|(conv, planes)| {
            let [_, _, left, right] = depthwise.frame(planes, middle);
            Window::new(conv, Planes { frame: [0, 0, left, right], ..*planes })
        });
        let fits = window.as_ref().map_or(count, |window| {
            let rows = ROWS / (window.planes.blocks() * window.planes.row() * size_of::<f32>());
            rows.saturating_sub(reach) / stride + 1
        });
        let bands: Vec<_> = even_pieces(count, fits).collect();
        let most = bands[0].1;
        if let Some(window) = &mut window {
            window.allocate((most - 1) * stride + reach);
        }
        let planes = Planes { shape: [middle.shape[0], most, middle.shape[2]], ..*middle };
        let mut between = Aligned::any(planes.len());
        let between = Images { at: between.as_mut_ptr(), planes };
        for (start, count) in bands {
            let row = first + start;
            let x = match &mut window {
                Some(window) => {
                    let first = (row * stride) as isize - depthwise.padding[0] as isize;
                    let images =
                        window.slide(self.work, self.x, first, (count - 1) * stride + reach);
                    let [channels, height, width] = images.planes.shape;
                    let above = depthwise.padding[0];
                    let [_, _, left, right] = images.planes.frame;
                    let shape = [channels, height - above, width];
                    let planes = Planes { shape, frame: [above, 0, left, right], ..images.planes };
                    Images { at: images.at, planes }
                }
                None => self.x.rows(row * stride, self.x.planes.shape[1] - row * stride),
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
    /// The whole image.
    image: Planes,
    /// What is there of it.
    planes: Planes,
    values: Aligned,
    /// The first row, and the one behind the last one. Those outside of the image are zero.
    rows: [isize; 2],
}

impl<'a> Window<'a> {
    fn new(conv: &'a Conv, image: Planes) -> Self {
        Window { conv, image, planes: image, values: Aligned::any(0), rows: [isize::MIN; 2] }
    }

    /// Makes room for so many rows.
    fn allocate(&mut self, rows: usize) {
        self.planes.shape[1] = rows;
        self.values = Aligned::any(self.planes.len());
        self.planes.clear_frame(&mut self.values);
    }

    /// Moves on to the rows from `first` on, and computes what is new.
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
        let height = self.image.shape[1] as isize;
        let begin = first + kept as isize;
        let [inside, outside] = [0, height].map(|row| row.clamp(begin, end));
        for block in self.values.chunks_exact_mut(self.planes.block()) {
            block[kept * row..][..(inside - begin) as usize * row].fill(0.0);
            block[(outside - first) as usize * row..count * row].fill(0.0);
        }
        let images = Images { at: self.values.as_mut_ptr(), planes: self.planes };
        if inside < outside {
            let skipped = inside as usize * self.conv.geometry.stride[0];
            let x = x.rows(skipped, x.planes.shape[1] - skipped);
            let new = images.rows((inside - first) as usize, (outside - inside) as usize);
            self.conv.run(work, x, None, new);
        }
        images.as_const()
    }
}
