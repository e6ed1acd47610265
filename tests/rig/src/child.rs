#![expect(unsafe_code, reason = "the call that ties a child's life to ours has no safe form in the standard library")]

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::Command,
    sync::mpsc::{self, Sender},
    thread::JoinHandle,
};

/// A process that is killed when this is dropped, and when the test process dies however it dies.
pub struct Child {
    pub pid: u32,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts a process.
    pub fn start(mut command: Command) -> io::Result<Self> {
        // SAFETY: between fork and exec only an async-signal-safe system call is made.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let (stop, stopped) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        // The kernel ties the child to the thread that started it, and the thread of a test ends with the test.
        let thread = std::thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = ready.send(Ok(child.id()));
                let _ = stopped.recv();
                let _ = child.kill();
                let _ = child.wait();
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        });
        let pid = started.recv().map_err(io::Error::other)??;
        Ok(Self { pid, stop: Some(stop), thread: Some(thread) })
    }

    /// Kills the process as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}
