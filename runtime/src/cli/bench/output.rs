//! How a measurement is written.

use super::svg;
use super::times::{HEADER, Times};
use crate::Named;
use crate::cli::sink::Sink;
use crate::cli::table::table;
use crate::cli::{Console, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

/// How a measurement is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Table,
    /// A table in Markdown
    Md,
    /// A row a module, in µs
    Csv,
    /// Everything that is known, with every sample
    Json,
    /// A line a module, each with the machine and the device
    Jsonl,
    /// A picture: a bar a module
    Svg,
}

/// What a measurement has to offer to be written.
pub(super) trait Measurement: Serialize {
    /// One line for people: what was measured, on what.
    fn title(&self) -> String;
    /// Groups of rows by name. The first has no name.
    fn groups(&self) -> Vec<(&str, &Named<Times>)>;
    /// Lines for people after the rows.
    fn remarks(&self) -> String;
}

/// Writes it to standard output.
pub(super) fn write(measured: &impl Measurement, output: Output, console: &Console) -> Outcome {
    let text = match output {
        Output::Table => people(measured),
        Output::Md => markdown(measured),
        Output::Csv => csv(&measured.groups()),
        Output::Json => line(measured)?,
        Output::Jsonl => json_lines(measured)?,
        Output::Svg => {
            let groups = measured.groups();
            let rows = groups.first().map(|(_, rows)| *rows);
            svg::chart(&measured.title(), rows.unwrap_or(&Named::new()))
        }
    };
    let mut sink = Sink::open(None, console)?;
    for line in text.lines() {
        sink.line(line)?;
    }
    sink.finish()
}

fn people(measured: &impl Measurement) -> String {
    let mut text = format!("{}, in ms by the wall\n", measured.title());
    for (name, modules) in measured.groups() {
        let heading = if name.is_empty() {
            String::new()
        } else {
            format!("{name}:\n")
        };
        text.push_str(&format!(
            "\n{heading}{}",
            table(&HEADER, &[0], &rows(modules))
        ));
    }
    text.push('\n');
    text.push_str(&measured.remarks());
    text
}

fn rows(modules: &Named<Times>) -> Vec<Vec<String>> {
    modules
        .iter()
        .map(|(name, times)| times.row(name))
        .collect()
}

fn markdown(measured: &impl Measurement) -> String {
    let mut text = format!("{}, in ms by the wall\n", measured.title());
    for (name, modules) in measured.groups() {
        if !name.is_empty() {
            text.push_str(&format!("\n{name}:\n"));
        }
        text.push_str(&format!(
            "\n| {} |\n|---|---:|---:|---:|---:|---:|\n",
            HEADER.join(" | ")
        ));
        for row in rows(modules) {
            text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
    }
    for remark in measured.remarks().lines() {
        text.push_str(&format!("\n{remark}\n"));
    }
    text
}

fn csv(groups: &[(&str, &Named<Times>)]) -> String {
    let mut text = "group,module,p50_us,p90_us,p99_us,mean_us,min_us,n\n".to_owned();
    let told = |us: Option<u64>| us.map_or_else(String::new, |us| us.to_string());
    for (group, modules) in groups {
        for (name, times) in modules.iter() {
            let (p50, p90, p99) = (told(times.p50), told(times.p90), told(times.p99));
            text.push_str(&format!(
                "{},{},{p50},{p90},{p99},{:.1},{},{}\n",
                field(group),
                field(name),
                times.mean,
                times.min,
                times.n
            ));
        }
    }
    text
}

/// A field of RFC 4180. Experts are named by the user.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn line(value: &impl Serialize) -> std::io::Result<String> {
    serde_json::to_string(value).map_err(std::io::Error::from)
}

fn json_lines(measured: &impl Measurement) -> std::io::Result<String> {
    let whole = serde_json::to_value(measured).map_err(std::io::Error::from)?;
    // What every line repeats: all but the rows themselves.
    let common: serde_json::Map<String, Value> = whole
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["modules", "alone", "batches"].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut text = String::new();
    for (group, modules) in measured.groups() {
        for (module, times) in modules.iter() {
            let mut object = serde_json::Map::new();
            object.insert("module".to_owned(), json!(module));
            if !group.is_empty() {
                object.insert("group".to_owned(), json!(group));
            }
            object.insert("times".to_owned(), json!(times));
            object.extend(common.clone());
            text.push_str(&line(&Value::Object(object))?);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Made {
        device: &'static str,
        modules: Named<Times>,
    }

    impl Measurement for Made {
        fn title(&self) -> String {
            "made".to_owned()
        }
        fn groups(&self) -> Vec<(&str, &Named<Times>)> {
            vec![("", &self.modules)]
        }
        fn remarks(&self) -> String {
            "open 1\nfirst 2\n".to_owned()
        }
    }

    fn made() -> Made {
        let modules = [("a", &[1000, 3000][..]), ("expert_x,\"y\"", &[5][..])];
        Made {
            device: "cpu",
            modules: modules
                .into_iter()
                .map(|(name, samples)| (name.to_owned(), Times::of(samples)))
                .collect(),
        }
    }

    #[test]
    fn every_form_has_a_row_a_module() {
        let made = made();
        let csv = csv(&made.groups());
        assert_eq!(
            csv.lines().collect::<Vec<_>>(),
            [
                "group,module,p50_us,p90_us,p99_us,mean_us,min_us,n",
                ",a,1000,,,2000.0,1000,2",
                ",\"expert_x,\"\"y\"\"\",5,,,5.0,5,1"
            ]
        );
        let markdown = markdown(&made);
        assert!(
            markdown.contains("\n| a | 1.000 | – | – | 2.000 | 2 |\n"),
            "{markdown}"
        );
        assert!(markdown.ends_with("\nopen 1\n\nfirst 2\n"), "{markdown}");
        assert_eq!(people(&made).lines().count(), 8);
        let lines = json_lines(&made).unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["module"], "a");
        assert_eq!(lines[0]["device"], "cpu");
        assert_eq!(lines[1]["times"]["samples"], json!([5]));
        assert!(lines[0].get("modules").is_none());
    }
}
