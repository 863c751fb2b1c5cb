//! Signals: the first asks the program to end, the second ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals as Delivered};

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: somebody pressed Ctrl-C. The exit code is then 130.
    Interrupt,
    /// SIGTERM: the system wants the process gone. The exit code is then 143.
    Terminate,
    /// SIGHUP: the terminal is gone. The exit code of a program that ends because of it is 129.
    Hangup,
}

impl Signal {
    /// The exit code of a program that ends because of it: 128 and the signal's number.
    pub fn exit(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
    }
}

/// What SIGHUP means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHangup {
    /// The callback hears of it, any number of times.
    Told,
    /// It asks the program to end, as SIGINT does, unless it was ignored at the start, as `nohup` arranges.
    Ends,
}

/// The handlers of signals, until this is dropped.
pub struct Signals {
    handle: Handle,
}

impl Signals {
    /// Takes SIGINT and SIGTERM from the system, and does nothing with them until the watch is installed. A line
    /// editor takes them too while it reads, and gives them back as it found them: it must find them ours.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub fn reserve() -> io::Result<()> {
        [SIGINT, SIGTERM].into_iter().try_for_each(|signal| flag::register(signal, Arc::default()).map(drop))
    }

    /// From now on SIGINT and SIGTERM call `callback`, on a thread of its own. The second of them ends
    /// the process at once, whatever it is doing, with 128 and the signal's number. SIGHUP is one of them, or calls
    /// `callback` any number of times, as `hangup` says.
    ///
    /// # Errors
    /// When the system refuses the handlers or the thread.
    pub fn install(hangup: OnHangup, callback: impl Fn(Signal) + Send + 'static) -> io::Result<Self> {
        let armed = Arc::new(AtomicBool::new(false));
        let ends = hangup == OnHangup::Ends && hangup_can_be_taken();
        for signal in [SIGINT, SIGTERM].into_iter().chain(ends.then_some(SIGHUP)) {
            // In this order: what the first signal arms, the second one finds armed.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&armed))?;
        }
        let mut delivered = Delivered::new([SIGINT, SIGTERM])?;
        if ends || hangup == OnHangup::Told {
            delivered.add_signal(SIGHUP)?;
        }
        let handle = delivered.handle();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in delivered.forever() {
                match signal {
                    SIGINT => callback(Signal::Interrupt),
                    SIGTERM => callback(Signal::Terminate),
                    _ => callback(Signal::Hangup),
                }
            }
        })?;
        Ok(Self { handle })
    }
}

/// Whether SIGHUP is not ignored. Where that cannot be known, it is left as it is: it ends the process as ever, or not.
fn hangup_can_be_taken() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // A mask, of which the lowest bit is signal 1 (proc_pid_status(5)).
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) == 0)
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// Set in the process that the test starts as its own victim.
    const VICTIM: &str = "POTLUCK_TEST_SIGNALS";

    #[test]
    fn the_first_asks_and_the_second_ends() {
        if std::env::var_os(VICTIM).is_some() {
            return be_the_victim();
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let this = format!("{module}::the_first_asks_and_the_second_ends");
        let mut victim = Command::new(std::env::current_exe().unwrap());
        let victim = victim.args([&*this, "--exact", "--nocapture"]).env(VICTIM, "1").stdout(Stdio::piped());
        let ended = victim.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert!(said.contains("Hangup\nHangup\nInterrupt\n"), "{said}");
        assert_eq!(ended.status.code(), Some(143), "{said}");
    }

    fn be_the_victim() {
        let (heard, hear) = std::sync::mpsc::channel();
        let _signals = Signals::install(OnHangup::Told, move |signal| {
            heard.send(signal).unwrap();
            if signal == Signal::Interrupt {
                // A shutdown that hangs must not keep the second signal from working.
                std::thread::sleep(Duration::from_secs(60));
            }
        });
        println!();
        for signal in [SIGHUP, SIGHUP, SIGINT] {
            signal_hook::low_level::raise(signal).unwrap();
            println!("{:?}", hear.recv().unwrap());
        }
        signal_hook::low_level::raise(SIGTERM).unwrap();
        unreachable!("the second signal ends the process");
    }
}
