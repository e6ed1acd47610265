//! The packager in virtual time: what comes out for which source. Each module is one kind of situation.

mod any_source;
mod bucket;
mod budget;
mod rates;
mod situations;
mod source;
