//! The pictures of the crate documentation, each with the figures that it is drawn from.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use millpond_sim::{Fate, Load, Policy, Run, Scenario, run};

use crate::palette::on_any_ground;
use crate::show::find;
use crate::sketch::{Axis, Curve, Scale, Sketch, Stroke};

/// One picture.
pub(crate) struct Picture {
    pub(crate) name: &'static str,
    draw: fn() -> Result<Drawing, Box<dyn Error>>,
}

/// What came of it.
pub(crate) struct Drawing {
    pub(crate) svg: String,
    /// The figures that it shows.
    pub(crate) table: String,
}

impl Picture {
    pub(crate) const ALL: &'static [Self] =
        &[Self { name: "stop", draw: stop }, Self { name: "load", draw: load }];

    pub(crate) fn find(name: &str) -> Result<&'static Self, String> {
        let found = Self::ALL.iter().find(|picture| picture.name == name);
        found.ok_or_else(|| format!("there is no chart `{name}`: they are stop and load"))
    }

    pub(crate) fn draw(&self) -> Result<Drawing, Box<dyn Error>> {
        (self.draw)()
    }
}

/// How long callers took through a stop of the backend, by when they came.
fn stop() -> Result<Drawing, Box<dyn Error>> {
    let scenario = find("e4")?.scenario;
    let stood_still = scenario.faults.first().ok_or("e4 has no fault")?;
    let stop =
        (stood_still.from.as_secs_f64(), (stood_still.from + stood_still.lasts).as_secs_f64());
    let mut table =
        format!("{:<14}{:>8}{:>18}{:>18}\n", "", "in time", "median, 6 to 8 s", "8 to 15 s");
    let mut curves = Vec::new();
    for (name, policy) in
        [("a bare timeout", Policy::BareTimeout), ("Overload::Auto", Policy::Auto)]
    {
        let run = run(&scenario.under(policy));
        let useful = run.useful() * 100.0;
        let [soon, later] = [(6.0, 8.0), (8.0, 15.0)].map(|(from, to)| {
            median(&run, from, to)
                .map_or_else(|| "-".to_owned(), |took| format!("{:.0} ms", took * 1e3))
        });
        let _ = writeln!(table, "{name:<14}{useful:>6.1} %{soon:>18}{later:>18}");
        let bins = (0..(SHOWN / BIN) as u32).map(|bin| f64::from(bin) * BIN);
        let points = bins.map(|from| (from + BIN / 2.0, median(&run, from, from + BIN)));
        curves.push(Curve {
            name: format!("{name}: {useful:.0} % of all in time"),
            colour: on_any_ground(policy),
            stroke: Stroke::Solid,
            points: points.collect(),
        });
    }
    let sketch = Sketch {
        title: "A backend that stands still for a second, at 95 % load",
        across: Axis {
            name: "when the request came",
            scale: Scale::Linear,
            ticks: (0..=8).map(|n| (f64::from(n) * 2.0, format!("{} s", n * 2))).collect(),
        },
        up: Axis {
            name: "median time until it was done",
            scale: Scale::Linear,
            ticks: (0..=6).map(|n| (f64::from(n) * 0.1, format!("{} ms", n * 100))).collect(),
        },
        shade: Some((stop.0, stop.1, "stands still")),
        mark: Some((0.5, "later is too late")),
        curves,
    };
    Ok(Drawing { svg: sketch.to_string(), table })
}

