//! Putting a heading, a legend and axes on one picture.
//!
//! The library's figures of several panels neither break a long title nor let a legend flow in
//! columns above the panels. Each part is therefore a scene of its own, and they are stacked here.

use kuva::plot::LegendPlot;
use kuva::plot::legend::LegendEntry;
use kuva::render::layout::ComputedLayout;
use kuva::render::render::{Primitive, Scene, TextAnchor, render_multiple};

use super::picture::Picture;
use super::style::{INK, LEGEND, MARGIN, MUTED, Rgb, SUBTITLE, TITLE, css, layout};

/// Height of a line of text as a share of its size.
const LEADING: f64 = 1.35;
/// Lines of a title; the last one of a longer title ends in an ellipsis.
const MOST_LINES: usize = 8;
/// Entries of a legend; the library counts those that are left out.
const MOST_ENTRIES: usize = 40;
/// What a legend's entry takes beside its text: the sample before it, and space to the next column.
const SAMPLE: f64 = 25.0;
const BETWEEN: f64 = 18.0;

/// A picture with a title above the parts, which stand side by side below a legend.
pub fn compose(
    title: &str,
    subtitle: Option<&str>,
    legend: Vec<LegendEntry>,
    parts: Vec<Scene>,
) -> Picture {
    let width = parts.iter().map(|part| part.width).sum::<f64>() + 2.0 * MARGIN;
    let mut scene = Scene::new(width, MARGIN);
    // The fonts that the library chose for the parts.
    scene.font_family = parts.first().and_then(|part| part.font_family.clone());
    scene.text_color = Some(css(INK));
    paragraph(&mut scene, title, TITLE, INK);
    paragraph(&mut scene, subtitle.unwrap_or(""), SUBTITLE, MUTED);
    if !legend.is_empty() {
        scene.height += 8.0;
        let legend = columns(legend, width - 2.0 * MARGIN);
        let height = legend.height;
        place(&mut scene, legend, MARGIN);
        scene.height += height;
    }
    scene.height += 4.0;
    let height = parts.iter().map(|part| part.height).fold(0.0, f64::max);
    let mut left = MARGIN;
    for part in parts {
        let width = part.width;
        place(&mut scene, part, left);
        left += width;
    }
    scene.height += height + MARGIN / 2.0;
    Picture { scene, insets: Vec::new() }
}

/// Adds a part at the foot of the scene.
fn place(scene: &mut Scene, part: Scene, left: f64) {
    let transform = Some(format!("translate({left},{})", scene.height));
    scene.add(Primitive::GroupStart { transform, title: None, extra_attrs: None });
    for element in part.elements {
        // What is drawn lies within its axes. The names of clipped areas are counted through the life
        // of a program: with them, a picture's bytes would depend on the pictures before it.
        if !matches!(element, Primitive::ClipStart { .. } | Primitive::ClipEnd) {
            scene.add(element);
        }
    }
    scene.add(Primitive::GroupEnd);
}

/// Writes lines of text at the foot of the scene.
fn paragraph(scene: &mut Scene, text: &str, size: u32, color: Rgb) {
    for line in wrap(text, size, scene.width - 2.0 * MARGIN) {
        let baseline = scene.height + f64::from(size);
        scene.add(text_at(&line, (MARGIN, baseline), size, color, TextAnchor::Start));
        scene.height += f64::from(size) * LEADING;
    }
}

/// A line of text whose baseline begins, has its middle or ends at a place.
pub fn text_at(
    content: &str,
    (x, y): (f64, f64),
    size: u32,
    color: Rgb,
    anchor: TextAnchor,
) -> Primitive {
    let (content, color) = (content.to_string(), Some(css(color).into()));
    Primitive::Text { x, y, content, size, anchor, rotate: None, bold: false, color }
}

