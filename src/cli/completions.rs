//! `potluck completions`: what a shell needs to complete potluck's command line.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::recording::finish;
use crate::io::drive::stdout::StandardOutput;

/// Print the completions for a shell.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

impl Completions {
    /// Runs the subcommand. `root` is the command line of the whole program.
    pub fn run(&self, mut root: Command) -> ExitCode {
        let script = script(self.shell, &mut root);
        let mut out = StandardOutput;
        finish(out.write_all(&script).and_then(|()| out.flush()).map(|()| ExitCode::SUCCESS))
    }
}

/// The script. It is written to memory first, because clap_complete panics if it cannot write.
fn script(shell: Shell, root: &mut Command) -> Vec<u8> {
    let name = root.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, root, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::{Parser, ValueEnum};

    use super::*;

    /// The subcommands, as a program's command line.
    #[derive(Debug, Parser)]
    #[command(name = "potluck")]
    enum Root {
        Completions(Completions),
        Replay(crate::cli::replay::Replay),
        Schema(crate::cli::schema::Schema),
    }

    #[test]
    fn the_doors_are_sound_and_every_shell_knows_them() {
        use clap::CommandFactory;
        Root::command().debug_assert();
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell, &mut Root::command())).unwrap();
            assert!(script.contains("replay") && script.contains("schema"), "{shell}");
        }
        for right in ["schema list", "schema show get", "schema check -", "schema check x --log", "replay -"] {
            Root::try_parse_from(format!("potluck {right}").split(' ')).unwrap();
        }
        for wrong in ["schema", "schema check", "schema check x --log --events", "replay", "completions cmd"] {
            assert!(Root::try_parse_from(format!("potluck {wrong}").split(' ')).is_err(), "{wrong}");
        }
    }
}