/// How much is done in time at growing load.
fn load() -> Result<Drawing, Box<dyn Error>> {
    let scenario = find("e2")?.scenario.lasting(Duration::from_secs(12));
    let scenario = Scenario { warm_up: Duration::from_secs(2), ..scenario };
    let policies = [
        ("Overload::Auto", Policy::Auto, Stroke::Solid),
        ("a bare timeout", Policy::BareTimeout, Stroke::Solid),
        ("Overload::Fifo", Policy::Fifo, Stroke::Dashed),
    ];
    let mut table = format!("{:>6}", "load");
    for (name, ..) in policies {
        let _ = write!(table, "{name:>18}");
    }
    table.push('\n');
    let mut curves = policies.map(|(name, policy, stroke)| Curve {
        name: name.to_owned(),
        colour: on_any_ground(policy),
        stroke,
        points: Vec::new(),
    });
    for load in LOADS {
        let _ = write!(table, "{load:>6}");
        for (curve, (_, policy, _)) in curves.iter_mut().zip(policies) {
            let goodput = goodput(&scenario, load, policy);
            let _ = write!(table, "{:>16.1} %", goodput * 100.0);
            curve.points.push((load, Some(goodput)));
        }
        table.push('\n');
    }
    let sketch = Sketch {
        title: "More callers than can be served",
        across: Axis {
            name: "callers that come, in parts of those that can be served",
            scale: Scale::Log,
            ticks: [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0]
                .map(|n| (n, format!("{n}x")))
                .into(),
        },
        up: Axis {
            name: "served in time, in parts of what can be",
            scale: Scale::Linear,
            ticks: (0..=4).map(|n| (f64::from(n) * 0.25, format!("{} %", n * 25))).collect(),
        },
        shade: None,
        mark: None,
        curves: curves.into(),
    };
    Ok(Drawing { svg: sketch.to_string(), table })
}

fn goodput(scenario: &Scenario, load: f64, policy: Policy) -> f64 {
    let mut scenario = scenario.under(policy);
    let rate = scenario.capacity() * load;
    for callers in &mut scenario.callers {
        if let Load::Open(arrivals) = &mut callers.load {
            for (_, old) in &mut arrivals.rates {
                *old = rate;
            }
        }
    }
    run(&scenario).goodput()
}

/// How long half of those took that came in that time and were served, in seconds.
fn median(run: &Run, from: f64, to: f64) -> Option<f64> {
    let came = |due: Duration| (from..to).contains(&due.as_secs_f64());
    let served = run.records.iter().filter(|record| matches!(record.fate, Fate::Good | Fate::Late));
    let mut took: Vec<_> =
        served.filter(|record| came(record.due)).map(|record| record.end - record.due).collect();
    took.sort_unstable();
    took.get(took.len() / 2).map(Duration::as_secs_f64)
}

/// How much of the run is shown, and how much of it in one point, in seconds.
const SHOWN: f64 = 16.0;
const BIN: f64 = 0.25;
const LOADS: [f64; 13] = [0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `cargo run -p millpond-sim -- chart NAME --svg FILE` writes them anew.
    #[test]
    fn the_pictures_in_the_documentation_are_what_would_be_drawn_now() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../millpond/guide/overload");
        for picture in Picture::ALL {
            let file = folder.join(picture.name).with_extension("svg");
            let shown = std::fs::read_to_string(&file).unwrap();
            let drawn = picture.draw().unwrap().svg;
            assert!(shown == drawn, "{} is out of date", file.display());
            assert!(shown.len() < 40_000 && !shown.contains("\n\n"), "it is no part of a page");
        }
    }

    #[test]
    fn the_text_quotes_the_figures_of_now() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../millpond/guide/overload");
        let quoted = |file: &str, name: &str, rows: &str, unit: &str| {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let table = Picture::find(name).unwrap().draw().unwrap().table;
            let words: Vec<_> = table
                .lines()
                .filter(|row| row.contains(rows))
                .flat_map(str::split_whitespace)
                .collect();
            let figures = words.windows(2).filter(|pair| pair[1] == unit);
            let mut count = 0;
            for figure in figures.map(|pair| format!("{} {unit}", pair[0])) {
                assert!(text.contains(&figure), "{file} does not say {figure}");
                count += 1;
            }
            count
        };
        assert_eq!(quoted("why.md", "stop", " ms", "ms"), 4);
        assert_eq!(quoted("load.md", "load", "  0.95 ", "%"), 3);
    }

    #[test]
    fn a_picture_that_there_is_not_is_named() {
        assert!(Picture::find("stop").is_ok());
        assert!(Picture::find("stopp").err().unwrap().contains("`stopp`"));
    }
}
