//! A block with inputs, compared with the oracle.

use super::naive;
use crate::cpu::conv::backward::{Gradients, Saved, Wanted, backward_by};
use crate::cpu::conv::forward::forward_by;
use crate::cpu::conv::im2col;
use crate::cpu::conv::io::{Inputs, Output};
use crate::cpu::conv::method::Methods;
use crate::cpu::conv::planes;
use crate::cpu::conv::winograd::Variant;
use crate::cpu::layout::Geometry;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values;
use crate::ops::{ConvBlockOptions, FusedActivation};

/// Every gradient.
pub const ALL: Wanted = Wanted { x: true, weight: true, bias: true };

/// A block with its inputs and the gradient of its output.
pub struct Case {
    pub g: Geometry,
    pub methods: Methods,
    pub x: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub scale: Option<Vec<f32>>,
    pub grad: Vec<f32>,
}

impl Case {
    pub fn new(
        x: [usize; 4],
        out_channels: usize,
        kernel: [usize; 2],
        options: ConvBlockOptions,
    ) -> Self {
        let weight = [out_channels, x[1], kernel[0], kernel[1]];
        let g = Geometry::new(x, weight, &options);
        assert!(g.is_fusable());
        Case {
            g,
            methods: Methods::default(),
            x: random_values(x.iter().product(), 1),
            weight: random_values(weight.iter().product(), 2),
            bias: random_values(out_channels, 3),
            scale: None,
            grad: random_values(g.batch * g.output_len(), 4),
        }
    }

    pub fn forward(&self, isa: Isa, with_argmax: bool) -> Output {
        forward_by(isa, (&self.g, self.methods), self.inputs(), with_argmax)
    }

    pub fn backward(&self, isa: Isa, argmax: &[u8], wanted: Wanted) -> Gradients {
        let saved =
            Saved { x: &self.x, weight: &self.weight, scale: self.scale.as_deref(), argmax };
        backward_by(isa, (&self.g, self.methods), saved, &self.grad, wanted)
    }

    /// The case, computed by Winograd's method.
    pub fn by(self, variant: Variant) -> Self {
        let variant = Some(variant);
        Case { methods: Methods { forward: variant, input: variant, weight: variant }, ..self }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { x: &self.x, weight: &self.weight, bias: &self.bias, scale: self.scale.as_deref() }
    }

    /// The factor of an output.
    fn factor(&self, at: usize) -> f32 {
        let plane = self.g.output[0] * self.g.output[1];
        self.scale.as_ref().map_or(1.0, |scale| scale[at / plane])
    }

    /// These outputs of the oracle, each times its factor.
    fn scaled(&self, outputs: &[f64]) -> Vec<f64> {
        let outputs = outputs.iter().enumerate();
        outputs.map(|(at, output)| output * f64::from(self.factor(at))).collect()
    }

    /// Compares the outputs computed by im2col with the oracle.
    pub fn check_im2col(&self, isa: Isa) {
        let g = &self.g;
        let expected = naive::forward(g, &self.x, &self.weight, &self.bias).output;
        let output = im2col::forward(isa, g, self.inputs());
        self.close(isa, "output by im2col", &output, &self.scaled(&expected), g.fan_in());
    }

    /// Output and gradients as products of planes.
    pub fn by_planes(&self, isa: Isa) -> (Recycled, Gradients) {
        let saved = Saved { x: &self.x, weight: &self.weight, scale: None, argmax: &[] };
        let gradients = planes::backward(isa, &self.g, saved, &self.grad, ALL);
        (planes::forward(isa, &self.g, self.inputs()), gradients)
    }

    /// Compares the outputs computed as products of planes with the oracle, and the gradients if there are some.
    pub fn check_planes(&self, isa: Isa) {
        let g = &self.g;
        assert!(planes::covers(g));
        let expected = naive::forward(g, &self.x, &self.weight, &self.bias);
        let (output, found) = self.by_planes(isa);
        self.close(isa, "output of planes", &output, &expected.output, g.fan_in());
        if !planes::can_compute(g, None, true) {
            return;
        }
        let naive = naive::backward(g, &self.x, &self.weight, &expected.argmax, &self.grad);
        self.close(isa, "gradient of x", &found.x, &naive.x, g.out_channels);
        let pixels = g.batch * g.conv[0] * g.conv[1];
        self.close(isa, "gradient of weight", &found.weight, &naive.weight, pixels);
        self.close(isa, "gradient of bias", &found.bias, &naive.bias, pixels);
    }

