//! Lucene 9.5, in a JVM of its own.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use morelet_benches::Result;

use crate::Hit;
use crate::build::Built;
use crate::parts;
use crate::search::Engine;
use morelet_benches::Taken;

/// Dictionary, postings and lengths.
const COMPARED: &[&str] = &["tim", "tip", "tmd", "doc", "nvd", "nvm"];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/lucene_text.sh");

/// Builds an index in folder `index`.
pub fn build(corpus: &Path, index: &Path, threads: usize) -> Result<Built> {
    let output = Command::new(SCRIPT)
        .args(["build".as_ref(), corpus.as_os_str(), index.as_os_str()])
        .arg(threads.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    let seconds: Vec<f64> = String::from_utf8(output.stdout)?
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    let [wall, cpu, merged_wall, merged_cpu] = seconds[..] else {
        return Err("Lucene did not finish".into());
    };
    let taken = |wall, cpu| Taken {
        wall: Duration::from_secs_f64(wall),
        cpu: Duration::from_secs_f64(cpu),
    };
    Ok(Built {
        searchable: taken(wall, cpu),
        merged: taken(merged_wall, merged_cpu),
        parts: parts::of_folder(index)?,
        compared: COMPARED,
    })
}

/// The JVM, with index and queries open.
pub struct Lucene {
    process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    sentences: u64,
    queries: usize,
}

impl Lucene {
    /// Starts it on the index in folder `path` and the queries in file `queries`, of which there are `count`.
    pub fn open(path: &str, queries: &Path, count: usize, k: usize) -> Result<Lucene> {
        let mut process = Command::new(SCRIPT)
            .args(["serve".as_ref(), path.as_ref(), queries.as_os_str()])
            .arg(k.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (commands, answers) = (process.stdin.take(), process.stdout.take());
        let mut lucene = Lucene {
            commands: commands.ok_or("no standard input")?,
            answers: BufReader::new(answers.ok_or("no standard output")?).lines(),
            process,
            sentences: 0,
            queries: count,
        };
        let hello = lucene.answer()?;
        let Some((sentences, "1")) = hello.split_once(' ') else {
            return Err("Lucene's index has more than one segment".into());
        };
        lucene.sentences = sentences.parse()?;
        Ok(lucene)
    }

    fn command(&mut self, command: &str) -> Result<()> {
        writeln!(self.commands, "{command}")?;
        Ok(self.commands.flush()?)
    }

    fn answer(&mut self) -> Result<String> {
        Ok(self.answers.next().ok_or("Lucene has gone")??)
    }
}

/// Pairs `a:b` between spaces.
fn pairs<A: std::str::FromStr, B: std::str::FromStr>(line: &str) -> Result<Vec<(A, B)>> {
    line.split_whitespace()
        .map(|pair| {
            let (a, b) = pair.split_once(':')?;
            Some((a.parse().ok()?, b.parse().ok()?))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| format!("not what Lucene should say: {line:.200}").into())
}

impl Engine for Lucene {
    fn sentences(&self) -> u64 {
        self.sentences
    }

    fn pass(&mut self) -> Result<Vec<Taken>> {
        self.command("pass")?;
        let times = pairs(&self.answer()?)?;
        let taken = times.into_iter().map(|(wall, cpu)| Taken {
            wall: Duration::from_nanos(wall),
            cpu: Duration::from_nanos(cpu),
        });
        Ok(taken.collect())
    }

    fn hits(&mut self) -> Result<Vec<Vec<Hit>>> {
        self.command("hits")?;
        (0..self.queries).map(|_| pairs(&self.answer()?)).collect()
    }
}

impl Drop for Lucene {
    fn drop(&mut self) {
        // It ends by itself when asked or when its input ends; if it is gone already, all the better.
        let _ = self.command("quit");
        let _ = self.process.wait();
    }
}
