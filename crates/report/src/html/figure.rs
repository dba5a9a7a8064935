use crate::plot::{MeanCurves, Picture, stroke};

/// A picture on a page.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Given by the page, so that no two are the same.
    pub(super) id: String,
    pub(super) caption: String,
    alternative: String,
    svg: String,
    pub(super) curves: Vec<Switch>,
}

/// A curve that can be switched off, and how it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    pub label: String,
    pub color: String,
    pub dashes: &'static str,
}

impl Figure {
    /// A picture, the line below it, and what it shows in words for those who do not see it.
    pub fn new(
        picture: &Picture,
        caption: impl Into<String>,
        alternative: impl Into<String>,
    ) -> Self {
        let (caption, alternative) = (caption.into(), alternative.into());
        Self { id: String::new(), caption, alternative, svg: picture.to_svg(), curves: Vec::new() }
    }

    /// Curves, with a legend whose entries switch them on and off.
    pub fn of_curves(
        curves: &MeanCurves,
        caption: impl Into<String>,
        alternative: impl Into<String>,
    ) -> Self {
        let switches = curves.curves.iter().enumerate().map(|(i, curve)| {
            let (color, dashes) = stroke(i);
            Switch { label: curve.label.clone(), color, dashes }
        });
        let mut switches: Vec<Switch> = switches.collect();
        // The only curve needs neither name nor switch.
        if switches.len() == 1 {
            switches.clear();
        }
        Self { curves: switches, ..Self::new(&curves.bare(), caption, alternative) }
    }

    /// The picture as an element of a page: as wide as there is room, with ids that are only this figure's.
    pub(super) fn inline(&self) -> String {
        let (head, rest) = self.svg.split_once('>').unwrap_or(("", ""));
        let attribute = |name: &str| {
            let (_, value) = head.split_once(&format!(" {name}=\""))?;
            value.split('"').next()
        };
        let [width, height] = ["width", "height"].map(|name| attribute(name).unwrap_or("0"));
        let font = attribute("font-family").map(|font| format!(" font-family=\"{font}\""));
        let font = font.unwrap_or_default();
        let label = askama::filters::escape(&self.alternative, askama::filters::Html);
        let label = label.map(|label| label.to_string()).unwrap_or_default();
        let head = format!(
            "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\"{font}>"
        );
        head + &own_ids(rest, &self.id)
    }
}

/// The elements with `prefix-` before every id and every reference to one. What stands between tags is text.
fn own_ids(svg: &str, prefix: &str) -> String {
    let mut result = String::with_capacity(svg.len());
    for (i, part) in svg.split('<').enumerate() {
        let (tag, text) = match (i, part.split_once('>')) {
            (0, _) | (_, None) => ("", part),
            (_, Some((tag, text))) => (tag, text),
        };
        if i > 0 {
            let mut tag = tag.to_owned();
            for start in [" id=\"", "url(#", "href=\"#"] {
                tag = tag.replace(start, &format!("{start}{prefix}-"));
            }
            result += &format!("<{tag}>");
        }
        result += text;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_prefixed_in_tags_and_left_alone_in_texts() {
        let svg = "<clipPath id=\"a\"/><g clip-path=\"url(#a)\"><text>url(#a) id=&quot;a</text></g></svg>";
        let expected = "<clipPath id=\"f-a\"/><g clip-path=\"url(#f-a)\"><text>url(#a) id=&quot;a</text></g></svg>";
        assert_eq!(own_ids(svg, "f"), expected);
    }
}
