//! Searching pictures: candidates, recalls and exact search, sets of pictures, threads, what is measured, and what is
//! refused.

mod built;
mod finding;
mod measuring;
mod telling;
