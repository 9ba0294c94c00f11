//! A report that stands by itself: one page, its charts inside, nothing loaded from elsewhere.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use millpond_sim::{Policy, Run, Summary};

use crate::charts::{Chart, Line, Scale};
use crate::file::Scene;
use crate::palette::{LOTS, of_kind, of_policy};
use crate::table::{back, percent, short};

/// The page for a scenario that was run under several policies; `twins`: the same without what went wrong.
pub(crate) fn page(
    scene: &Scene,
    runs: &[(String, Run)],
    twins: Option<&[Run]>,
) -> Result<String, Box<dyn Error>> {
    let report = Report { scene, runs, twins, seconds: scene.scenario.lasts.as_secs_f64() };
    let mut body = String::new();
    write!(
        body,
        "<header><h1>{}</h1><p>{}</p><p class=\"facts\">{}</p></header>",
        escaped(&scene.scenario.name),
        escaped(&scene.about),
        escaped(&report.facts()),
    )?;
    body += &report.cards();
    body += &report.fates();
    body += &report.delay()?;
    body += &report.delay_of_kinds()?;
    body += &report.goodput()?;
    body += &report.queue()?;
    body += &report.shedding()?;
    let title = escaped(&scene.scenario.name);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · millpond-sim</title><style>{STYLE}</style></head>\
         <body><main>{body}{FOOTER}</main></body></html>\n"
    ))
}

struct Report<'a> {
    scene: &'a Scene,
    runs: &'a [(String, Run)],
    twins: Option<&'a [Run]>,
    seconds: f64,
}

