//! The `potluck` program.
// Not `forbid`: see `BEFORE_MAIN`.
#![deny(unsafe_code)]

use std::process::ExitCode;

use potluck::cli::Potluck;

/// Whether there is a standard output can only be seen before the standard library's runtime puts `/dev/null` in the
/// place of one that is closed; so this runs before it, as the loader's last step.
///
/// The attribute is unsafe because what stands in that section is called by the loader. This is a function that the
/// loader can call: it takes nothing (what the loader passes besides is ignored, as in C), returns nothing, does not
/// unwind, and needs nothing of the runtime: it makes one system call and sets a flag.
#[allow(unsafe_code)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[used]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn look() {
        potluck::io::drive::stdout::look();
    }
    look
};

fn main() -> ExitCode {
    potluck::io::os::dumps::forbid_dumps();
    let filter = tracing_subscriber::EnvFilter::from_env("POTLUCK_LOG");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Potluck::from_command_line().run()
}
