//! Programs against the definitions of their layers, on every instruction set.

mod bottleneck;
mod definition;
mod upsampled;

use proptest::prelude::*;

use definition::{Image, assert_near, assert_within, largest, output};

use super::*;
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values as values;
use crate::cpu::threads::tests::on;

/// Sizes of a convolution.
#[derive(Clone, Debug)]
struct Case {
    channels: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    dilation: usize,
    groups: usize,
    images: usize,
    /// Whether another layer stands before it, so that its input lies in blocks.
    in_blocks: bool,
    is_added: bool,
}

impl Case {
    /// Computes the convolution on an instruction set and by its definition.
    fn check(&self, isa: Isa) {
        let [inputs, outputs] = self.channels;
        let [height, width] = self.size;
        let weight = values(outputs * inputs / self.groups * self.kernel[0] * self.kernel[1], 1);
        let bias = values(outputs, 2);
        let conv = Convolution {
            weight: &weight,
            bias: Some(&bias),
            out_channels: outputs,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: self.groups,
        };
        let Some(output) = output(&conv, self.size) else { return };
        let (mut builder, given) = Builder::with(isa, [inputs, height, width]);
        let x = match self.in_blocks {
            true => builder.affine(given, &vec![2.0; inputs], &vec![0.25; inputs]),
            false => given,
        };
        let Some(mut y) = builder.conv(x, conv, output) else {
            assert!(self.groups > 1, "only groups may have no kernel: {self:?}");
            return;
        };
        let is_added = self.is_added && [outputs, output[0], output[1]] == [inputs, height, width];
        if is_added {
            y = builder.sum(y, x);
            y = builder.function(y, Function::Relu6);
        }
        let program = builder.finish(y);
        let images = values(self.images * inputs * height * width, 3);
        let found = program.run(&images);
        let (mut expected, mut size) = (Vec::new(), 0.0);
        for image in images.chunks_exact(inputs * height * width) {
            let mut x = Image::given([inputs, height, width], image);
            if self.in_blocks {
                x.values.iter_mut().for_each(|value| *value = 2.0 * *value + 0.25);
            }
            let mut y = x.conv(&conv, output);
            // Of sums that are cut off at 6, too.
            size = largest(&y.values).max(size);
            if is_added {
                for (y, x) in y.values.iter_mut().zip(&x.values) {
                    *y = (*y + x).clamp(0.0, 6.0);
                }
            }
            expected.extend(y.values);
        }
        assert_within(&found, &expected, 2e-5 * size, &format!("{isa:?} {self:?}"));
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1..6usize, 14..35usize, Just(64), Just(80)];
    let kernel = prop_oneof![Just(1usize), Just(2), Just(3), Just(3), Just(5)];
    let sizes = ([channels.clone(), channels], [1..14usize, 1..14usize], [kernel.clone(), kernel]);
    let steps = ([1..3usize, 1..3usize], [0..3usize, 0..3usize, 0..3usize, 0..3usize], 1..3usize);
    let others = (0..4usize, 1..4usize, any::<bool>(), any::<bool>(), any::<bool>());
    (sizes, steps, others).prop_map(|(sizes, steps, others)| {
        let (mut channels, size, mut kernel) = sizes;
        let (mut stride, mut padding, mut dilation) = steps;
        let (kind, images, in_blocks, is_added, is_plain) = others;
        let mut groups = 1;
        match kind {
            // Depthwise.
            0 => {
                channels[1] = channels[0];
                groups = channels[0];
            }
            // Groups of whole vectors, or not.
            1 => {
                channels = channels.map(|channels| channels.div_ceil(16) * 32);
                groups = 2;
            }
            _ if is_plain => {
                // What Winograd's method may compute, of which the image stays as large as it is.
                kernel = if kernel[0] == 5 { [5; 2] } else { [3; 2] };
                (stride, dilation, padding) = ([1; 2], 1, [kernel[0] / 2; 4]);
                channels[1] = if is_added { channels[0] } else { channels[1] };
            }
            _ => {}
        }
        Case {
            channels,
            size,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            images,
            in_blocks,
            is_added,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 200 }, ..Default::default() })]

    #[test]
    fn convolutions_are_those_of_the_definition(case in cases()) {
        for isa in Isa::available() {
            case.check(isa);
        }
    }
}

