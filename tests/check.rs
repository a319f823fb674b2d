//! What is typed, what is seen, and the exit status: 0, 1 if the run failed, 2 if the command line or the configuration is wrong.

use std::net::TcpListener;

use crate::harness::program::{Folder, Said, said};

const GOOD: &str = r#"
[listener.https]
listen = "127.0.0.1:0"
routes = "dmz"
[routes.dmz]
default = "web"
[routes.dmz.hosts]
"a.example" = "web"
"*.b.example" = "10.0.0.9:443"
[[routes.dmz.patterns]]
host = '[a-z]+\.c\.example'
upstream = "web"
[upstream.web]
servers = ["10.0.0.1:443"]
"#;

const BROKEN: &str = "[listener.https]\nlisten = \":443\"\nupstream = \"wbe\"\n\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n";

const REPORT: &str = r#"error: no upstream is named "wbe"
 --> routes.toml:3:12
  |
3 | upstream = "wbe"
  |            ^^^^^ did you mean "web" (routes.toml:5)?
routes.toml: 1 error: not usable
"#;

fn refused(err: &str) -> Said {
    Said { status: Some(2), out: String::new(), err: err.into() }
}

fn answered(out: &str) -> Said {
    Said { status: Some(0), out: out.into(), err: String::new() }
}

#[test]
fn a_usable_file_is_told_in_one_line() {
    let folder = Folder::with(GOOD);
    assert_eq!(folder.run(&["check"]), answered("routes.toml: 1 listener, 2 hosts, 1 pattern, 2 upstreams: usable\n"));
}

#[test]
fn a_broken_file_is_told_with_its_place_and_status_2() {
    let folder = Folder::with(BROKEN);
    assert_eq!(folder.run(&["check"]), refused(REPORT));
}

#[test]
fn a_forward_to_where_the_client_says_is_named_once_and_usable() {
    let maps = "[listener.more]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[[routes.dmz.patterns]]\nhost = '(?<to>.+)\\.to'\nupstream = \"${to}:443\"\n";
    let folder = Folder::with(&format!("{GOOD}{maps}"));
    let found = folder.run(&["check"]);
    let expected = "warning[client-forward]: this leads where the client says: \"${to}:443\"\n  --> routes.toml:20:12\n   \
                    = help: loopback, link-local and the gateway's own addresses are refused\nroutes.toml: 1 warning\n\
                    `vestibule check --explain NAME` says more of a warning, and how to allow it\n";
    let usable = "routes.toml: 2 listeners, 2 hosts, 2 patterns, 2 upstreams: usable\n";
    assert_eq!(found, Said { status: Some(0), out: usable.into(), err: expected.into() });
}

#[test]
fn another_file_is_named_with_c() {
    let folder = Folder::with(GOOD);
    folder.write("other.toml", BROKEN);
    assert_eq!(folder.run(&["check", "-c", "other.toml"]), refused(&REPORT.replace("routes.toml", "other.toml")));
    assert_eq!(folder.run(&["check", "--config", "routes.toml"]).status, Some(0));
}

#[test]
fn run_and_route_say_the_same_of_a_broken_file() {
    let folder = Folder::with(BROKEN);
    for command in ["run", "route"] {
        assert_eq!(folder.run(&[command]), refused(REPORT), "{command}");
    }
}

