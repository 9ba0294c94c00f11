//! Charts as SVG, to be put into a page.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor;

use crate::palette::Colour;

/// A chart over time.
pub(crate) struct Chart {
    /// In seconds.
    pub(crate) lasts: f64,
    pub(crate) scale: Scale,
    /// How values are written beside the axis.
    pub(crate) label: fn(f64) -> String,
    /// From when to when something went wrong, in seconds.
    pub(crate) faults: Vec<(f64, f64)>,
    /// A value to be marked.
    pub(crate) mark: Option<f64>,
}

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// From zero.
    Linear,
    /// In powers of ten, from this value; smaller ones stand at the bottom.
    Log(f64),
}

/// One value for each stretch of time, where there is one.
pub(crate) struct Line {
    pub(crate) colour: Colour,
    pub(crate) values: Vec<Option<f64>>,
}

impl Chart {
    /// Lines beside each other.
    pub(crate) fn lines(&self, lines: &[Line]) -> Result<String, Box<dyn Error>> {
        let values = lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        let most = values.chain(self.mark).fold(0.0, f64::max);
        self.draw(most, |plot| {
            // The first is the one that matters: it stands in front.
            for line in lines.iter().rev() {
                plot.line(line)?;
            }
            Ok(())
        })
    }

    /// Areas on top of each other.
    pub(crate) fn stack(&self, layers: &[Line]) -> Result<String, Box<dyn Error>> {
        let mut tops: Vec<Vec<f64>> = Vec::new();
        for layer in layers {
            let below = tops.last();
            let top = layer.values.iter().enumerate().map(|(place, value)| {
                below.map_or(0.0, |below| below[place]) + value.unwrap_or(0.0)
            });
            let top = top.collect();
            tops.push(top);
        }
        let most = tops.last().map_or(0.0, |top| top.iter().copied().fold(0.0, f64::max));
        self.draw(most, |plot| {
            for (layer, top) in layers.iter().zip(&tops).rev() {
                plot.area(layer.colour, top)?;
            }
            Ok(())
        })
    }

    fn draw(
        &self,
        most: f64,
        fill: impl FnOnce(&mut Plot<'_, '_>) -> Result<(), Box<dyn Error>>,
    ) -> Result<String, Box<dyn Error>> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            let ticks = self.ticks(most);
            let bottom = ticks.first().copied().unwrap_or(0.0);
            let top = ticks.last().copied().unwrap_or(1.0);
            let mut plot = Plot { chart: self, area: &area, bottom, top };
            plot.frame(&ticks)?;
            fill(&mut plot)?;
            plot.edges(&ticks)?;
            area.present()?;
        }
        Ok(svg)
    }

    /// The places of the horizontal lines, on the scale.
    fn ticks(&self, most: f64) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step(most.max(1e-9) / 5.0);
                let steps = (most / step).ceil().max(1.0) as u32;
                (0..=steps).map(|n| f64::from(n) * step).collect()
            }
            Scale::Log(least) => {
                let (first, last) =
                    (least.log10().floor() as i32, most.max(least * 10.0).log10().ceil() as i32);
                (first..=last).map(f64::from).collect()
            }
        }
    }

    /// Where a value stands on the scale.
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log(least) => value.max(least).log10(),
        }
    }

    /// The value that stands at a place of the scale.
    fn value(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear => place,
            Scale::Log(_) => 10_f64.powf(place),
        }
    }
}

/// A chart being drawn, in pixels.
struct Plot<'a, 'b> {
    chart: &'a Chart,
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
    bottom: f64,
    top: f64,
}