/// A layer of pools and joins over an image of these channels, and its output by the definition.
#[test]
fn pools_joins_and_functions_are_those_of_the_definition() {
    let shape = [20, 7, 6];
    let images = values(2 * 20 * 7 * 6, 4);
    let windows = [
        PoolWindows { kernel: [2, 2], stride: [2, 2], padding: [0, 0], output: [3, 3] },
        PoolWindows { kernel: [3, 2], stride: [2, 1], padding: [1, 1], output: [4, 7] },
        // The last windows reach over the border.
        PoolWindows { kernel: [3, 3], stride: [2, 2], padding: [0, 0], output: [3, 3] },
    ];
    let mean =
        |pixels: &[Option<f64>], count: usize| pixels.iter().flatten().sum::<f64>() / count as f64;
    let check = |build: &dyn Fn(&mut Builder, Value) -> Value,
                 expected: &dyn Fn(Image) -> Image| {
        for isa in Isa::available() {
            let (mut builder, x) = Builder::with(isa, shape);
            let y = build(&mut builder, x);
            let found = builder.finish(y).run(&images);
            let each = images.chunks_exact(20 * 7 * 6).map(|image| Image::given(shape, image));
            let expected: Vec<f64> = each.flat_map(|image| expected(image).values).collect();
            assert_near(&found, &expected, 1e-6, &format!("{isa:?}"));
        }
    };
    for w in windows {
        check(&|b, x| b.max_pool(x, w), &|x| {
            x.windows(&w, |pixels| pixels.into_iter().flatten().fold(f64::NEG_INFINITY, f64::max))
        });
        check(&|b, x| b.avg_pool(x, w, false), &|x| {
            x.windows(&w, |pixels| mean(&pixels, pixels.iter().flatten().count()))
        });
    }
    let w = windows[1];
    check(&|b, x| b.avg_pool(x, w, true), &|x| x.windows(&w, |pixels| mean(&pixels, 6)));
    check(&|b, x| b.adaptive_avg_pool(x, 1), &|x| {
        let w = PoolWindows { kernel: [7, 6], stride: [1, 1], padding: [0, 0], output: [1, 1] };
        x.windows(&w, |pixels| mean(&pixels, 42))
    });
    check(&|b, x| b.adaptive_avg_pool(x, 3), &|x| {
        Image::new([20, 3, 3], |c, y, column| {
            let (rows, columns) =
                (y * 7 / 3..((y + 1) * 7).div_ceil(3), 2 * column..2 * column + 2);
            let pixels: Vec<_> = rows
                .flat_map(|y| columns.clone().map(move |x| (y, x)))
                .map(|(row, column)| x.get(c, row as isize, column as isize))
                .collect();
            mean(&pixels, pixels.len())
        })
    });
    check(&|b, x| b.upsample(x, 3), &|x| {
        Image::new([20, 21, 18], |c, y, column| {
            x.get(c, (y / 3) as isize, (column / 3) as isize).expect("it is a pixel")
        })
    });
    check(
        &|b, x| {
            let means = b.adaptive_avg_pool(x, 1);
            let gate = b.function(means, Function::HardSigmoid);
            b.product(x, gate)
        },
        &|x| {
            let gates: Vec<f64> =
                x.values.chunks_exact(42).map(|p| p.iter().sum::<f64>() / 42.0).collect();
            Image::new(shape, |c, y, column| {
                let gate = (gates[c] + 3.0).clamp(0.0, 6.0) / 6.0;
                gate * x.get(c, y as isize, column as isize).expect("it is a pixel")
            })
        },
    );
    for (function, of) in [
        (Function::Relu, (|x| x.max(0.0)) as fn(f64) -> f64),
        (Function::Relu6, |x| x.clamp(0.0, 6.0)),
        (Function::LeakyRelu(0.1), |x| if x < 0.0 { f64::from(0.1f32) * x } else { x }),
        (Function::Silu, |x| x / (1.0 + (-x).exp())),
        (Function::HardSwish, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        (Function::HardSigmoid, |x| (x + 3.0).clamp(0.0, 6.0) / 6.0),
        (Function::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Function::Tanh, f64::tanh),
        (Function::Scale(-3.0), |x| -3.0 * x),
    ] {
        check(&|b, x| b.function(x, function), &|mut x| {
            x.values.iter_mut().for_each(|value| *value = of(*value));
            x
        });
    }
}

#[test]
fn functions_of_channels_that_fill_few_lanes_are_those_of_the_definition() {
    for (channels, size) in [(1, 1), (2, 5), (6, 28), (8, 40), (9, 3)] {
        for isa in Isa::available() {
            let (mut b, x) = Builder::with(isa, [channels, size, size]);
            let x = b.affine(x, &vec![2.0; channels], &vec![0.25; channels]);
            let y = b.function(x, Function::Tanh);
            let program = b.finish(y);
            // A single image goes row by row, several as one stretch of memory.
            for count in [1, 3] {
                let images = values(count * channels * size * size, 9);
                let expected = images.iter().map(|x| (2.0 * f64::from(*x) + 0.25).tanh());
                let expected: Vec<f64> = expected.collect();
                let what = format!("{isa:?} {channels} channels of {size}");
                assert_near(&program.run(&images), &expected, 1e-6, &what);
            }
        }
    }
}

/// A network of all that there is, for images of 3 × 32 × 32.
fn network(isa: Isa) -> Program {
    let (mut b, x) = Builder::with(isa, [3, 32, 32]);
    let conv = |b: &mut Builder, x, channels: [usize; 2], side, groups| {
        let weight = values(channels[0] / groups * channels[1] * 9, channels[1] as u64);
        let conv = Convolution {
            weight: &weight,
            bias: None,
            out_channels: channels[1],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1; 4],
            dilation: 1,
            groups,
        };
        b.conv(x, conv, [side; 2]).expect("there is a kernel")
    };
    let pool =
        |side| PoolWindows { kernel: [2; 2], stride: [2; 2], padding: [0; 2], output: [side; 2] };
    let x = conv(&mut b, x, [3, 32], 32, 1);
    let x = b.function(x, Function::Relu);
    let y = conv(&mut b, x, [32, 32], 32, 32);
    let y = conv(&mut b, y, [32, 32], 32, 1);
    let x = b.sum(x, y);
    let x = b.max_pool(x, pool(16));
    let y = conv(&mut b, x, [32, 48], 16, 1);
    let x = b.concat(&[x, y]).expect("whole vectors");
    let x = b.max_pool(x, pool(8));
    let x = conv(&mut b, x, [80, 256], 8, 1);
    let x = b.function(x, Function::Relu6);
    let x = b.max_pool(x, pool(4));
    let x = conv(&mut b, x, [256, 256], 4, 1);
    let x = b.function(x, Function::Tanh);
    let x = b.linear(x, &values(256 * 16 * 10, 5), Some(&values(10, 6)));
    b.finish(x)
}

