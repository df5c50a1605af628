//! Draws how an index of pictures grows, from the table that `benches/peers/images … growth` wrote.
//!
//! ```text
//! image_plot GROWTH.csv OUT.svg query|build|memory|file
//! ```
//!
//! Over the number of pictures: the time of a query at recall .95 (dashed) and .99, the time of building by the wall and (dashed) of the
//! processor, the most memory while building, in all and (dashed) beyond mapped files, or the bytes of the file and (dashed) of what
//! a search reads without its last candidates' vectors.

use morelet_benches::{Line, Plot, Result, open};

const USAGE: &str = "usage: image_plot GROWTH.csv OUT.svg query|build|memory|file";

/// What can be drawn.
struct Drawn {
    name: &'static str,
    title: &'static str,
    y: &'static str,
    /// What one of the vertical axis is in the table.
    one: f64,
    /// The column of the line that is not dashed, and its name; then of the one that is.
    columns: [(&'static str, &'static str); 2],
}

const DRAWN: [Drawn; 4] = [
    Drawn {
        name: "query",
        title: "A search among ever more pictures",
        y: "time of a query, µs",
        one: 1.0,
        columns: [("us_99", "at .99"), ("us_95", "at .95")],
    },
    Drawn {
        name: "build",
        title: "Building an index of ever more pictures",
        y: "seconds",
        one: 1.0,
        columns: [
            ("build_seconds", "wall"),
            ("build_cpu_seconds", "processor"),
        ],
    },
    Drawn {
        name: "memory",
        title: "The most memory while building",
        y: "MB",
        one: 1e6,
        columns: [
            ("build_peak_bytes", "in all"),
            ("build_peak_anonymous_bytes", "not mapped"),
        ],
    },
    Drawn {
        name: "file",
        title: "An index of ever more pictures",
        y: "MB",
        one: 1e6,
        columns: [("file_bytes", "file"), ("search_bytes", "searched")],
    },
];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [table, output, what] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let drawn = DRAWN.iter().find(|drawn| drawn.name == what).ok_or(USAGE)?;
    let mut rows = open(table)?.all()?.into_iter();
    let header = rows.next().unwrap_or_default();
    let place = |name: &str| {
        let place = header.split(',').position(|column| column == name);
        place.ok_or_else(|| format!("{table}: no column {name}"))
    };
    let (name, pictures) = (place("name")?, place("n")?);
    let columns = [place(drawn.columns[0].0)?, place(drawn.columns[1].0)?];

    let mut lines: Vec<Line> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let colour = names
            .iter()
            .position(|known| known == cell(name))
            .unwrap_or_else(|| {
                names.push(cell(name).to_owned());
                names.len() - 1
            });
        for ((column, (_, told)), dashed) in
            columns.into_iter().zip(drawn.columns).zip([false, true])
        {
            // An empty cell: not reached, or not known.
            let Ok(value) = cell(column).parse::<f64>() else {
                continue;
            };
            let point = (cell(pictures).parse()?, value / drawn.one);
            let of = format!("{}, {told}", cell(name));
            match lines.iter_mut().find(|line| line.name == of) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: of,
                    colour,
                    dashed,
                    points: vec![point],
                }),
            }
        }
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let plot = Plot {
        title: drawn.title.into(),
        x: "pictures in the index".into(),
        y: drawn.y.into(),
        lines,
    };
    std::fs::write(output, plot.svg())?;
    Ok(())
}
