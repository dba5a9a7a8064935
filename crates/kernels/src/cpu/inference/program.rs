//! Programs as they run: where the values lie, and the steps one after the other.

use std::sync::Mutex;

use rayon::prelude::*;

use super::planes::Planes;
use super::pointwise;
use super::step::{Images, Layer, Place, Split, Step, Work};
use crate::cpu::memory::{Aligned, Held, SharedSlice};
use crate::cpu::simd::Isa;
use crate::cpu::threads;

/// A network as steps over memory whose places are known beforehand.
///
/// The first steps are taken for one image after the other, so that what they leave is in the cache for the next one. The
/// last ones, whose weights are larger than what is between them, are taken for all images of a call together, so that the
/// weights are read once.
pub struct Program {
    isa: Isa,
    planes: Vec<Planes>,
    steps: Vec<Step>,
    /// The steps that are taken for each image.
    head: usize,
    /// Where each value lies.
    homes: Vec<Home>,
    /// How threads share each value.
    splits: Vec<Split>,
    /// Elements that an image needs in the first steps and in the last ones.
    room: [usize; 2],
    output: Place,
    /// What an image costs: here, and where many images are interleaved.
    costs: [u64; 2],
    /// Memory for the first steps, of threads that are not at work.
    free: Mutex<Vec<Held>>,
}