#[test]
fn an_image_gives_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    for isa in Isa::available() {
        let program = network(isa);
        let images = values(7 * 3 * 32 * 32, 7);
        let alone: Vec<f32> =
            images.chunks_exact(3 * 32 * 32).flat_map(|image| program.run(image)).collect();
        assert!(alone.iter().all(|y| y.is_finite()) && alone.iter().any(|y| y.abs() > 0.1));
        for threads in [1, 2, 3] {
            // A second run finds the memory of the first.
            for _ in 0..2 {
                assert_eq!(on(threads, || program.run(&images)), alone, "{isa:?}, {threads}");
            }
        }
    }
}

#[test]
fn a_program_without_layers_or_images_gives_what_it_got() {
    let (builder, x) = Builder::new([2, 3, 4]);
    let program = builder.finish(x);
    let images = values(2 * 24, 8);
    assert_eq!(program.run(&images), images);
    assert_eq!(program.run(&[]), [0.0; 0]);
    assert_eq!([program.input(), program.output()], [[2, 3, 4]; 2]);
    assert_eq!(network(Isa::current()).run(&[]), [0.0; 0]);
}

#[test]
fn sizes_that_do_not_fit_are_refused_before_a_kernel_reads_by_them() {
    let refused = |build: &dyn Fn(&mut Builder, Value)| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (mut builder, x) = Builder::new([16, 4, 4]);
            build(&mut builder, x);
        }));
        assert!(caught.is_err());
    };
    refused(&|b, x| _ = b.affine(x, &[1.0; 15], &[0.0; 16]));
    refused(&|b, x| _ = b.linear(x, &[0.0; 255], None));
    refused(&|b, x| _ = b.linear(x, &[], None));
    refused(&|b, x| {
        let one = b.adaptive_avg_pool(x, 2);
        b.sum(x, one);
    });
    refused(&|b, x| {
        let two = b.adaptive_avg_pool(x, 2);
        b.product(x, two);
    });
    refused(&|b, x| {
        let large = b.upsample(x, 2);
        b.concat(&[x, large]);
    });
    for (len, output, groups) in [(15, [4, 4], 16), (16, [5, 4], 16), (256, [4, 4], 3)] {
        refused(&|b, x| {
            let conv = Convolution {
                weight: &vec![0.0; len],
                bias: None,
                out_channels: 16,
                kernel: [1, 1],
                stride: [1, 1],
                padding: [0; 4],
                dilation: 1,
                groups,
            };
            b.conv(x, conv, output);
        });
    }
    assert!(std::panic::catch_unwind(|| Builder::new([0, 4, 4])).is_err());
}

#[test]
fn a_nan_is_seen_at_the_end() {
    for isa in Isa::available() {
        let mut images = values(3 * 32 * 32, 9);
        images[500] = f32::NAN;
        assert!(network(isa).run(&images).iter().all(|y| y.is_nan()), "{isa:?}");
    }
}

#[test]
#[should_panic(expected = "25 elements of images of 24")]
fn a_part_of_an_image_is_refused() {
    let (builder, x) = Builder::new([2, 3, 4]);
    builder.finish(x).run(&[0.0; 25]);
}

#[test]
fn channels_that_fill_the_lanes_and_depthwise_layers_make_a_program_faster_than_interleaving() {
    let program = |channels: usize, groups: usize| {
        let (mut b, x) = Builder::new([channels, 14, 14]);
        let weight = vec![0.0; channels * channels / groups * 9];
        let (kernel, stride, padding) = ([3, 3], [2, 2], [1; 4]);
        let conv = Convolution {
            weight: &weight,
            bias: None,
            out_channels: channels,
            kernel,
            stride,
            padding,
            dilation: 1,
            groups,
        };
        let y = b.conv(x, conv, [7, 7]).expect("there is a kernel");
        b.finish(y)
    };
    assert!(program(64, 1).is_faster(256) && program(10, 10).is_faster(256));
    let small = program(5, 1);
    assert!(small.is_faster(1) && !small.is_faster(256));
}
