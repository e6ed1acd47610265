//! Other programs that run beside us: started so that they never outlive this process.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};
use tracing::{debug, warn};

/// How long a child may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// The last lines that a child wrote, kept for the sentence when it fails.
const LINES: usize = 5;

/// Prepares a program. It stands in a process group of its own, so that Ctrl-C reaches only us and the end has an order,
/// and the kernel ends it when we die without saying so.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "prctl after fork is the only way to be ended with the parent; it is async-signal-safe")]
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    command
}

/// Starts a program and reads what it complains about; the last lines are the result of the task.
pub(crate) fn start(mut command: Command, name: &'static str) -> anyhow::Result<(Child, tokio::task::JoinHandle<Vec<String>>)> {
    let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
    let stderr = child.stderr.take();
    let lines = tokio::spawn(async move {
        let mut last = Vec::new();
        let Some(stderr) = stderr else { return last };
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            debug!(program = name, line);
            if last.len() == LINES {
                last.remove(0);
            }
            last.push(line);
        }
        last
    });
    Ok((child, lines))
}

/// Asks a program to end and waits; kills it when it does not.
pub(crate) async fn stop(child: &mut Child, name: &'static str) {
    if let Some(pid) = child.id().and_then(|pid| libc::pid_t::try_from(pid).ok()) {
        #[allow(unsafe_code, reason = "kill takes two numbers; the child has not been waited for, so the id is still its own")]
        unsafe {
            libc::kill(pid, libc::SIGTERM);
        }
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        warn!(program = name, "did not end when asked and is killed");
        // Fails only where the child has ended in the meantime.
        let _ = child.kill().await;
    }
}
