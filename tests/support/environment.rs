//! The environment of every process that tests start. It is the same on all machines.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

/// The program in a clean environment, where only its arguments and its home folder matter.
pub fn potluck(home: &Path) -> Command {
    let mut command = Command::new(cargo_bin!("potluck"));
    command.env_clear().env("HOME", home).env("POTLUCK_HOME", home.join("potluck")).env("USER", "nobody");
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("TERM", "dumb").env("NO_COLOR", "1").current_dir(home);
    command
}

/// A command in which another program starts `inner`, whose command line follows its own arguments.
pub fn started_by(program: &str, args: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(program);
    command.args(args).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/bin:/sbin:/bin");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    command
}
