//! A picture of the modules: a bar to the median, a line to the 90th percentile, numbers beside.

use super::times::{Times, ms};
use crate::Named;
use std::fmt::Write as _;

/// Pixels: of the picture, of the names at the left, of the numbers at the right, of one row.
const WIDTH: f64 = 900.0;
const NAMES: f64 = 170.0;
const NUMBERS: f64 = 190.0;
const ROW: f64 = 26.0;
const TOP: f64 = 64.0;

/// Colours that differ in lightness too, so that they survive a grey printer.
const BAR: &str = "#3b6ea5";
const WHOLE: &str = "#c0722d";

/// A bar chart on a linear axis of milliseconds: where the time goes. A row whose bar is too small to be seen has its number.
pub(super) fn chart(title: &str, modules: &Named<Times>) -> String {
    let far = |times: &Times| times.p90.or(times.p50).unwrap_or_default() as f64;
    let longest = modules
        .iter()
        .map(|(_, times)| far(times))
        .fold(1.0, f64::max);
    let room = WIDTH - NAMES - NUMBERS;
    let x = |us: f64| NAMES + us / longest * room;
    let height = TOP + ROW * modules.len() as f64 + 40.0;
    let bottom = height - 34.0;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="Helvetica, Arial, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="14" y="24" font-size="15" font-weight="bold">{}</text>
<text x="14" y="44" fill="#555555">median (bar) and 90th percentile (line), milliseconds by the wall</text>"##,
        escaped(title)
    );
    for tick in ticks(longest) {
        let at = x(tick);
        let _ = writeln!(
            text,
            r##"<line x1="{at:.1}" y1="{:.1}" x2="{at:.1}" y2="{bottom:.1}" stroke="#dddddd"/>
<text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#555555">{}</text>"##,
            TOP - 6.0,
            bottom + 18.0,
            tick / 1e3
        );
    }
    for (row, (name, times)) in modules.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let middle = y + ROW / 2.0 - 2.0;
        let median = times.p50.unwrap_or_default() as f64;
        let colour = if name == "total" { WHOLE } else { BAR };
        let numbers = match times.p90 {
            Some(p90) => format!("{} · p90 {}", ms(median), ms(p90 as f64)),
            None => ms(median),
        };
        let _ = writeln!(
            text,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>
<rect x="{NAMES}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/>"##,
            NAMES - 8.0,
            middle + 5.0,
            escaped(&name.replace('_', " ")),
            (x(median) - NAMES).max(1.0),
            ROW - 6.0,
        );
        if let Some(p90) = times.p90 {
            let (from, to) = (x(median), x(p90 as f64));
            let _ = writeln!(
                text,
                r##"<path d="M{from:.1} {middle:.1}H{to:.1}M{to:.1} {:.1}V{:.1}" stroke="#222222" fill="none"/>"##,
                middle - 5.0,
                middle + 5.0
            );
        }
        let _ = writeln!(
            text,
            r##"<text x="{:.1}" y="{:.1}">{numbers}</text>"##,
            x(far(times).max(median)) + 8.0,
            middle + 5.0
        );
    }
    text.push_str("</svg>\n");
    text
}

/// Four to nine round numbers from 0, in µs.
fn ticks(longest: f64) -> Vec<f64> {
    let power = 10_f64.powf(longest.log10().floor());
    let step = [0.1, 0.2, 0.5, 1.0]
        .into_iter()
        .map(|part| part * power)
        .find(|step| longest / step < 8.5)
        .unwrap_or(power);
    (0..9)
        .map(|n| f64::from(n) * step)
        .take_while(|&tick| tick <= longest)
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(ticks(1000.0), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(ticks(4.2), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]);
        for longest in [1.0, 1.7, 3.0, 8.4, 8.6, 99.0, 123_456.0] {
            let count = ticks(longest).len();
            assert!((4..=9).contains(&count), "{longest}: {count}");
        }
    }

    #[test]
    fn the_longest_bar_ends_where_the_numbers_begin() {
        let modules: Named<Times> = [("<clip> & co", vec![500; 10]), ("total", vec![2000; 10])]
            .into_iter()
            .map(|(name, samples)| (name.to_owned(), Times::of(&samples)))
            .collect();
        let chart = chart("a < b", &modules);
        assert!(chart.contains("&lt;clip&gt; &amp; co") && chart.contains("a &lt; b"));
        // A quarter of 540 pixels, and all of them.
        assert!(chart.contains(r#"width="135.0""#) && chart.contains(r#"width="540.0""#));
    }
}