#[test]
fn without_a_file_anywhere_one_sentence_says_what_to_do() {
    assert!(!std::path::Path::new("/etc/vestibule/routes.toml").exists(), "this machine has a configuration of its own");
    let expected = refused(
        "vestibule: there is no configuration: neither routes.toml nor /etc/vestibule/routes.toml exists. \
         Name one with -c FILE, or try `vestibule demo`, which needs none.\n",
    );
    for command in ["check", "run", "route"] {
        assert_eq!(Folder::empty().run(&[command]), expected, "{command}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let found = Folder::empty().run(&["check", "-c", "nothing.toml"]);
    let expected = "error: nothing.toml can't be read: No such file or directory (os error 2)\nnothing.toml: 1 error: not usable\n";
    assert_eq!(found, refused(expected));
}

#[test]
fn set_stands_over_the_environment_over_the_file() {
    let folder = Folder::with(&format!("{GOOD}[defaults]\nidle_timeout = \"1m\"\n"));
    let idle = |arguments: &[&str], variable: Option<&str>| {
        let mut command = folder.vestibule(&[&["route", "--sni", "a.example"], arguments].concat());
        command.envs(variable.map(|value| ("VESTIBULE_DEFAULTS__IDLE_TIMEOUT", value)));
        let out = said(command).out;
        let told = out.split("passed through; ").nth(1).and_then(|rest| rest.split(", connect").next());
        told.unwrap_or_else(|| panic!("{out}")).to_owned()
    };
    assert_eq!(idle(&[], None), "idle 60s ([defaults], line 16)");
    assert_eq!(idle(&[], Some("2m")), "idle 2m (the environment: VESTIBULE_DEFAULTS__IDLE_TIMEOUT=2m)");
    assert_eq!(idle(&["--set", "defaults.idle_timeout=3m"], Some("2m")), "idle 3m (--set defaults.idle_timeout=3m)");
}

#[test]
fn what_set_and_the_environment_break_names_them() {
    let folder = Folder::with(GOOD);
    let expected = "error: \"loud\" is not a log level (from the command line: --set log.level=loud)\n  \
                    = help: one of \"error\", \"warn\", \"info\", \"debug\"\nroutes.toml: 1 error: not usable\n";
    assert_eq!(folder.run(&["check", "--set", "log.level=loud"]), refused(expected));
    let mut command = folder.vestibule(&["check"]);
    command.env("VESTIBULE_LOG__LEVEL", "loud");
    let expected = expected.replace("the command line: --set log.level=loud", "the environment: VESTIBULE_LOG__LEVEL=loud");
    assert_eq!(said(command), refused(&expected));
}

#[test]
fn an_answer_that_cannot_be_written_says_so() {
    let folder = Folder::with(GOOD);
    let mut command = folder.vestibule(&["check"]);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let sentence = "vestibule: standard output cannot be written: No space left on device (os error 28)\n";
    assert_eq!((output.status.code(), &*err), (Some(1), sentence));
}

#[test]
fn a_file_is_relative_to_the_file_that_names_it_and_to_the_working_folder_where_none_does() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::empty();
    std::fs::create_dir(folder.path("etc")).unwrap();
    let logs = "[log]\nfile = \"own.log\"\n[access_log.main]\nfile = \"sessions.log\"\n";
    folder.write("etc/routes.toml", &format!("{logs}{}", GOOD.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string())));
    let exist = |names: [&str; 4]| names.map(|name| folder.path(name).exists());
    let names = ["etc/own.log", "etc/sessions.log", "own.log", "sessions.log"];
    // The logs are open when the port turns out to be taken.
    let from_the_file = folder.run(&["run", "-c", "etc/routes.toml"]);
    assert_eq!((from_the_file.status, exist(names)), (Some(1), [true, true, false, false]));
    let given = folder.run(&["run", "-c", "etc/routes.toml", "--set", "log.file=own.log", "--set", "access_log.main.file=sessions.log"]);
    assert_eq!((given.status, exist(names)), (Some(1), [true; 4]));
}

#[test]
fn help_mentions_every_command() {
    let help = Folder::empty().run(&["--help"]);
    assert_eq!(help.status, Some(0));
    for command in ["run", "demo", "check", "route", "certs"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} is missing:\n{}", help.out);
        let own = Folder::empty().run(&[command, "--help"]);
        assert!(own.out.contains(&format!("Usage: vestibule {command}")), "{}", own.out);
    }
}

#[test]
fn a_command_that_does_not_exist_has_status_2() {
    let found = Folder::empty().run(&["chekc"]);
    assert_eq!((found.status, found.out.as_str()), (Some(2), ""));
    assert!(found.err.contains("'check'"), "it says what was meant: {}", found.err);
}

#[test]
fn run_on_a_taken_port_says_which_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::with(&GOOD.replace("127.0.0.1:0", &address.to_string()));
    let found = folder.run(&["run"]);
    assert_eq!((found.status, found.out.as_str()), (Some(1), ""));
    let sentence = format!("vestibule: [listener.https]: cannot listen on {address}: another process listens there");
    assert!(found.err.starts_with(&sentence) && found.err.lines().count() == 1, "{}", found.err);
}
