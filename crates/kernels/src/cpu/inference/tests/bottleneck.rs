//! Convolutions of every channel by itself that are one layer with their neighbours.

use proptest::prelude::*;

use super::definition::{Image, assert_within, largest, output};
use crate::cpu::inference::step::Layer;
use crate::cpu::inference::{Builder, Convolution, Function, Program};
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values as values;
use crate::cpu::threads::tests::on;

#[derive(Clone, Debug)]
struct Case {
    /// Of the image, between the convolutions, and of the result.
    channels: [usize; 3],
    size: [usize; 2],
    /// Kernel, stride and padding of the first convolution, if there is one.
    expand: Option<[usize; 3]>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    dilation: usize,
    images: usize,
    threads: usize,
    /// Whether the image is added to a result of its shape.
    is_added: bool,
}

impl Case {
    /// The weights and biases of the convolutions.
    fn weights(&self) -> [[Vec<f32>; 2]; 3] {
        let [from, middle, to] = self.channels;
        let side = self.expand.map_or(1, |[side, ..]| side);
        let lens = [
            [middle * from * side * side, middle],
            [middle * self.kernel[0] * self.kernel[1], middle],
            [to * middle, to],
        ];
        let mut seed = 0;
        lens.map(|lens| {
            lens.map(|len| {
                seed += 1;
                values(len, seed)
            })
        })
    }

    fn convs<'a>(&self, weights: &'a [[Vec<f32>; 2]; 3]) -> Vec<Convolution<'a>> {
        let [expand, depthwise, project] = weights;
        let conv =
            |[weight, bias]: &'a [Vec<f32>; 2], [side, stride, padding]: [usize; 3]| Convolution {
                weight,
                bias: Some(bias),
                out_channels: bias.len(),
                kernel: [side; 2],
                stride: [stride; 2],
                padding: [padding; 4],
                dilation: 1,
                groups: 1,
            };
        let Case { kernel, stride, padding, dilation, .. } = *self;
        let groups = self.channels[1];
        let depthwise = conv(depthwise, [1, 1, 0]);
        let depthwise = Convolution { kernel, stride, padding, dilation, groups, ..depthwise };
        let first = self.expand.map(|sizes| conv(expand, sizes));
        first.into_iter().chain([depthwise, conv(project, [1, 1, 0])]).collect()
    }

    /// The program, if there are pixels, and whether the image is added.
    fn program(&self, isa: Isa, convs: &[Convolution]) -> Option<(Program, bool)> {
        let [height, width] = self.size;
        let (mut b, given) = Builder::with(isa, [self.channels[0], height, width]);
        let mut x = given;
        for (i, conv) in convs.iter().enumerate() {
            let [_, height, width] = b.shape(x);
            x = b.conv(x, *conv, output(conv, [height, width])?)?;
            x = if i + 1 < convs.len() { b.function(x, Function::Relu6) } else { x };
        }
        let is_added = self.is_added && b.shape(x) == b.shape(given);
        let y = if is_added { b.sum(x, given) } else { x };
        Some((b.finish(y), is_added))
    }

    fn check(&self, isa: Isa) {
        let weights = self.weights();
        let convs = self.convs(&weights);
        let Some((program, is_added)) = self.program(isa, &convs) else { return };
        let ([height, width], channels) = (self.size, self.channels[0]);
        let images = values(self.images * channels * height * width, 7);
        let found = on(self.threads, || program.run(&images));
        let (mut expected, mut size) = (Vec::new(), 0.0);
        for image in images.chunks_exact(channels * height * width) {
            let mut x = Image::given([channels, height, width], image);
            for (i, conv) in convs.iter().enumerate() {
                let [_, height, width] = x.shape();
                x = x.conv(conv, output(conv, [height, width]).expect("it was asked for"));
                if i + 1 < convs.len() {
                    x.values.iter_mut().for_each(|x| *x = x.clamp(0.0, 6.0));
                }
            }
            size = largest(&x.values).max(size);
            if is_added {
                x.values.iter_mut().zip(image).for_each(|(x, given)| *x += f64::from(*given));
            }
            expected.extend(x.values);
        }
        assert_within(&found, &expected, 2e-5 * size, &format!("{isa:?} {self:?}"));
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = [1..20usize, 14..70usize, 1..40usize];
    let expand = prop_oneof![
        Just(None),
        Just(Some([1, 1, 0])),
        [1..4usize, 1..3usize, 0..4usize].prop_map(Some)
    ];
    let window = ([1..6usize, 1..6usize], [1..3usize, 1..3usize], 1..3usize);
    let padding = [0..6usize, 0..6usize, 0..6usize, 0..6usize];
    let how = (1..4usize, 1..4usize, any::<bool>());
    (channels, [1..30usize, 1..30usize], expand, window, padding, how).prop_map(
        |(mut channels, size, expand, (kernel, stride, dilation), mut padding, how)| {
            let (images, threads, is_added) = how;
            if expand.is_none() {
                channels[1] = channels[0].max(2);
                channels[0] = channels[1];
            }
            if is_added {
                channels[2] = channels[0];
                for axis in 0..2 {
                    let around = dilation * (kernel[axis] - 1);
                    padding[2 * axis] = around / 2;
                    padding[2 * axis + 1] = around - around / 2;
                }
            }
            let stride = if is_added { [1, 1] } else { stride };
            Case {
                channels,
                size,
                expand,
                kernel,
                stride,
                padding,
                dilation,
                images,
                threads,
                is_added,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 300 }, ..Default::default() })]

    #[test]
    fn bottlenecks_are_those_of_the_definition(case in cases()) {
        for isa in Isa::available() {
            case.check(isa);
        }
    }
}

