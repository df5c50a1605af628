//! Lines over two logarithmic axes, as an SVG file that needs nothing else.

use std::fmt::Write;

/// Where the axes lie in the picture, in pixels.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 430.0;
/// The picture. Right of the axes is room for the lines' names, more where they are long.
const LEAST_WIDTH: f64 = 800.0;
/// About what a character of a name takes.
const CHARACTER: f64 = 7.0;
const HEIGHT: f64 = 490.0;
/// Names lie at least so far from each other.
const NAME_HEIGHT: f64 = 15.0;
/// Colours that people who see few colours tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555"];

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What stands at its end.
    pub name: String,
    /// Lines of the same colour belong together.
    pub colour: usize,
    /// Whether it is dashed.
    pub dashed: bool,
    /// Its points, from left to right, all positive.
    pub points: Vec<(f64, f64)>,
}

/// A picture of some lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What the horizontal axis is.
    pub x: String,
    /// What the vertical axis is.
    pub y: String,
    /// What it shows it with.
    pub lines: Vec<Line>,
}

/// An axis: from which power of ten to which, and where those lie.
struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// Over all of `values`, to the next of 1, 2, 5, 10, … below and above.
    fn over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Axis {
        let (mut least, mut most) = (f64::INFINITY, 0f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let steps = steps(least / 10.0, most * 10.0);
        let low = steps.iter().rev().find(|(step, _)| *step <= least * 1.0001);
        let high = steps.iter().find(|(step, _)| *step >= most * 0.9999);
        Axis {
            low: low.map_or(least, |step| step.0).log10(),
            high: high.map_or(most, |step| step.0).log10(),
            start,
            end,
        }
    }

    /// Where `value` lies.
    fn at(&self, value: f64) -> f64 {
        let span = (self.high - self.low).max(0.01);
        self.start + (value.log10() - self.low) / span * (self.end - self.start)
    }

    /// The steps on it, and whether each is a power of ten.
    fn steps(&self) -> Vec<(f64, bool)> {
        let (low, high) = (10f64.powf(self.low), 10f64.powf(self.high));
        let mut steps = steps(low, high);
        steps.retain(|(step, _)| *step >= low * 0.999 && *step <= high * 1.001);
        steps
    }
}

/// 1, 2, 5, 10, … around `low` and `high`, and whether each is a power of ten.
fn steps(low: f64, high: f64) -> Vec<(f64, bool)> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    powers
        .flat_map(|power| [1.0, 2.0, 5.0].map(|step| (step * 10f64.powi(power), step == 1.0)))
        .collect()
}

/// A number as people write it: `0.5`, `20`, `3 million`.
fn written(value: f64) -> String {
    match value {
        1e6.. => format!("{} million", (value / 1e4).round() / 100.0),
        1e4.. => format!("{},000", (value / 1e3).round()),
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}

/// `text` with what means something in XML written otherwise.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

impl Plot {
    /// The picture.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::over(points().map(|point| point.0), LEFT, RIGHT);
        let y = Axis::over(points().map(|point| point.1), BOTTOM, TOP);
        let longest = self.lines.iter().map(|line| line.name.chars().count());
        let names = CHARACTER * longest.max().unwrap_or(0) as f64;
        let width = LEAST_WIDTH.max(RIGHT + 20.0 + names);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" \
             font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        self.axes(&x, &y, &mut svg);
        let mut names: Vec<(f64, &Line)> = Vec::new();
        for line in &self.lines {
            let colour = COLOURS[line.colour % COLOURS.len()];
            let dashes = match line.dashed {
                true => " stroke-dasharray=\"5 4\"",
                false => "",
            };
            let places: Vec<(f64, f64)> = line
                .points
                .iter()
                .map(|point| (x.at(point.0), y.at(point.1)))
                .collect();
            let path: Vec<String> = places
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            put(
                &mut svg,
                format_args!(
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
                    path.join(" ")
                ),
            );
            for (x, y) in &places {
                put(
                    &mut svg,
                    format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"),
                );
            }
            names.extend(places.last().map(|last| (last.1, line)));
        }
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = f64::MIN;
        for (at, line) in names {
            let at = at.max(free);
            free = at + NAME_HEIGHT;
            put(
                &mut svg,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
                    RIGHT + 10.0,
                    at + 4.0,
                    COLOURS[line.colour % COLOURS.len()],
                    escaped(&line.name)
                ),
            );
        }
        svg + "</svg>\n"
    }

    /// The axes with their steps and names, and the title.
    fn axes(&self, x: &Axis, y: &Axis, svg: &mut String) {
        let tick = |power| if power { "#bbb" } else { "#e6e6e6" };
        for (step, power) in x.steps() {
            let at = x.at(step);
            put(
                svg,
                format_args!(
                    "<path d=\"M{at:.1} {TOP}V{BOTTOM}\" stroke=\"{}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                    tick(power),
                    BOTTOM + 18.0,
                    written(step)
                ),
            );
        }
        for (step, power) in y.steps() {
            let at = y.at(step);
            put(
                svg,
                format_args!(
                    "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    tick(power),
                    LEFT - 8.0,
                    at + 4.0,
                    written(step)
                ),
            );
        }
        let middle = (LEFT + RIGHT) / 2.0;
        put(
            svg,
            format_args!(
                "<text x=\"{LEFT}\" y=\"28\" font-size=\"15\" font-weight=\"bold\">{}</text>",
                escaped(&self.title)
            ),
        );
        put(
            svg,
            format_args!(
                "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                BOTTOM + 42.0,
                escaped(&self.x)
            ),
        );
        let middle = (TOP + BOTTOM) / 2.0;
        put(
            svg,
            format_args!(
                "<text transform=\"translate(20 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                escaped(&self.y)
            ),
        );
    }
}

/// Writes a line.
fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(svg, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_steps_and_values_lie_between() {
        let axis = Axis::over([300_000.0, 30_000_000.0].into_iter(), 0.0, 100.0);
        let steps: Vec<String> = axis.steps().iter().map(|step| written(step.0)).collect();
        assert_eq!(
            steps,
            [
                "200,000",
                "500,000",
                "1 million",
                "2 million",
                "5 million",
                "10 million",
                "20 million",
                "50 million"
            ]
        );
        assert!((axis.at(2e5) - 0.0).abs() < 1e-9 && (axis.at(5e7) - 100.0).abs() < 1e-9);
        let middle = axis.at((2e5f64 * 5e7).sqrt());
        assert!((middle - 50.0).abs() < 1e-9);
        assert_eq!(Axis::over([].into_iter(), 0.0, 1.0).steps().len(), 4);
        assert_eq!(
            [0.05, 0.5, 20.0, 5000.0].map(written),
            ["0.05", "0.5", "20", "5000"]
        );
    }

    #[test]
    fn names_are_escaped() {
        let plot = Plot {
            title: "a < b & c".into(),
            x: String::new(),
            y: String::new(),
            lines: Vec::new(),
        };
        assert!(plot.svg().contains("a &lt; b &amp; c"));
    }
}
