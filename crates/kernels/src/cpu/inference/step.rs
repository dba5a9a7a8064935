//! The steps of a program, and what each of them gets to work with.

use rayon::prelude::*;

use super::conv::Conv;
use super::depthwise::Depthwise;
use super::planes::Planes;
use super::pointwise::{self, Function, Join};
use super::pool::{self, Windows};
use super::upsampled::Upsampled;
use crate::cpu::simd::Isa;
use crate::cpu::threads;

/// Multiplications of a step below which another thread takes too long to wake up to be of help.
const SPLIT_WORK: usize = 1 << 20;

/// How much longer a depthwise convolution takes whose channels are no neighbours in memory.
const DEPTHWISE_INTERLEAVED: u64 = 4;

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

    /// The images from this one on.
    #[inline(always)]
    pub fn image(&self, i: usize) -> Self {
        Images { at: self.at.after(i * self.planes.len()), planes: self.planes }
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

/// How a step is computed.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub isa: Isa,
    /// As many images.
    pub images: usize,
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
            _ => 0,
        }
    }

    /// What `y` costs an image: here, and with many images interleaved, in the time of a multiply-add of vectors.
    pub fn costs(&self, y: &Planes) -> [u64; 2] {
        match self {
            Layer::Conv(conv) => conv.costs([y.shape[1], y.shape[2]], y.lanes),
            Layer::Upsampled(convs) => convs.costs(y),
            Layer::Depthwise(layer) => {
                let pixels = y.blocks() * y.shape[1] * y.shape[2];
                let cost = pixels as u64 * (layer.kernel[0] * layer.kernel[1]) as u64;
                [cost, DEPTHWISE_INTERLEAVED * cost]
            }
            Layer::Join(Join::Function(Function::Sigmoid | Function::Silu | Function::Tanh)) => {
                let vectors = (y.len() / y.lanes) as u64;
                [EXPONENTIAL * vectors, EXPONENTIAL_IN_BURN * vectors]
            }
            _ => [0, 0],
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
                work.each(work.images, (work.images * y.planes.len()) as u64, |i| {
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