    /// Compares outputs and gradients of one instruction set with the oracle.
    pub fn check(&self, isa: Isa) {
        let g = &self.g;
        let expected = naive::forward(g, &self.x, &self.weight, &self.bias);
        let grad = self.grad.iter().enumerate();
        let grad: Vec<f32> = grad.map(|(at, grad)| grad * self.factor(at)).collect();
        let output = self.forward(isa, true);
        let scaled = self.scaled(&expected.output);
        self.close(isa, "output", &output.values, &scaled, g.fan_in());
        let plain = self.forward(isa, false);
        assert_eq!(output.values[..], plain.values[..], "the argmax does not change the output");
        assert!(plain.argmax.is_empty());

        // Of pixels that are nearly equal, rounding may choose another one than the oracle.
        let position = match g.needs_argmax() {
            true => self.positions(isa, &output.argmax),
            false => expected.argmax,
        };
        self.close(
            isa,
            "chosen value",
            &self.values(&position, &expected.output),
            &expected.output,
            g.fan_in(),
        );
        let gradients = self.backward(isa, &output.argmax, ALL);
        let naive = naive::backward(g, &self.x, &self.weight, &position, &grad);
        self.close(
            isa,
            "gradient of x",
            &gradients.x,
            &naive.x,
            g.out_channels * g.kernel[0] * g.kernel[1] * g.upsample[0] * g.upsample[1],
        );
        let pixels = g.batch * g.conv[0] * g.conv[1];
        self.close(isa, "gradient of weight", &gradients.weight, &naive.weight, pixels);
        self.close(isa, "gradient of bias", &gradients.bias, &naive.bias, pixels);
    }

    /// The pixel of the convolution that each output was taken from, as its argmax says.
    fn positions(&self, isa: Isa, argmax: &[u8]) -> Vec<Option<[usize; 2]>> {
        let (g, lanes) = (&self.g, isa.lanes());
        let position = |at: usize| {
            let (image, rest) = (at / g.output_len(), at % g.output_len());
            let pixel = rest % (g.output[0] * g.output[1]);
            let output = [pixel / g.output[1], pixel % g.output[1]];
            let index = argmax[(image / lanes * g.output_len() + rest) * lanes + image % lanes];
            let k = [usize::from(index) / g.pool.kernel[1], usize::from(index) % g.pool.kernel[1]];
            let along = |axis: usize| {
                let position = output[axis] * g.pool.stride[axis] + k[axis];
                let position = position.checked_sub(g.pool.padding[axis]);
                position.filter(|&p| p < g.conv[axis]).expect("a pixel of the plane")
            };
            (index < 255).then(|| [along(0), along(1)])
        };
        (0..g.batch * g.output_len()).map(position).collect()
    }

    /// The outputs that these positions stand for; where there is none, the end of the activation that is nearer to
    /// what is expected.
    fn values(&self, positions: &[Option<[usize; 2]>], expected: &[f64]) -> Vec<f32> {
        let (g, inputs) = (&self.g, [&self.x[..], &self.weight, &self.bias]);
        let plane = g.output[0] * g.output[1];
        let value = |(at, position): (usize, &Option<[usize; 2]>)| {
            let [y, x] = (*position)?;
            let (image, channel) = (at / plane / g.out_channels, at / plane % g.out_channels);
            let value = naive::convolution(g, [image, channel, y, x], inputs);
            // An activation is closed beyond its ends, but for a little rounding.
            let [low, high] = match g.activation {
                FusedActivation::None => [f64::NEG_INFINITY, f64::INFINITY],
                FusedActivation::Relu => [-1e-3, f64::INFINITY],
                FusedActivation::Relu6 => [-1e-3, 6.001],
            };
            assert!(low <= value && value <= high, "{value} is open; {g:?}");
            Some(g.activation.of(value as f32))
        };
        let end = |at: usize| {
            let six = g.activation == FusedActivation::Relu6 && expected[at] > 3.0;
            if six { 6.0 } else { 0.0 }
        };
        let values = positions.iter().enumerate();
        let values = values.map(|position| value(position).unwrap_or(end(position.0)));
        values.collect()
    }

    /// Sums of `terms` products of values up to 1 may differ by their rounding errors, which the
    /// factors of Winograd's transforms enlarge.
    fn close(&self, isa: Isa, what: &str, values: &[f32], expected: &[f64], terms: usize) {
        assert_eq!(values.len(), expected.len(), "{what}");
        let larger = match self.methods.forward {
            None => 1.0,
            Some(Variant::F2x3) => 4.0,
            Some(Variant::F4x3 | Variant::F2x5 | Variant::F4x5) => 32.0,
        };
        let tolerance = f64::from(f32::EPSILON) * (terms as f64 + 2.0) * larger;
        for (i, (&value, &expected)) in values.iter().zip(expected).enumerate() {
            assert!(
                (f64::from(value) - expected).abs() <= tolerance,
                "{isa:?} {what}[{i}]: {value}, expected {expected}; {:?}",
                self.g
            );
        }
    }
}
