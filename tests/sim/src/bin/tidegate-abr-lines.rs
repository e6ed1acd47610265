//! Our ABR for outside simulators, native: one JSON object per line in, one answer per line out.

use std::io::{self, BufRead, Write};

use tidegate_sim::lines::Decider;

fn main() -> io::Result<()> {
    let mut decider = Decider::default();
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let Some(answer) = decider.line(&line) else { break };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