impl Plot<'_, '_> {
    /// What stands behind the values: faults, horizontal lines with their labels, and the times below.
    fn frame(&self, ticks: &[f64]) -> Result<(), Box<dyn Error>> {
        for (from, to) in &self.chart.faults {
            let corners = [(self.x(*from), TOP), (self.x(*to), BOTTOM)];
            self.area.draw(&Rectangle::new(corners, SHADE.filled()))?;
        }
        for tick in ticks {
            let y = self.y_at(*tick);
            self.area.draw(&PathElement::new([(LEFT, y), (RIGHT, y)], RULE))?;
            let style = self.text().pos(anchor(text_anchor::HPos::Right));
            let label = (self.chart.label)(self.chart.value(*tick));
            self.area.draw(&Text::new(label, (LEFT - 8, y), style))?;
        }
        let step = round_step(self.chart.lasts / 6.0);
        let mut at = 0.0;
        while at <= self.chart.lasts * 1.0001 {
            let style = self.text().pos(anchor(text_anchor::HPos::Center));
            let label = format!("{} s", (at * 1000.0).round() / 1000.0);
            self.area.draw(&Text::new(label, (self.x(at), BOTTOM + 16), style))?;
            at += step;
        }
        Ok(())
    }

    /// What stands before the values: the mark, and the axis.
    fn edges(&self, ticks: &[f64]) -> Result<(), Box<dyn Error>> {
        if let Some(mark) = self.chart.mark {
            let y = self.y(mark);
            let dashes = (LEFT..RIGHT).step_by(12);
            for x in dashes {
                let to = (x + 6).min(RIGHT);
                self.area.draw(&PathElement::new([(x, y), (to, y)], INK.stroke_width(1)))?;
            }
        }
        let y = self.y_at(ticks.first().copied().unwrap_or(0.0));
        self.area.draw(&PathElement::new([(LEFT, y), (RIGHT, y)], INK.stroke_width(1)))?;
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Box<dyn Error>> {
        let style = rgb(line.colour).stroke_width(2);
        let width = self.chart.lasts / line.values.len().max(1) as f64;
        let mut points = Vec::new();
        for (place, value) in line.values.iter().enumerate() {
            match value {
                Some(value) => points.push((self.x((place as f64 + 0.5) * width), self.y(*value))),
                // Where there is nothing, the line is broken.
                None => self.area.draw(&PathElement::new(std::mem::take(&mut points), style))?,
            }
        }
        self.area.draw(&PathElement::new(points, style))?;
        Ok(())
    }

    fn area(&mut self, colour: Colour, top: &[f64]) -> Result<(), Box<dyn Error>> {
        let width = self.chart.lasts / top.len().max(1) as f64;
        let mut points = vec![(LEFT, BOTTOM)];
        for (place, value) in top.iter().enumerate() {
            let y = self.y(*value);
            points.push((self.x(place as f64 * width), y));
            points.push((self.x((place as f64 + 1.0) * width), y));
        }
        points.push((RIGHT, BOTTOM));
        self.area.draw(&Polygon::new(points, rgb(colour).filled()))?;
        Ok(())
    }

    fn x(&self, seconds: f64) -> i32 {
        let share = (seconds / self.chart.lasts).clamp(0.0, 1.0);
        LEFT + (f64::from(RIGHT - LEFT) * share).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        self.y_at(self.chart.place(value))
    }

    fn y_at(&self, place: f64) -> i32 {
        let share = ((place - self.bottom) / (self.top - self.bottom)).clamp(0.0, 1.0);
        BOTTOM - (f64::from(BOTTOM - TOP) * share).round() as i32
    }

    fn text(&self) -> TextStyle<'static> {
        ("sans-serif", 17).into_font().color(&MUTED)
    }
}

fn anchor(horizontal: text_anchor::HPos) -> text_anchor::Pos {
    text_anchor::Pos::new(horizontal, text_anchor::VPos::Center)
}

fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

/// The next larger of 1, 2, 5, 10, 20, …
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|n| *n >= step).unwrap_or(10.0 * power)
}

const SIZE: (u32, u32) = (960, 300);
const LEFT: i32 = 74;
const RIGHT: i32 = 944;
const TOP: i32 = 12;
const BOTTOM: i32 = 266;
const INK: RGBColor = RGBColor(51, 60, 70);
const MUTED: RGBColor = RGBColor(96, 106, 118);
const RULE: RGBColor = RGBColor(228, 232, 236);
const SHADE: RGBColor = RGBColor(253, 236, 224);
