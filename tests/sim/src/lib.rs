//! Replays recorded links in virtual time and scores policies alike.
//!
//! In scope: the links, the model of a player around a policy, models of other players' rules, the score, the table and the gate.
//! Out of scope: the policy itself (`tidegate-abr`), browsers.
//!
//! Invariant: a session depends on its recording, setting and policy alone; running it again gives the same score.
#![allow(clippy::disallowed_methods, reason = "a test tool that reads recordings, clocks and starts threads")]

pub mod bootstrap;
pub mod content;
pub mod corpus;
pub mod gate;
pub mod lines;
pub mod link;
pub mod optimum;
pub mod policy;
pub mod random;
pub mod run;
pub mod score;
pub mod session;
pub mod setting;
pub mod synthetic;
pub mod table;
pub mod tune;
