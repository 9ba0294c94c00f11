//! Small pictures as SVG that stand alone or within a page, light or dark: no background, and only colours that both bear.

use std::fmt::{self, Write as _};

use crate::palette::{Colour, GREY};

/// A picture of some curves.
pub(crate) struct Sketch {
    pub(crate) title: &'static str,
    pub(crate) across: Axis,
    pub(crate) up: Axis,
    /// A part of the axis across, and what it is.
    pub(crate) shade: Option<(f64, f64, &'static str)>,
    /// A height, and what it is.
    pub(crate) mark: Option<(f64, &'static str)>,
    pub(crate) curves: Vec<Curve>,
}

/// From the first of its ticks to the last.
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) scale: Scale,
    /// Values, and how they are written.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Log,
}

/// Some points, joined where there is nothing missing in between, and what they are of.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) stroke: Stroke,
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// How a curve is drawn: dashed, where it would hide another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
}

impl Axis {
    /// Where a value stands, as a share of the axis.
    fn place(&self, value: f64) -> f64 {
        let at = |value: f64| if self.scale == Scale::Log { value.ln() } else { value };
        let ends = self.ticks.first().zip(self.ticks.last());
        let (from, to) = ends.map_or((0.0, 1.0), |(first, last)| (at(first.0), at(last.0)));
        (at(value) - from) / (to - from)
    }
}

impl fmt::Display for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (middle, name) = ((LEFT + RIGHT) / 2.0, "font-size=\"13\"");
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             style=\"max-width:100%\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" fill=\"{GREY}\">"
        )?;
        writeln!(f, "<title>{}</title>", self.title)?;
        writeln!(f, "<text x=\"{LEFT}\" y=\"18\" font-size=\"14\">{}</text>", self.title)?;
        if let Some((from, to, what)) = self.shade {
            let (x, end) = (self.x(from), self.x(to));
            writeln!(
                f,
                "<rect x=\"{x:.0}\" y=\"{TOP}\" width=\"{:.0}\" height=\"{}\" fill-opacity=\"0.25\"/>",
                end - x,
                BOTTOM - TOP
            )?;
            writeln!(
                f,
                "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"end\">{what}</text>",
                x - 6.0,
                TOP + 12.0
            )?;
        }
        for (value, label) in &self.up.ticks {
            let y = self.y(*value);
            writeln!(
                f,
                "<path d=\"M{LEFT} {y:.0}H{RIGHT}\" stroke=\"{GREY}\" stroke-opacity=\"0.3\"/>"
            )?;
            writeln!(
                f,
                "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        for (value, label) in &self.across.ticks {
            writeln!(
                f,
                "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                self.x(*value),
                BOTTOM + 16.0
            )?;
        }
        let below = BOTTOM + 34.0;
        writeln!(
            f,
            "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\" {name}>{}</text>",
            self.across.name
        )?;
        writeln!(f, "<text x=\"{LEFT}\" y=\"{}\" {name}>{}</text>", TOP - 10.0, self.up.name)?;
        if let Some((value, what)) = self.mark {
            let y = self.y(value);
            writeln!(
                f,
                "<path d=\"M{LEFT} {y:.0}H{RIGHT}\" stroke=\"{GREY}\" stroke-dasharray=\"6 6\"/>"
            )?;
            writeln!(f, "<text x=\"{}\" y=\"{:.0}\">{what}</text>", LEFT + 6.0, y - 5.0)?;
        }
        for (row, curve) in (0_u8..).zip(&self.curves) {
            self.curve(f, curve, BOTTOM + 58.0 + 19.0 * f64::from(row))?;
        }
        writeln!(f, "</svg>")
    }
}

impl Sketch {
    /// A curve, and below the picture what it is.
    fn curve(&self, f: &mut fmt::Formatter<'_>, curve: &Curve, legend: f64) -> fmt::Result {
        let (colour, dashes) = match curve.stroke {
            Stroke::Solid => (curve.colour, ""),
            Stroke::Dashed => (curve.colour, " stroke-dasharray=\"3 7\""),
        };
        let stroke = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"{dashes}");
        let (mut path, mut pen) = (String::new(), 'M');
        for (x, y) in &curve.points {
            let Some(y) = y else {
                pen = 'M';
                continue;
            };
            write!(path, "{pen}{:.0} {:.0}", self.x(*x), self.y(*y))?;
            pen = 'L';
        }
        writeln!(f, "<path d=\"{path}\" {stroke}/>")?;
        writeln!(f, "<path d=\"M{LEFT} {}h30\" {stroke}/>", legend - 4.0)?;
        let (x, name) = (LEFT + 38.0, &curve.name);
        writeln!(f, "<text x=\"{x}\" y=\"{legend}\" font-size=\"13\">{name}</text>")
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.across.place(value) * (RIGHT - LEFT)
    }

    /// What is beyond the scale stands at its end.
    fn y(&self, value: f64) -> f64 {
        BOTTOM - self.up.place(value).clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

/// In pixels, with room for three curves to be named.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 392.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 624.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 282.0;
