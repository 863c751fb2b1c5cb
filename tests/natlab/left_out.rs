//! Where there can be no laboratory.

use std::process::{Command, Output};

/// Runs the tests of the routers where no program is found.
fn without_programs(wish: Option<&str>) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.arg("routers::").env_remove("POTLUCK_NATLAB").env("PATH", nowhere.path());
    tests.envs(wish.map(|wish| ("POTLUCK_NATLAB", wish))).output().unwrap()
}

#[test]
fn what_is_left_out_is_told_in_one_line_and_is_a_failure_where_it_is_required() {
    let left_out = without_programs(None);
    let told = String::from_utf8(left_out.stderr).unwrap();
    assert!(left_out.status.success(), "{told}");
    assert!(told.starts_with("natlab: left out") && told.lines().count() == 1, "{told}");

    let required = without_programs(Some("required"));
    let told = String::from_utf8(required.stdout).unwrap();
    assert!(!required.status.success() && told.contains("POTLUCK_NATLAB=required needs a laboratory"), "{told}");
}