impl Report<'_> {
    fn facts(&self) -> String {
        let scenario = &self.scene.scenario;
        let callers = scenario.callers.first();
        let (hold, deadline) =
            callers.map_or_else(Default::default, |c| (c.hold.mean(), c.deadline));
        format!(
            "{} resources, held for {} in the mean: {:.0} callers a second can be served. Each must be done within {}. Seed {}.",
            scenario.pool.config.max_size,
            short(hold),
            scenario.capacity(),
            short(deadline),
            scenario.seed,
        )
    }

    /// The figures of each policy at a glance.
    fn cards(&self) -> String {
        let mut cards = String::new();
        for (place, (name, run)) in self.runs.iter().enumerate() {
            let summary = run.summary();
            let back = self.twins.and_then(|twins| back(run, &twins[place]));
            let mut rows = vec![
                ("of what the pool can do", percent(run.goodput())),
                ("median, request to result", short(summary.total.p50)),
                ("99 of 100 within", short(summary.total.p99)),
                ("longest queue", run.most_waiting.to_string()),
            ];
            if summary.attempts > summary.requests {
                rows.push((
                    "asked for each request",
                    format!("{:.2} times", summary.amplification()),
                ));
            }
            if let Some(back) = back {
                rows.push(("well again after", back));
            }
            let rows: String = rows
                .iter()
                .map(|(what, value)| format!("<tr><td>{what}</td><td>{value}</td></tr>"))
                .collect();
            cards += &format!(
                "<section class=\"card\" style=\"border-top-color:{}\"><h2>{}</h2>\
                 <p class=\"big\">{}</p><p class=\"small\">of all requests done in time</p><table>{rows}</table></section>",
                of_policy(self.policy(place)),
                escaped(name),
                percent(summary.useful()),
            );
        }
        format!("<div class=\"cards\">{cards}</div>")
    }

    /// What became of the requests, one bar for each policy, and for each kind of callers.
    fn fates(&self) -> String {
        let mut bars = String::new();
        let kinds = &self.scene.scenario.callers;
        for (name, run) in self.runs {
            if kinds.len() > 1 {
                for (kind, callers) in kinds.iter().enumerate() {
                    bars += &bar(&format!("{name}: {}", callers.name), &run.summary_of(kind));
                }
            } else {
                bars += &bar(name, &run.summary());
            }
        }
        let seen =
            |lot: &fn(&Summary) -> u64| self.runs.iter().any(|(_, run)| lot(&run.summary()) > 0);
        let keys: Vec<_> = LOTS.iter().filter(|(.., count)| seen(count)).collect();
        let keys: String =
            keys.iter().map(|(name, colour, _)| key(name, &colour.to_string())).collect();
        figure(
            "What became of the requests",
            &keys,
            &format!("<div class=\"bars\">{bars}</div>"),
            "The wider the green part, the more callers got what they came for. A refusal at once costs its caller nothing \
             but the answer; one who gives up at its deadline has waited in vain, and one served too late cost the others as well.",
        )
    }

    fn delay(&self) -> Result<String, Box<dyn Error>> {
        Ok(figure(
            "How long it took those who were served",
            &self.keys(),
            &self.delays(&self.lines(median))?,
            "From the moment a request was due until it was done, the median of those due at that time, in powers of ten. \
             The dashed line is the deadline: what is at it or above is of no use to anybody. A broken line means that nobody \
             was served.",
        ))
    }

    /// The same for each kind of callers, under the first policy.
    fn delay_of_kinds(&self) -> Result<String, Box<dyn Error>> {
        let kinds = &self.scene.scenario.callers;
        let Some((name, run)) = self.runs.first().filter(|_| kinds.len() > 1) else {
            return Ok(String::new());
        };
        let (mut lines, mut keys) = (Vec::new(), String::new());
        for (kind, callers) in kinds.iter().enumerate() {
            let colour = of_kind(kind);
            let stretches = run.over_time_of(kind, self.width());
            lines.push(Line { colour, values: stretches.iter().map(median).collect() });
            keys += &key(&callers.name, &colour.to_string());
        }
        Ok(figure(
            &format!("The same for each kind of callers: {}", escaped(name)),
            &keys,
            &self.delays(&lines)?,
            "Who stands in which lane decides who waits. The deadline is that of the first kind.",
        ))
    }

    fn delays(&self, lines: &[Line]) -> Result<String, Box<dyn Error>> {
        let deadline = self.scene.scenario.callers.first().map(|c| c.deadline.as_secs_f64());
        let values = lines.iter().flat_map(|line| line.values.iter().flatten());
        let least = values.copied().filter(|value| *value > 0.0).fold(1.0, f64::min);
        let chart = Chart {
            scale: Scale::Log(least),
            label: |seconds| short(Duration::from_secs_f64(seconds)),
            mark: deadline.filter(|deadline| *deadline < 1e4),
            ..self.chart()
        };
        chart.lines(lines)
    }

    fn goodput(&self) -> Result<String, Box<dyn Error>> {
        let width = self.width().as_secs_f64();
        let lines = self.lines(|summary| Some(summary.good as f64 / width));
        let chart = Chart {
            label: |rate| format!("{rate}/s"),
            mark: Some(self.scene.scenario.capacity()),
            ..self.chart()
        };
        let came = self.runs.first().map_or(0, |(_, run)| run.summary().requests);
        Ok(figure(
            "How much was done in time",
            &self.keys(),
            &chart.lines(&lines)?,
            &format!(
                "Requests a second that were done by their deadline, by when they were due. The dashed line is what the pool can \
                 do; {:.0} a second came in the mean.",
                came as f64 / self.seconds
            ),
        ))
    }

    fn queue(&self) -> Result<String, Box<dyn Error>> {
        let queue = |run: &Run| {
            let shown = self.scene.scenario.lasts.div_duration_f64(run.grain).ceil() as usize;
            let mut waiting: Vec<u32> = run.moments.iter().map(|moment| moment.waiting).collect();
            waiting.resize(shown, 0);
            let worst = |chunk: &[u32]| chunk.iter().max().map(|most| f64::from(*most));
            waiting.chunks(shown.div_ceil(STRETCHES).max(1)).map(worst).collect()
        };
        let lines: Vec<_> = (0..)
            .zip(self.runs)
            .map(|(place, (_, run))| Line {
                colour: of_policy(self.policy(place)),
                values: queue(run),
            })
            .collect();
        let most: Vec<_> = self.runs.iter().map(|(_, run)| run.most_waiting).collect();
        let (least, most) = (most.iter().min().copied(), most.iter().max().copied());
        // Beside a very long queue a short one would be a line on the ground.
        let far_apart = least.unwrap_or(0).saturating_mul(30) < most.unwrap_or(0);
        let scale = if far_apart { Scale::Log(1.0) } else { Scale::Linear };
        let chart = Chart { scale, label: |count| format!("{count}"), ..self.chart() };
        Ok(figure(
            "How many waited",
            &self.keys(),
            &chart.lines(&lines)?,
            "The longest the queue was. A queue evens out bursts; one that does not drain only makes everybody late.",
        ))
    }

    /// Who was turned away, when and why, under the first policy.
    fn shedding(&self) -> Result<String, Box<dyn Error>> {
        let Some((name, run)) = self.runs.first() else { return Ok(String::new()) };
        let width = self.width().as_secs_f64();
        let stretches = run.over_time(self.width());
        let mut layers = Vec::new();
        let mut keys = String::new();
        for (what, colour, count) in LOTS {
            if stretches.iter().any(|summary| count(summary) > 0) {
                let values = stretches.iter().map(|summary| Some(count(summary) as f64 / width));
                layers.push(Line { colour, values: values.collect() });
                keys += &key(what, &colour.to_string());
            }
        }
        let chart = Chart { label: |rate| format!("{rate}/s"), ..self.chart() };
        let overloaded: Duration = run.overloads.iter().map(|span| span.to - span.from).sum();
        let spans = run.overloads.len();
        let told = match spans {
            0 => "The pool never called itself overloaded.".to_owned(),
            1 => format!("The pool called itself overloaded once, for {}.", short(overloaded)),
            _ => format!(
                "The pool called itself overloaded {spans} times, for {} in all.",
                short(overloaded)
            ),
        };
        Ok(figure(
            &format!("What became of them over time: {}", escaped(name)),
            &keys,
            &chart.stack(&layers)?,
            &format!(
                "All requests a second, by when they were due and what became of them. {told}"
            ),
        ))
    }

    /// One line for each policy.
    fn lines(&self, value: impl Fn(&Summary) -> Option<f64>) -> Vec<Line> {
        let runs = (0..).zip(self.runs);
        let lines = runs.map(|(place, (_, run))| Line {
            colour: of_policy(self.policy(place)),
            values: run.over_time(self.width()).iter().map(&value).collect(),
        });
        lines.collect()
    }

    fn keys(&self) -> String {
        let runs = self.runs.iter().enumerate();
        runs.map(|(place, (name, _))| key(name, &of_policy(self.policy(place)).to_string()))
            .collect()
    }

    fn policy(&self, place: usize) -> Policy {
        self.scene.policies[place].1
    }

    fn chart(&self) -> Chart {
        let faults = self.scene.scenario.faults.iter();
        Chart {
            lasts: self.seconds,
            scale: Scale::Linear,
            label: |value| format!("{value}"),
            faults: faults.map(|f| (f.from.as_secs_f64(), f.end().as_secs_f64())).collect(),
            mark: None,
        }
    }

    /// How long the stretches are that values are taken of.
    fn width(&self) -> Duration {
        Duration::from_secs_f64(self.seconds / STRETCHES as f64)
    }
}