/// The entries of a legend in as many columns as their names allow.
fn columns(mut entries: Vec<LegendEntry>, width: f64) -> Scene {
    let mut widest: f64 = 0.0;
    for entry in &mut entries {
        entry.label = shorten_middle(&entry.label, LEGEND, width - SAMPLE);
        widest = widest.max(text_width(&entry.label, LEGEND));
    }
    let count = entries.len().min(MOST_ENTRIES);
    let across = ((width / (SAMPLE + widest + BETWEEN)) as usize).clamp(1, count);
    let height = count.div_ceil(across) as f64 * f64::from(LEGEND) * 1.5 + 4.0;
    let plot = LegendPlot::from_entries(entries).with_cols(across).with_max_cols(across);
    let plot = plot.with_max_entries(MOST_ENTRIES).without_box();
    let layout = layout((0.0, 1.0), (0.0, 1.0))
        .with_width(width)
        .with_height(height)
        .with_force_margins(0.0, 0.0)
        .with_force_margins_y(4.0, 0.0);
    render_multiple(vec![plot.into()], layout)
}

/// Width of a line of text.
pub fn text_width(text: &str, size: u32) -> f64 {
    // The library measures the labels of an axis. It takes a short label for longer than it is, which
    // this one is not.
    const LONG: &str = "mmmm";
    let label = |text: String| {
        let axis =
            layout((0.0, 1.0), (0.0, 1.0)).with_tick_size(size).with_y_categories(vec![text]);
        ComputedLayout::from_layout(&axis).y_tick_label_px
    };
    label(format!("{LONG}{text}")) - label(LONG.into())
}

/// The text with nothing in it that would be markup or break the line.
pub fn plain(text: &str) -> String {
    let spaces = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    // The library sets what is between two dollars as a formula.
    spaces.collect::<String>().replace('$', "\\$")
}

/// The text if it fits, or as much of its start as fits with an ellipsis; as [`plain`] text.
pub fn shorten(text: &str, size: u32, limit: f64) -> String {
    as_long_as_fits(text, size, limit, |start| (start, 0))
}

/// The text if it fits, or as much of both ends as fits with an ellipsis between them, as [`plain`] text: names of
/// variants begin alike, and differ at the end as often as not.
fn shorten_middle(text: &str, size: u32, limit: f64) -> String {
    as_long_as_fits(text, size, limit, |kept| (kept - kept.div_ceil(2), kept.div_ceil(2)))
}

/// The text if it fits; or the most characters that do, `ends` of which are kept at its start and at its end.
fn as_long_as_fits(
    text: &str,
    size: u32,
    limit: f64,
    ends: impl Fn(usize) -> (usize, usize),
) -> String {
    if text_width(&plain(text), size) <= limit {
        return plain(text);
    }
    let characters: Vec<char> = text.chars().collect();
    let part = |characters: &[char]| plain(&characters.iter().collect::<String>());
    let cut = |kept: usize| {
        let (start, end) = ends(kept);
        part(&characters[..start]) + "…" + &part(&characters[characters.len() - end..])
    };
    let lengths: Vec<usize> = (1..characters.len()).collect();
    cut(lengths.partition_point(|kept| text_width(&cut(*kept), size) <= limit))
}

/// The words of a text, between which a line may end: `93.1 ± 0.2 %` is one of them.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut belongs_to_next = false;
    for word in text.split_whitespace() {
        let is_unit = word.starts_with(['%', '±']);
        match words.last_mut() {
            Some(last) if is_unit || belongs_to_next => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.into()),
        }
        belongs_to_next = word == "±";
    }
    words
}

