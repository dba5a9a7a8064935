//! Dashed lines in pixels. The library begins the dashes of a PNG anew at every point of a line, so
//! that a line of many points has no gaps, and does not scale them.

use kuva::render::render::{Primitive, Scene};

type Point = (f64, f64);

/// The same scene with every dash a line of its own.
pub fn undashed(scene: &Scene) -> Scene {
    let mut solid = Scene::new(scene.width, scene.height);
    solid.text_color = scene.text_color.clone();
    for element in &scene.elements {
        let (points, stroke, stroke_width, lengths) = match element {
            Primitive::PolyLine {
                points,
                stroke,
                stroke_width,
                stroke_dasharray: Some(lengths),
            } => (points.clone(), stroke, *stroke_width, lengths),
            &Primitive::Line {
                x1,
                y1,
                x2,
                y2,
                ref stroke,
                stroke_width,
                stroke_dasharray: Some(ref lengths),
            } => (vec![(x1, y1), (x2, y2)], stroke, stroke_width, lengths),
            other => {
                solid.add(other.clone());
                continue;
            }
        };
        let lengths: Vec<f64> =
            lengths.split_whitespace().filter_map(|length| length.parse().ok()).collect();
        for points in dashes(&points, &lengths) {
            let stroke = stroke.clone();
            solid.add(Primitive::PolyLine { points, stroke, stroke_width, stroke_dasharray: None });
        }
    }
    solid
}

/// The parts of a line that are drawn, where dashes and gaps alternate along the whole of it.
fn dashes(line: &[Point], lengths: &[f64]) -> Vec<Vec<Point>> {
    if lengths.is_empty() || lengths.iter().any(|length| *length <= 0.0) {
        return vec![line.to_vec()];
    }
    let mut lengths = lengths.iter().cycle();
    let (mut left, mut drawn) = (lengths.next().copied().unwrap_or(0.0), true);
    let mut parts: Vec<Vec<Point>> = Vec::new();
    let mut part: Vec<Point> = line.iter().copied().take(1).collect();
    for pair in line.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let share = done / length;
            let end = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            if drawn {
                part.push(end);
                parts.push(std::mem::take(&mut part));
            }
            part = vec![end];
            (left, drawn) = (lengths.next().copied().unwrap_or(0.0), !drawn);
        }
        left -= length - done;
        part.push(to);
    }
    if drawn && part.len() > 1 {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_a_corner() {
        let parts = dashes(&[(0.0, 0.0), (4.0, 0.0), (4.0, 5.0)], &[3.0, 2.0]);
        // 9 units: 3 drawn, 2 not, 3 drawn, 1 of a gap.
        assert_eq!(parts, [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 1.0), (4.0, 4.0)]]);
        let parts = dashes(&[(0.0, 0.0), (2.0, 0.0), (2.0, 4.0)], &[3.0, 2.0]);
        assert_eq!(parts, [vec![(0.0, 0.0), (2.0, 0.0), (2.0, 1.0)], vec![(2.0, 3.0), (2.0, 4.0)]]);
    }

    #[test]
    fn a_line_of_many_points_has_gaps_as_well() {
        let line: Vec<Point> = (0..=100).map(|x| (f64::from(x), 0.0)).collect();
        let drawn: f64 =
            dashes(&line, &[6.0, 4.0]).iter().map(|part| part[part.len() - 1].0 - part[0].0).sum();
        assert!((drawn - 60.0).abs() < 1e-9, "{drawn}");
    }

    #[test]
    fn a_line_without_dashes_is_whole() {
        let line = [(0.0, 0.0), (4.0, 0.0)];
        assert_eq!(dashes(&line, &[]), [line.to_vec()]);
        assert_eq!(dashes(&line, &[0.0]), [line.to_vec()]);
        assert!(dashes(&line[..1], &[1.0]).is_empty() && dashes(&[], &[1.0]).is_empty());
    }
}