/// MobileNet v2's second block, or one like it.
fn block(size: usize, channels: [usize; 3]) -> Case {
    Case {
        channels,
        size: [size; 2],
        expand: Some([1, 1, 0]),
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 4],
        dilation: 1,
        images: 2,
        threads: 2,
        is_added: true,
    }
}

#[test]
fn rows_that_do_not_fit_a_cache_together_are_computed_one_after_the_other() {
    block(56, [24, 144, 24]).check(Isa::current());
    // Not even one row with those around it fits.
    block(40, [8, 1600, 8]).check(Isa::current());
}

#[test]
fn the_threads_that_share_a_bottleneck_change_no_bit() {
    let strided = Case { stride: [2; 2], is_added: false, ..block(30, [16, 96, 24]) };
    let padded = Case { padding: [0, 4, 4, 0], is_added: false, ..block(5, [24, 32, 16]) };
    let bare = Case { expand: None, padding: [2; 4], is_added: false, ..block(3, [16, 16, 16]) };
    for case in [block(28, [16, 96, 16]), strided, padded, bare] {
        let weights = case.weights();
        let (program, _) = case.program(Isa::current(), &case.convs(&weights)).unwrap();
        let len = program.input().iter().product::<usize>();
        let images = values(3 * len, 8);
        let one_by_one = || -> Vec<f32> {
            images.chunks_exact(len).flat_map(|image| program.run(image)).collect()
        };
        let alone = one_by_one();
        for threads in [1, 2, 3, 5, 8] {
            assert_eq!(on(threads, one_by_one), alone, "{case:?}, {threads} threads, one by one");
            assert_eq!(on(threads, || program.run(&images)), alone, "{case:?}, {threads} threads");
        }
    }
}

#[test]
fn large_images_of_few_weights_make_a_bottleneck_of_three_convolutions() {
    let layers = |case: Case, is_joined: bool| {
        let weights = case.weights();
        let (program, _) = case.program(Isa::current(), &case.convs(&weights)).unwrap();
        let joined = program.layers().filter(|layer| matches!(layer, Layer::Bottleneck(_)));
        assert_eq!(joined.count(), usize::from(is_joined), "{case:?}");
    };
    layers(block(56, [24, 144, 24]), true);
    layers(Case { expand: None, ..block(56, [32, 32, 16]) }, true);
    layers(block(7, [160, 960, 160]), false);
}
