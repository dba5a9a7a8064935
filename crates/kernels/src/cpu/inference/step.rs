//! The steps of a program, and what each of them gets to work with.

use std::ops::Range;

use rayon::prelude::*;

use super::bottleneck::Bottleneck;
use super::conv::Conv;
use super::depthwise::Depthwise;
use super::planes::Planes;
use super::pointwise::{self, Function, Join};
use super::pool::{self, Windows};
use super::upsampled::Upsampled;
use crate::cpu::simd::Isa;
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Multiplications of a step below which another thread takes too long to wake up to be of help.
const SPLIT_WORK: usize = 1 << 20;

/// What a vector of an exponential function costs, in the time of a multiply-add of vectors: here, and in Burn's operations,
/// which take it value by value.
const EXPONENTIAL: u64 = 30;
const EXPONENTIAL_IN_BURN: u64 = 200;

/// Limits of results without an activation.
pub(super) const NO_LIMITS: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// Images in memory, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Images<P> {
    /// The first element of the first image.
    pub at: P,
    pub planes: Planes,
}

// SAFETY: it is an address alone; whoever reads or writes there answers for it.
unsafe impl<P> Send for Images<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Images<P> {}

impl<P: Address> Images<P> {
    /// An element of the images.
    #[inline(always)]
    pub fn element(&self, i: usize) -> P {
        self.at.after(i)
    }

    /// The first pixel of a row of a block.
    #[inline(always)]
    pub fn row(&self, block: usize, row: usize) -> P {
        let p = &self.planes;
        self.at.after(block * p.block() + p.first() + row * p.row())
    }

    /// The image from this row on, for layers that are told elsewhere how many rows there are.
    #[inline(always)]
    pub fn below(&self, row: usize) -> Self {
        Images { at: self.at.after(row * self.planes.row()), planes: self.planes }
    }

    /// Some rows of the image. Those above and below are its frame then, but are not zero.
    #[inline(always)]
    pub fn rows(&self, first: usize, count: usize) -> Self {
        let planes = &self.planes;
        let [channels, height, width] = planes.shape;
        let [top, bottom, left, right] = planes.frame;
        let frame = [top + first, bottom + height - first - count, left, right];
        let planes = Planes { shape: [channels, count, width], frame, ..*planes };
        Images { at: self.at, planes }
    }

    /// The images from this one on.
    #[inline(always)]
    pub fn image(&self, i: usize) -> Self {
        Images { at: self.at.after(i * self.planes.len()), planes: self.planes }
    }
}

impl Images<*mut f32> {
    /// The images to be read.
    pub fn as_const(&self) -> Images<*const f32> {
        Images { at: self.at.cast_const(), planes: self.planes }
    }
}

/// Where elements are read, or written too.
pub(super) trait Address: Copy {
    /// The element that many behind it.
    fn after(self, elements: usize) -> Self;
}

impl Address for *const f32 {
    #[inline(always)]
    fn after(self, elements: usize) -> Self {
        self.wrapping_add(elements)
    }
}

impl Address for *mut f32 {
    #[inline(always)]
    fn after(self, elements: usize) -> Self {
        self.wrapping_add(elements)
    }
}

/// How several threads share an image. To fetch a value that another core has written takes a dozen times as long as to
/// read one from memory that both share, so that a layer should get what the same thread has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// Rows for each, which then reads all weights.
    Rows,
    /// Channels that come out for each, which then reads the whole image.
    Channels,
}

/// Bytes of weights that are read in the time in which a byte of another core's is fetched.
const FETCH: usize = 12;

impl Split {
    /// That of a layer of so many bytes of weights, of images `x`.
    pub fn of(weights: usize, x: &Planes) -> Self {
        match weights < FETCH * x.len() * size_of::<f32>() {
            true => Split::Rows,
            false => Split::Channels,
        }
    }
}

/// Some rows of a block of channels.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub block: usize,
    first: usize,
    count: usize,
}

impl Band {
    pub fn rows(self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

/// How a step is computed.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub isa: Isa,
    /// As many images.
    pub images: usize,
    /// How the threads have shared what it reads.
    pub split: Split,
}

impl Work {
    /// Calls `f` for each of `pieces` pieces of a step of that many multiplications, by several threads where that is worth
    /// it.
    pub fn each(&self, pieces: usize, operations: u64, f: impl Fn(usize) + Sync + Send) {
        if pieces < 2 || operations < threads::worth(SPLIT_WORK) as u64 {
            (0..pieces).for_each(f);
        } else {
            threads::for_each((0..pieces).into_par_iter(), f);
        }
    }

