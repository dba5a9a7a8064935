//! Steps of a program that become one.

use super::bottleneck::Bottleneck;
use super::builder::Builder;
use super::pointwise::Join;
use super::step::{Layer, Place, Step};

impl Builder {
    /// Makes sums and activations behind convolutions part of them; gives the place of `output` then.
    pub(super) fn fuse(&mut self, mut output: Place) -> Place {
        let mut steps: Vec<Step> = Vec::new();
        let uses = |steps: &[Step], rest: &[Step], place: Place| {
            let readers = steps.iter().chain(rest).flat_map(|step| &step.inputs);
            readers.filter(|input| **input == place).count()
        };
        let mut rest = std::mem::take(&mut self.steps);
        rest.reverse();
        while let Some(mut step) = rest.pop() {
            rest.push(step);
            let readers = |place: Place| uses(&steps, &rest, place) + usize::from(place == output);
            let next = rest.last().expect("it was put back");
            let joined = match (&next.layer, steps.last()) {
                (Layer::Join(Join::Function(function)), Some(last)) => {
                    let is_next = next.inputs[0] == last.output && readers(last.output) == 1;
                    function.limits().filter(|_| is_next && last.layer.has_no_limits()).is_some()
                }
                (Layer::Join(Join::Sum), Some(last)) => {
                    matches!(&last.layer, Layer::Conv(conv) if conv.has_no_limits())
                        && last.inputs.len() == 1
                        && readers(last.output) == 1
                        && next.inputs.contains(&last.output)
                        && next.inputs[0] != next.inputs[1]
                }
                _ => false,
            };
            step = rest.pop().expect("it was put back");
            if !joined {
                steps.push(step);
                continue;
            }
            let last = steps.last_mut().expect("there is one to join");
            match step.layer {
                Layer::Join(Join::Function(function)) => {
                    let limits = function.limits().expect("it was asked for");
                    match &mut last.layer {
                        Layer::Conv(conv) => conv.limits = limits,
                        Layer::Upsampled(convs) => convs.set_limits(limits),
                        Layer::Depthwise(layer) => layer.limits = limits,
                        _ => unreachable!("only convolutions have limits"),
                    }
                }
                _ => {
                    let other = step.inputs.into_iter().find(|input| *input != last.output);
                    last.inputs.extend(other);
                }
            }
            last.output = step.output;
        }
        self.steps = steps;
        if self.steps.is_empty() {
            output = 0;
        }
        output
    }

    /// Makes a convolution of every channel by itself one layer with those before and behind it, where nobody else reads
    /// what lies between.
    pub(super) fn join_bottlenecks(&mut self, output: Place) {
        let mut readers = vec![0; self.planes.len()];
        self.steps.iter().flat_map(|step| &step.inputs).for_each(|place| readers[*place] += 1);
        readers[output] += 1;
        let mut steps: Vec<Step> = Vec::new();
        let mut rest = std::mem::take(&mut self.steps);
        rest.reverse();
        while let Some(step) = rest.pop() {
            let is_middle = is_depthwise(&step.layer)
                && readers[step.output] == 1
                && rest.last().is_some_and(|next| self.projects(next, step.output));
            let expand = steps.pop_if(|last| {
                let is_direct = matches!(&last.layer, Layer::Conv(conv) if conv.is_direct());
                let is_read = last.output == step.inputs[0] && readers[last.output] == 1;
                is_middle && is_direct && is_read && last.inputs.len() == 1
            });
            let x = expand.as_ref().unwrap_or(&step).inputs[0];
            let parts = expand.iter().chain([&step]).chain(rest.last());
            let (weights, values) = parts.fold((0, 0), |(weights, values), step| {
                (weights + step.layer.weight_bytes(), values + self.planes[step.output].len())
            });
            let between = values * size_of::<f32>();
            if is_middle && Bottleneck::pays(weights, between, &self.planes[x]) {
                let project = rest.pop().expect("it was looked at");
                steps.push(self.bottleneck(expand, step, project));
            } else {
                steps.extend(expand);
                steps.push(step);
            }
        }
        self.steps = steps;
    }

    /// Whether a step is a convolution of single pixels of `x`.
    fn projects(&self, step: &Step, x: Place) -> bool {
        let is_pointwise = matches!(&step.layer, Layer::Conv(conv) if conv.is_pointwise());
        let [from, to] = [x, step.output].map(|place| self.planes[place].shape);
        is_pointwise && step.inputs[0] == x && from[1..] == to[1..]
    }

    fn bottleneck(&self, expand: Option<Step>, depthwise: Step, project: Step) -> Step {
        let first = expand.as_ref().unwrap_or(&depthwise).inputs[0];
        let expand = expand.map(|step| match step.layer {
            Layer::Conv(conv) => (conv, self.planes[step.output]),
            _ => unreachable!("it was asked for"),
        });
        let (Layer::Depthwise(layer), Layer::Conv(conv)) = (depthwise.layer, project.layer) else {
            unreachable!("it was asked for")
        };
        let middle = self.planes[depthwise.output];
        let layer = Bottleneck { expand, depthwise: layer, middle, project: conv };
        let others = project.inputs.into_iter().skip(1);
        Step {
            layer: Layer::Bottleneck(Box::new(layer)),
            inputs: [first].into_iter().chain(others).collect(),
            output: project.output,
        }
    }
}

/// Whether a layer is a convolution of every channel by itself, with no more rows of padding than it reads above a pixel.
fn is_depthwise(layer: &Layer) -> bool {
    matches!(layer, Layer::Depthwise(layer) if layer.padding[0] < layer.kernel[0])
}
