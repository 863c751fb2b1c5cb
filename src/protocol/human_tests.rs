use super::*;

#[test]
fn every_request_has_its_command() {
    let commands: Vec<_> = help(None).unwrap().into_iter().map(|c| c.name).collect();
    let words: Vec<_> = Request::WORDS.iter().map(|w| w.name.to_owned()).collect();
    assert_eq!(commands, words);
}

#[test]
fn help_shows_usage_and_options() {
    let get = help(Some("request")).unwrap().pop().unwrap();
    assert!(get.usage.starts_with("get "), "{}", get.usage);
    assert!(get.details.unwrap().contains("--on-conflict"));
    assert_eq!(help(Some("gte")).unwrap_err().code, ErrorCode::UnknownRequest);
    assert!(matches!(parse("get --help"), Ok(Request::Help(_))));
}

fn parse(text: &str) -> Result<Request, Failure> {
    super::parse(text, None)
}

fn message(to: &str, text: &str) -> Request {
    request::Message { to: to.to_owned(), text: text.to_owned() }.into()
}

#[test]
fn free_text_is_the_rest_of_the_line_as_it_stands() {
    for text in [
        r#"it's "fine" -- really"#,
        "--help",
        "-h",
        "--",
        "-- --",
        "# no comment",
        r"C:\new \' \",
        "two  blanks,\ta tab",
        "soup",
        "{}",
    ] {
        assert_eq!(parse(&format!("message bob {text}")).unwrap(), message("bob", text));
        assert_eq!(parse(&format!("message \t'bob'   {text}")).unwrap(), message("bob", text));
        let private = request::Private { to: "bob".into(), text: text.into() }.into();
        assert_eq!(parse(&format!("send bob {text}")).unwrap(), private);
        let said: Request = request::Say { room: "kitchen".into(), text: text.into() }.into();
        for name in ["say", "SRM", "send_group"] {
            assert_eq!(parse(&format!("{name} kitchen {text}")).unwrap(), said);
        }
    }
    for text in ["it's \"fine\"", "--help me", "-h me", "-1", "--"] {
        let all: Request = request::Broadcast { text: text.into() }.into();
        assert_eq!(parse(&format!("BCM {text}")).unwrap(), all);
    }
}

#[test]
fn what_is_not_text_is_as_in_other_commands() {
    for line in ["message --help", "message -h", "message --help me", "broadcast --help", "broadcast -h"] {
        assert!(matches!(parse(line), Ok(Request::Help(_))), "{line}");
    }
    for line in ["message", "message bob", "broadcast", "message --loud bob hello"] {
        let failure = parse(line).unwrap_err();
        assert_eq!(failure.code, ErrorCode::BadCommand, "{line}");
        assert!(failure.hint.unwrap().contains("Usage: "), "{line}");
    }
}

#[test]
fn words_from_a_shell_are_joined_by_one_blank() {
    let read = |words: &[&str]| parse_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert_eq!(read(&["message", "erin", "hello", "there"]).unwrap(), message("erin", "hello there"));
    assert_eq!(read(&["message", "erin", "it's  here"]).unwrap(), message("erin", "it's  here"));
    assert_eq!(read(&["message", "erin", "--help"]).unwrap(), message("erin", "--help"));
    assert!(matches!(read(&["message", "--help"]), Ok(Request::Help(_))));
    assert_eq!(read(&["message", "erin"]).unwrap_err().code, ErrorCode::BadCommand);
}

#[test]
fn spellings_of_old() {
    assert_eq!(parse("whoelsesince 600").unwrap(), request::Who { since: Some(600), others: true, after: None }.into());
    assert_eq!(parse("whoelse").unwrap(), request::Who { since: None, others: true, after: None }.into());
    assert!(matches!(parse("whoelsesince --help"), Ok(Request::Help(_))));
    assert_eq!(help(Some("whoelsesince")).unwrap()[0].name, "who");
    assert_eq!(parse("whoelsesince soon").unwrap_err().code, ErrorCode::BadCommand);
}

