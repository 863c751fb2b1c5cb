//! One process of the demo. It is killed when it is dropped.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;

use rustix::process::{Pid, Signal, kill_process};

use super::heard::Heard;

pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts this program with these arguments. Its lines, and then its end, are sent to `heard` with the name `who`.
    pub(super) fn start(
        who: &'static str,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        heard: Sender<Heard>,
    ) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C must reach only the demo, which then ends the processes in its own order.
            .process_group(0)
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let process = Self { child, input };
        std::thread::Builder::new().name(who.into()).spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            // An unreadable line counts as the end.
            for line in lines.map_while(Result::ok) {
                if heard.send(Heard::Line(who, line)).is_err() {
                    return;
                }
            }
            let _ = heard.send(Heard::End(who));
        })?;
        Ok(process)
    }

    /// Writes a line to its standard input.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}").and_then(|()| input.flush())
    }

    /// Closes its standard input.
    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// Sends SIGTERM, as a service manager would.
    pub(super) fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Its exit status. Must be called after its output has ended.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended already, there is nothing to kill, and waiting returns at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
