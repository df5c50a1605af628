//! The container seen from outside: what is written is read, what is damaged is refused, what is foreign is named.

mod compat;
mod damage;
mod folders;
mod foreign;
mod forge;
mod malformed;
mod reading;
mod writing;
