//! The manifest function: a viewer's request in, an answer or the next thing to fetch out.