    /// Calls `f` for all rows of every block of an image, in pieces that are shared as what it reads was.
    pub fn each_band(&self, y: &Planes, operations: u64, f: impl Fn(Band) + Sync + Send) {
        let (blocks, height) = (y.blocks(), y.shape[1]);
        let bands = if self.split == Split::Rows { threads::count() } else { 1 };
        let bands: Vec<_> = even_pieces(height, height.div_ceil(bands)).collect();
        self.each(bands.len() * blocks, operations, |i| {
            let (first, count) = bands[i / blocks];
            f(Band { block: i % blocks, first, count });
        });
    }
}

/// A value of a program: an image between two steps.
pub(super) type Place = usize;

/// One step of a program.
pub(super) struct Step {
    pub layer: Layer,
    /// What it reads.
    pub inputs: Vec<Place>,
    /// What it writes.
    pub output: Place,
}

/// What a step computes.
pub(super) enum Layer {
    /// With a second input, that is what the sums begin with.
    Conv(Conv),
    /// A convolution of an image whose pixels are repeated.
    Upsampled(Upsampled),
    Depthwise(Depthwise),
    /// With a second input, that is added.
    Bottleneck(Box<Bottleneck>),
    Pool(Windows),
    Join(Join),
    /// The inputs one behind the other along the channels, every pixel as often as told.
    Copy {
        scale: usize,
    },
}

impl Layer {
    /// Bytes of its weights.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Layer::Conv(conv) => conv.weight_bytes(),
            Layer::Upsampled(convs) => convs.weight_bytes(),
            Layer::Depthwise(layer) => size_of_val::<[f32]>(&layer.weights),
            Layer::Bottleneck(layer) => layer.weight_bytes(),
            _ => 0,
        }
    }

    /// Elements that lie between what it reads and what it writes.
    pub fn inner_len(&self) -> usize {
        match self {
            Layer::Bottleneck(layer) => layer.inner_len(),
            _ => 0,
        }
    }

    /// What `y` costs an image: here, and with many images interleaved, in the time of a multiply-add of vectors.
    pub fn costs(&self, y: &Planes) -> [u64; 2] {
        match self {
            Layer::Conv(conv) => conv.costs([y.shape[1], y.shape[2]], y.lanes),
            Layer::Upsampled(convs) => convs.costs(y),
            Layer::Depthwise(layer) => layer.costs(y),
            Layer::Bottleneck(layer) => layer.costs(y),
            Layer::Join(Join::Function(Function::Sigmoid | Function::Silu | Function::Tanh)) => {
                let vectors = (y.len() / y.lanes) as u64;
                [EXPONENTIAL * vectors, EXPONENTIAL_IN_BURN * vectors]
            }
            _ => [0, 0],
        }
    }

    /// How threads share what it makes of `x`, which they have shared in that way.
    pub fn split(&self, x: &Planes, split: Split) -> Split {
        match self {
            Layer::Conv(_) | Layer::Upsampled(_) => Split::of(self.weight_bytes(), x),
            Layer::Bottleneck(_) => Split::Rows,
            _ => split,
        }
    }

    /// Whether it is one that an activation can be part of, and none is.
    pub fn has_no_limits(&self) -> bool {
        match self {
            Layer::Conv(conv) => conv.has_no_limits(),
            Layer::Upsampled(convs) => convs.has_no_limits(),
            Layer::Depthwise(layer) => layer.limits == NO_LIMITS,
            _ => false,
        }
    }

    pub fn run(&self, work: Work, inputs: &[Images<*const f32>], y: Images<*mut f32>) {
        match self {
            Layer::Conv(conv) => conv.run(work, inputs[0], inputs.get(1).copied(), y),
            Layer::Upsampled(convs) => convs.run(work, inputs[0], y),
            Layer::Join(join) => {
                let x = inputs[0];
                pointwise::run(*join, work, x, inputs.get(1).copied().unwrap_or(x), y);
            }
            _ if work.images == 1 => self.run_one(work, inputs, y),
            _ => {
                let of_one = Work { images: 1, ..work };
                let vectors =
                    self.costs(&y.planes)[0].max((y.planes.len() / y.planes.lanes) as u64);
                let operations = vectors * (y.planes.lanes * work.images) as u64;
                work.each(work.images, operations, |i| {
                    let inputs: Vec<_> = inputs.iter().map(|x| x.image(i)).collect();
                    self.run_one(of_one, &inputs, y.image(i));
                });
            }
        }
    }

    fn run_one(&self, work: Work, inputs: &[Images<*const f32>], y: Images<*mut f32>) {
        let x = inputs[0];
        match self {
            Layer::Conv(_) | Layer::Upsampled(..) | Layer::Join(_) => {
                unreachable!("they take many images")
            }
            Layer::Depthwise(layer) => layer.run(work, x, y),
            Layer::Bottleneck(layer) => layer.run(work, x, inputs.get(1).copied(), y),
            Layer::Pool(windows) => pool::run(*windows, work, x, y),
            Layer::Copy { scale } => {
                let mut behind = 0;
                for x in inputs {
                    pointwise::copy(*x, behind, *scale, y);
                    behind += x.planes.blocks();
                }
            }
        }
    }
}