/// The text in lines of whole words, as [`plain`] text; a word that is wider than a line is broken.
fn wrap(text: &str, size: u32, limit: f64) -> Vec<String> {
    let fits = |line: &str| text_width(&plain(line), size) <= limit;
    let mut lines = vec![String::new()];
    let mut add = |text: &str, separator: &str| {
        let last = lines.last_mut().expect("there is always a line");
        let longer = format!("{last}{}{text}", if last.is_empty() { "" } else { separator });
        match last.is_empty() || fits(&longer) {
            true => *last = longer,
            false => lines.push(text.into()),
        }
    };
    for word in words(text) {
        match fits(&word) {
            true => add(&word, " "),
            false => word.chars().for_each(|c| add(&c.to_string(), "")),
        }
    }
    if lines.len() > MOST_LINES {
        let rest = lines[MOST_LINES - 1..].join(" ");
        lines.truncate(MOST_LINES - 1);
        lines.push(shorten(&rest, size, limit));
    }
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| plain(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_as_wide_as_the_font_file_says() {
        // DejaVu Sans 2.37, table `hmtx`: 1303 of 2048 units.
        assert!((text_width("0", 30) - 30.0 * 1303.0 / 2048.0).abs() < 0.1);
        assert_eq!(text_width("", 30), 0.0);
    }

    #[test]
    fn every_line_of_a_paragraph_fits_and_no_word_is_lost() {
        let text = "Does it help? Yes. ".repeat(8);
        let lines = wrap(&text, TITLE, 350.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| text_width(line, TITLE) <= 350.0));
        assert_eq!(lines.join(" "), text.trim());
    }

    #[test]
    fn a_figure_stays_in_one_line_with_its_spread_and_its_unit() {
        assert_eq!(words("with 93.1 ± 0.2 %, of  5 %"), ["with", "93.1 ± 0.2 %,", "of", "5 %"]);
        assert!(words(" ").is_empty());
        assert_eq!(words("% ±"), ["% ±"]);
    }

    #[test]
    fn a_word_wider_than_the_line_is_broken() {
        let lines = wrap(&"m".repeat(40), TITLE, 200.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| text_width(line, TITLE) <= 200.0));
        assert_eq!(lines.concat(), "m".repeat(40));
    }

    #[test]
    fn a_text_of_too_many_lines_ends_in_an_ellipsis() {
        let lines = wrap(&"word ".repeat(1000), TITLE, 300.0);
        assert_eq!(lines.len(), MOST_LINES);
        assert!(lines[MOST_LINES - 1].ends_with('…'));
    }

    #[test]
    fn a_shortened_text_fits_and_keeps_its_start() {
        let short = shorten("a rather long label", 15, 75.0);
        assert!(short.starts_with("a ra") && short.ends_with('…'), "{short}");
        assert!(text_width(&short, 15) <= 75.0);
        assert_eq!(shorten("label", 15, 75.0), "label");
        assert_eq!(shorten("a\n$b", 15, 75.0), "a \\$b");
    }

    #[test]
    fn a_name_that_is_too_long_for_the_legend_keeps_both_ends() {
        let short = shorten_middle("learning_rate=0.01, dropout=0.2, training", 15, 150.0);
        assert!(short.starts_with("lear") && short.ends_with("raining"), "{short}");
        assert!(short.contains('…') && text_width(&short, 15) <= 150.0, "{short}");
        assert_eq!(shorten_middle("label", 15, 75.0), "label");
    }

    #[test]
    fn a_picture_is_as_wide_as_its_parts_and_grows_with_title_and_legend() {
        let part = || Scene::new(200.0, 100.0);
        let entry = |label: &str| LegendEntry {
            label: label.into(),
            color: css(INK),
            shape: kuva::plot::legend::LegendShape::Rect,
            dasharray: None,
        };
        let small = compose("Short.", None, vec![entry("a")], vec![part(), part()]);
        let long = "A long title. ".repeat(20);
        let large = compose(&long, Some("subtitle"), vec![entry("a"); 30], vec![part(), part()]);
        assert_eq!((small.scene.width, large.scene.width), (428.0, 428.0));
        assert!(large.scene.height > small.scene.height + 100.0);
    }

    #[test]
    fn entries_of_a_legend_beyond_the_most_are_counted() {
        let entry = LegendEntry {
            label: "x".repeat(500),
            color: css(INK),
            shape: kuva::plot::legend::LegendShape::Rect,
            dasharray: None,
        };
        let svg = compose("", None, vec![entry; 100], vec![Scene::new(200.0, 100.0)]).to_svg();
        assert!(svg.contains("… (+61 more)"));
        assert_eq!(svg.matches("xxx…xxx").count(), 39);
    }
}
