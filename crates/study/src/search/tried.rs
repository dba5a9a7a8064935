//! What was tried already, so that no trial is spent on it again.

use std::collections::BTreeSet;

use super::{Observation, Point, Space, Value};

/// Draws before the next untried point of a finite space is taken, or a repeated one of another put up with.
const DRAWS: usize = 32;

/// The points of a history, to be asked for.
pub(super) struct Tried<'a> {
    space: &'a Space,
    points: BTreeSet<Vec<u64>>,
}

impl<'a> Tried<'a> {
    pub(super) fn new(space: &'a Space, history: &[Observation]) -> Self {
        let points = history.iter().map(|observation| bits(&observation.point)).collect();
        Self { space, points }
    }

    pub(super) fn contains(&self, point: &[Value]) -> bool {
        self.points.contains(&bits(point))
    }

    /// The first of what `draw` gives that was not tried, which then counts as tried. Where draws find none, a finite
    /// space is gone through from the last one on; `None` if all of it was tried.
    pub(super) fn fresh(&mut self, mut draw: impl FnMut(usize) -> Point) -> Option<Point> {
        let size = self.space.size();
        if size.is_some_and(|size| self.points.len() as u64 >= size) {
            return None;
        }
        let mut point = draw(0);
        for again in 1..DRAWS {
            if !self.contains(&point) {
                break;
            }
            point = draw(again);
        }
        if let Some(size) = size {
            let mut index = self.space.index(&point);
            while self.contains(&point) {
                index = (index + 1) % size;
                point = self.space.nth(index);
            }
        }
        self.points.insert(bits(&point));
        Some(point)
    }
}

fn bits(point: &[Value]) -> Vec<u64> {
    let bits = |value: &Value| match *value {
        Value::Choice(choice) => choice as u64,
        Value::Integer(value) => value as u64,
        Value::Float(value) => value.to_bits(),
    };
    point.iter().map(bits).collect()
}