/// The median of how long it took those who were served, in seconds.
fn median(summary: &Summary) -> Option<f64> {
    let served = summary.good + summary.late > 0;
    served.then_some(summary.total.p50.as_secs_f64())
}

fn bar(name: &str, summary: &Summary) -> String {
    let mut parts = String::new();
    for (what, colour, count) in LOTS {
        let share = count(summary) as f64 / summary.requests.max(1) as f64;
        if share > 0.0 {
            let said = if share >= 0.06 { percent(share) } else { String::new() };
            parts += &format!(
                "<span style=\"width:{:.3}%;background:{colour}\" title=\"{what}: {}\">{said}</span>",
                share * 100.0,
                percent(share),
            );
        }
    }
    format!("<div class=\"name\">{}</div><div class=\"bar\">{parts}</div>", escaped(name))
}

fn key(name: &str, colour: &str) -> String {
    format!("<span class=\"key\"><i style=\"background:{colour}\"></i>{}</span>", escaped(name))
}

fn figure(title: &str, keys: &str, content: &str, caption: &str) -> String {
    format!(
        "<figure><h2>{title}</h2><div class=\"keys\">{keys}</div>{content}\
         <figcaption>{caption}</figcaption></figure>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Into how many stretches the time of a scenario is divided.
const STRETCHES: usize = 120;
const FOOTER: &str = "<footer>Simulated by millpond-sim with the code that decides in the pool, on a virtual clock. \
    Orange ground: something is wrong with the backend.</footer>";
const STYLE: &str = "\
:root{color-scheme:light}*{box-sizing:border-box}\
body{margin:0;background:#f3f5f7;color:#1f2933;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:1040px;margin:0 auto;padding:32px 20px}\
header h1{margin:0 0 4px;font-size:30px;letter-spacing:-.01em}header p{margin:0 0 6px;max-width:75ch}\
.facts,.small,figcaption,footer{color:#5f6b78;font-size:14px}\
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px;margin:22px 0}\
.card,figure{background:#fff;border-radius:10px;box-shadow:0 1px 3px rgba(31,41,51,.12);padding:16px 18px;margin:0}\
.card{border-top:4px solid}.card h2,figure h2{margin:0 0 4px;font-size:17px}\
.big{font-size:34px;font-weight:650;margin:2px 0 0;line-height:1.1}.small{margin:0 0 10px}\
table{width:100%;border-collapse:collapse;font-size:14px}td{padding:3px 0;border-top:1px solid #e8ecef}\
td:last-child{text-align:right;font-variant-numeric:tabular-nums;font-weight:600}\
figure{margin:0 0 18px}figure svg{width:100%;height:auto;display:block;margin-top:6px}.keys{display:flex;flex-wrap:wrap;gap:2px 16px}figcaption{margin-top:8px;max-width:90ch}\
.key{display:inline-flex;align-items:center;gap:6px;font-size:14px}\
.key i{width:14px;height:14px;border-radius:3px}\
.bars{display:grid;grid-template-columns:max-content 1fr;gap:8px 14px;align-items:center;margin-top:10px}\
.name{font-size:14px;text-align:right}.bar{display:flex;height:30px;border-radius:5px;overflow:hidden;background:#e8ecef}\
.bar span{color:#fff;font-size:13px;font-weight:600;display:flex;align-items:center;justify-content:center;overflow:hidden}\
footer{margin:22px 0 0}";
