//! Core dumps are off: a process has keys and passwords in its memory, and what is dumped of it lies on a disk.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on this process leaves no core dump behind, and where the system knows that (Linux), no other process of
/// the same user may look into its memory.
pub fn forbid_dumps() {
    // What cannot be had is no reason not to work.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
