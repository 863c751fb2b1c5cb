//! Turns core dumps off: the process holds keys and passwords in its memory, and a dump would write them to a disk.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Turns core dumps of this process off. On Linux, other processes of the same user cannot read its memory either.
pub fn forbid_dumps() {
    // If the system refuses, the program works all the same.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