#[test]
fn secrets_are_known_by_their_command() {
    for line in [
        "login erin hunter2",
        "  login",
        "'login' x",
        "login 'open",
        "LOGIN erin hunter2",
        " Login erin hunter2",
        "/login erin hunter2",
        " / LogIn erin hunter2",
        "logni erin hunter2",
        "lgoin\terin hunter2",
        r#"{"password":"x"}"#,
        r#"{"Password":"x"}"#,
    ] {
        assert!(holds_secret(line), "{line}");
    }
    for line in ["list", "message erin login", "/list", "talk lobby", "join_group login", ""] {
        assert!(!holds_secret(line), "{line}");
    }
    assert!(lacks_secret("login erin"));
    for line in ["login", "login erin x", "login --help", "message erin", ""] {
        assert!(!lacks_secret(line), "{line}");
    }
}

#[test]
fn the_next_argument_is_known() {
    let next = |line: &str| {
        let found = next_argument(&shlex::split(line).unwrap())?;
        Some(format!("{}{}", if found.option { "--" } else { "" }, found.field))
    };
    for (line, field) in [
        ("message", Some("to")),
        ("message erin", Some("text")),
        ("get", Some("file")),
        ("request a", Some("from")),
        ("get a erin", None),
        ("get --to b a", Some("from")),
        ("get a --to", Some("--to")),
        ("quit --now", None),
        ("offer a b c", Some("files")),
        ("room-invite kitchen erin dora", Some("members")),
        ("history --lobby --with", Some("--with")),
        ("nothing", None),
    ] {
        assert_eq!(next(line).as_deref(), field, "{line}");
    }
}

/// It takes no longer than to read it: a line may have a mebibyte.
#[test]
fn a_line_that_is_nothing_but_a_name_is_no_command() {
    for name in ["z", "list", "offer-", "--x"] {
        let line = name.to_owned() + &"t".repeat(1 << 20);
        let failure = super::parse(&line, None).unwrap_err();
        assert!(failure.message.len() < 200, "{}", failure.message.len());
    }
    assert_eq!(mistakes("list", "lits", 2), Some(1));
    assert_eq!(mistakes("list", "listing", 2), None);
    assert_eq!(mistakes("list", "naïve", 2), None);
}

#[test]
fn a_mistake_is_answered_with_a_line_that_works() {
    let hint = |line: &str| parse(line).unwrap_err().hint.unwrap().into_owned();
    for (line, meant) in [
        ("get naïve café ☕.txt", "`get 'naïve café ☕.txt'`"),
        ("push my file.txt erin", "`push 'my file.txt' erin`"),
        ("chunks my file.txt", "`chunks 'my file.txt'`"),
    ] {
        assert_eq!(hint(line), format!("A name with spaces stands in quotes: {meant}"));
        assert!(parse(meant.trim_matches('`')).is_ok(), "{meant}");
    }
    for line in ["list erin", "list --ownr erin"] {
        let hint = hint(line);
        assert!(hint.contains("--owner") && hint.contains("--match"), "{hint}");
    }
    // Whoever means what `potluck send` does.
    assert!(hint("send a.txt").contains("`parcel-send PATH…`"), "{}", hint("send a.txt"));
    for old in ["UDP", "join_group", "send_group", "RDM"] {
        let details = help(Some(old)).unwrap().remove(0).details.unwrap();
        assert!(details.contains(&format!("In the old spelling: {old} ")), "{details}");
    }
    let words = |line: &str| shlex::split(line).unwrap();
    for line in ["send_group hello", "talk lobby"] {
        let hint = parse_words(&words(line)).unwrap_err().hint.unwrap();
        assert!(hint.contains("`say ROOM TEXT`") && hint.contains("`broadcast TEXT`"), "{hint}");
    }
    assert!(hint("login erin").contains("`login NAME PASSWORD`"));
}
