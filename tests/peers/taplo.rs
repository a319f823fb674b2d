//! taplo, which checks and formats TOML in editors: with our schema it takes our configurations, and finds what is misspelt.
//! TAPLO names the program, as `tests/run` sets it.

use std::fs;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What taplo says, in the project's folder; nothing if it is not there. That it is not is a failure where everything is required.
fn taplo(arguments: &[&str]) -> Option<Output> {
    let Some(program) = std::env::var_os("TAPLO") else {
        let required = std::env::var_os("VESTIBULE_TEST_PEERS").is_some_and(|value| value == "required");
        assert!(!required, "TAPLO is not set: tests/run installs it and sets it");
        eprintln!("left out, for TAPLO is not set");
        return None;
    };
    Some(Command::new(program).current_dir(ROOT).args(arguments).output().expect("taplo can be run"))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn taplo_takes_our_configurations_with_the_schema() {
    let Some(said) = taplo(&["check"]) else { return };
    assert!(said.status.success(), "{}", told(&said));
    assert!(!told(&said).contains("total=0"), "it has found no files: {}", told(&said));
}

#[test]
fn taplo_would_format_our_configurations_as_they_are() {
    let Some(said) = taplo(&["fmt", "--check", "--diff"]) else { return };
    assert!(said.status.success(), "{}{}", String::from_utf8_lossy(&said.stdout), told(&said));
    assert!(!told(&said).contains("total=0"), "it has found no files: {}", told(&said));
}

#[test]
fn taplo_finds_a_misspelt_key_and_a_wrong_value_by_the_line_that_names_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let good = include_str!("../../routes.toml").replace("./docs/routes.schema.json", &format!("file://{ROOT}/docs/routes.schema.json"));
    let file = folder.path().join("routes.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        taplo(&["check", "--no-auto-config", file.to_str().unwrap()])
    };
    let Some(said) = check(&good) else { return };
    assert!(said.status.success(), "{}", told(&said));
    for (right, wrong, complaint) in
        [("idle_timeout", "idle_timout", "'idle_timout' was unexpected"), ("\"10m\"", "10", "10 is not of type \"string\"")]
    {
        let said = check(&good.replace(right, wrong)).expect("it was there a moment ago");
        assert!(!said.status.success() && told(&said).contains(complaint), "{wrong}: {}", told(&said));
    }
}
