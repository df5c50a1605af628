//! An index of pictures built and searched: what `benches/peers/images` asks by turns with other libraries.
//!
//! ```text
//! cargo bench -p morelet-benches --no-default-features --bench image_search --
//!     build FEATURES.npy OUT.index [--threads 2] [--vectors i8] [--links 32] [--ef-construction 100] [--no-rerank]
//!     search INDEX QUERIES.npy --truth T.npy [--scores S.npy] --ef 16 32 … [-k 10] [--passes 3] [--threads N] [--exact]
//!     serve INDEX QUERIES.npy --truth T.npy [--scores S.npy] [-k 10]
//!     cold INDEX QUERIES.npy [--ef 100] [--prefault]
//! ```
//!
//! All answer in JSON. Features are the rows of a matrix `<f4`; a picture's name is the number of its row. `T.npy` has, for
//! each query, the numbers of its nearest rows (`<i4`, best first) and `S.npy` their inner products: what is as near as
//! the k-th is as good as it ([`truth`]).
//!
//! `build` says how long it took, by the wall and of the processor, and the most memory that it had. What it had beyond
//! mapped files is sampled every 20 ms. `search` gives for each `--ef` the recall and the time of a query. `serve` reads an
//! `ef` a line and answers each with a pass over all queries on one thread. `cold` opens the index and searches ten times: run
//! it in a fresh process after dropping the file from the page cache.

mod build;
mod cold;
mod search;
mod truth;

use morelet_benches::Result;

const USAGE: &str = "usage: image_search build FEATURES.npy OUT.index [--threads N] [--vectors i8|f16|f32] [--links N]
                    [--ef-construction N] [--no-rerank]
       image_search search INDEX QUERIES.npy --truth T.npy [--scores S.npy] --ef 16 32 … [-k 10]
                    [--passes 3] [--threads N] [--exact]
       image_search serve INDEX QUERIES.npy --truth T.npy [--scores S.npy] [-k 10]
       image_search cold INDEX QUERIES.npy [--ef 100] [--prefault]";

fn main() -> Result<()> {
    // What `cargo bench` adds.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let Some(command) = args.next() else {
        // Run with the other benchmarks, without arguments: nothing to measure.
        println!("{USAGE}");
        return Ok(());
    };
    let args: Vec<String> = args.collect();
    match command.as_str() {
        "build" => build::run(args),
        "search" => search::run(args),
        "serve" => search::serve(args),
        "cold" => cold::run(args),
        _ => Err(USAGE.into()),
    }
}
