//! Searching pictures: candidates, recalls and exact search, sets of pictures, threads, what is measured, and what is
//! refused.

mod bench;
mod built;
mod finding;
mod recall;
