//! The usage lines of typed commands, as `help` and hints show them.

use super::event::CommandHelp;

/// What people at a terminal use to talk in a room without a command before each line. There, it does not come here.
pub const TALK: &str = "talk";

/// The usage line of a command, with every option by its name.
pub(super) fn whole_usage(mut command: clap::Command) -> String {
    command.build();
    let options: Vec<String> = command
        .get_arguments()
        .filter(|argument| argument.get_long().is_some_and(|long| long != "help"))
        .map(|option| format!("[{option}]"))
        .collect();
    let usage = command.render_usage().to_string();
    usage.trim_start_matches("Usage: ").trim().replace("[OPTIONS]", &options.join(" "))
}

/// The help of `talk`, which exists only at a terminal.
pub(super) fn about_talk() -> CommandHelp {
    let details = "At a terminal: say what you type in a room, or to everybody with `talk lobby`, without a command before each line\n\n\
        Usage: talk <ROOM>\n\n\
        From then on, commands begin with `/`: `/leave` ends it, `/help` lists them. `//` says a slash.";
    CommandHelp {
        name: TALK.to_owned(),
        usage: "talk <ROOM>".to_owned(),
        about: "Say what you type in a room, or to everybody in the lobby".to_owned(),
        aliases: Vec::new(),
        details: Some(details.to_owned()),
    }
}

/// The help of a command: all of it, or one line.
pub(super) fn describe(command: &mut clap::Command, details: bool) -> CommandHelp {
    let usage = command.render_usage().to_string();
    CommandHelp {
        name: command.get_name().to_owned(),
        usage: usage.trim_start_matches("Usage: ").trim_start_matches("potluck ").trim().to_owned(),
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        aliases: command.get_all_aliases().map(str::to_owned).collect(),
        details: details
            .then(|| command.render_long_help().to_string().trim_end().replace("Usage: potluck ", "Usage: ")),
    }
}