/// Where a value lies, until it was read for the last time: from that element of an image's memory on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// In the memory of the first steps.
    Head(usize),
    /// In the memory of the last steps: the values of all images one behind the other.
    Tail(usize),
    /// Nowhere: it became part of another one.
    None,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Program").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn new(isa: Isa, planes: Vec<Planes>, steps: Vec<Step>, output: Place) -> Self {
        let is_light = |step: &Step| {
            let values = planes[step.inputs[0]].len() + planes[step.output].len();
            let values = values + step.layer.inner_len();
            (1..values * size_of::<f32>()).contains(&step.layer.weight_bytes())
        };
        let light = steps.iter().rposition(is_light).map_or(0, |last| last + 1);
        let is_pool = |step: &&Step| matches!(step.layer, Layer::Pool(_));
        let head = light + steps[light..].iter().take_while(is_pool).count();
        let homes = vec![Home::None; planes.len()];
        let free = Mutex::default();
        let costs = steps.iter().map(|step| step.layer.costs(&planes[step.output]));
        let costs = costs.fold([0; 2], |[a, b]: [u64; 2], [c, d]| [a + c, b + d]);
        let room = [0; 2];
        let mut splits = vec![Split::Rows; planes.len()];
        for step in &steps {
            let x = step.inputs[0];
            splits[step.output] = step.layer.split(&planes[x], splits[x]);
        }
        let mut program =
            Program { isa, homes, splits, planes, steps, head, room, output, costs, free };
        program.set_homes();
        program
    }

    /// Gives every value a home, so that those that are never needed together share memory.
    fn set_homes(&mut self) {
        let mut taken: Vec<Taken> = Vec::new();
        for place in 0..self.planes.len() {
            let made = self.steps.iter().position(|step| step.output == place);
            // The images are there before the first step.
            let Some(first) = made.map(|step| step + 1).or((place == 0).then_some(0)) else {
                continue;
            };
            let reads = |step: &Step| step.inputs.contains(&place);
            let last = self.steps.iter().rposition(reads).map_or(first, |step| step + 1);
            let last = if place == self.output { self.steps.len() + 1 } else { last };
            // What the last steps read, they read of all images.
            let part = usize::from(last > self.head);
            let len = self.planes[place].len().next_multiple_of(16);
            let at = Taken::free(&taken, part, [first, last], len);
            taken.push(Taken { part, at, len, time: [first, last] });
            self.homes[place] = if part == 0 { Home::Head(at) } else { Home::Tail(at) };
            self.room[part] = self.room[part].max(at + len);
        }
    }

    /// What its steps compute, one after the other.
    #[cfg(test)]
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.steps.iter().map(|step| &step.layer)
    }

    /// `[channels, height, width]` of the images that go in.
    pub fn input(&self) -> [usize; 3] {
        self.planes[0].shape
    }

    /// `[channels, height, width]` of what comes out.
    pub fn output(&self) -> [usize; 3] {
        self.planes[self.output].shape
    }

    /// Whether it takes less time for so many images than the operations of this crate one by one, which interleave images:
    /// where these are fewer than a vector has lanes, or channels fill the lanes about as well.
    pub fn is_faster(&self, images: usize) -> bool {
        let lanes = self.isa.lanes();
        let [here, interleaved] = self.costs.map(u128::from);
        let whole = images.next_multiple_of(lanes) as u128;
        images < lanes || 10 * images as u128 * here <= 11 * whole * interleaved
    }

    /// What the network makes of images, `[batch, channels, height, width]` to the same of the output.
    ///
    /// # Panics
    ///
    /// Panics if the elements are not those of whole images.
    pub fn run(&self, images: &[f32]) -> Vec<f32> {
        let size = self.input().iter().product::<usize>();
        assert!(images.len().is_multiple_of(size), "{} elements of images of {size}", images.len());
        if images.is_empty() {
            return Vec::new();
        }
        threads::with_team(|| self.run_all(images, images.len() / size))
    }

    fn run_all(&self, images: &[f32], count: usize) -> Vec<f32> {
        let mut all = Aligned::any(count * self.room[1]);
        let all = SharedSlice::new(&mut all);
        let threads = threads::count();
        // Whole images for all threads, and of the rest every step by all of them.
        let alone = if threads > 1 { count / threads * threads } else { 0 };
        let head = |i: usize| self.run_head(images, i, count, &all);
        // Where no steps are taken for each image, the images are read where they are.
        let in_place = self.head == 0 && self.planes[0].is_bare() && self.output != 0;
        if !in_place {
            threads::for_each((0..alone).into_par_iter(), head);
            (alone..count).for_each(head);
        }
        let at = |place: Place| match place {
            0 if in_place => images.as_ptr().cast_mut(),
            place => self.in_tail(&all, place, count),
        };
        for step in &self.steps[self.head..] {
            self.take(step, count, at);
        }
        let planes = self.planes[self.output];
        let len = self.output().iter().product::<usize>();
        let mut outputs = vec![0.0; count * len];
        // SAFETY: all steps have been taken.
        let found = unsafe { std::slice::from_raw_parts(at(self.output), count * planes.len()) };
        let found = found.chunks_exact(planes.len());
        for (output, found) in outputs.chunks_exact_mut(len).zip(found) {
            planes.write(found, output);
        }
        outputs
    }

    /// The first element of a value of all images.
    fn in_tail(&self, all: &SharedSlice, place: Place, count: usize) -> *mut f32 {
        let Home::Tail(at) = self.homes[place] else {
            unreachable!("the last steps read values of all images")
        };
        all.pointer(count * at, count * self.planes[place].len())
    }

    /// The first steps for one image.
    fn run_head(&self, images: &[f32], i: usize, count: usize, all: &SharedSlice) {
        let free = self.free.lock().expect("nothing panics under the lock").pop();
        let mut room = free.unwrap_or_else(|| Held::zeros(self.room[0]));
        if cfg!(test) {
            // So that tests see whoever reads what nobody wrote.
            room.fill(f32::NAN);
        }
        let shared = SharedSlice::new(&mut room);
        let at = |place: Place| {
            let len = self.planes[place].len();
            match self.homes[place] {
                Home::Head(at) => shared.pointer(at, len),
                _ => self.in_tail(all, place, count).wrapping_add(i * len),
            }
        };
        let size = self.input().iter().product::<usize>();
        let planes = self.planes[0];
        let to = Images { at: at(0), planes };
        // SAFETY: nobody else knows this image.
        planes.clear_frame(unsafe { std::slice::from_raw_parts_mut(to.at, planes.len()) });
        let work = Work { isa: self.isa, images: 1, split: self.splits[0] };
        pointwise::read(work, &images[i * size..][..size], to);
        for step in &self.steps[..self.head] {
            self.take(step, 1, at);
        }
        self.free.lock().expect("nothing panics under the lock").push(room);
    }

    /// Takes a step for images whose values lie at these places.
    fn take(&self, step: &Step, images: usize, at: impl Fn(Place) -> *mut f32) {
        let of = |place: Place| Images { at: at(place).cast_const(), planes: self.planes[place] };
        let inputs: Vec<_> = step.inputs.iter().map(|place| of(*place)).collect();
        let planes = self.planes[step.output];
        let y = Images { at: at(step.output), planes };
        // SAFETY: values that are needed together have different homes.
        let output = unsafe { std::slice::from_raw_parts_mut(y.at, images * planes.len()) };
        planes.clear_frame(output);
        let split = self.splits[step.inputs[0]];
        step.layer.run(Work { isa: self.isa, images, split }, &inputs, y);
    }
}

/// Memory that a value lies in.
struct Taken {
    part: usize,
    at: usize,
    len: usize,
    /// The first and the last step of its time.
    time: [usize; 2],
}

impl Taken {
    /// The lowest place where `len` elements are free all that time.
    fn free(taken: &[Taken], part: usize, [first, last]: [usize; 2], len: usize) -> usize {
        let meanwhile =
            |other: &&Taken| other.part == part && other.time[0] <= last && first <= other.time[1];
        let mut others: Vec<_> = taken.iter().filter(meanwhile).collect();
        others.sort_unstable_by_key(|other| other.at);
        let mut at = 0;
        for other in others {
            if other.at >= at + len {
                break;
            }
            at = at.max(other.at + other.len);
        }
        at
    }
}
