//! Files with many thousands of slips are refused in the time of those with one: the harness would give up on anything else.

use crate::harness::program::{Folder, Said};

const FRAME: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n";
const MANY: usize = 20_000;
/// Of those that are compared with as many names.
const FEWER: usize = 4000;

/// One line for each number.
fn lines(line: impl Fn(usize) -> String) -> String {
    (0..MANY).map(line).collect()
}

/// The same, not so many.
fn fewer(line: impl Fn(usize) -> String) -> String {
    (0..FEWER).map(line).collect()
}

fn check(more: &str) -> Said {
    let said = Folder::with(&format!("{FRAME}{more}")).run(&["check"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{}", said.err);
    said
}

/// Checks that so many errors are counted and the first few hundred shown, one with these words.
fn all_are_counted(more: &str, words: &str) {
    so_many_are_counted(MANY, more, words);
}

fn so_many_are_counted(many: usize, more: &str, words: &str) {
    let said = check(more);
    let end = format!("... and {} more\nroutes.toml: {many} errors: not usable\n", many - 200);
    assert!(said.err.ends_with(&end) && said.err.contains(words), "{}", said.err);
}

#[test]
fn hosts_that_are_all_written_twice_are_counted() {
    let hosts = lines(|number| format!("\"t{number}.example\" = \"web\"\n"));
    all_are_counted(&format!("[routes.dmz.hosts]\n{hosts}{hosts}"), "`\"t1.example\"` is written twice");
}

#[test]
fn values_that_all_lack_quotes_are_counted() {
    let hosts = lines(|number| format!("\"t{number}.example\" = web\n"));
    all_are_counted(&format!("[routes.dmz.hosts]\n{hosts}"), "put quotes around it: \"web\"");
}

#[test]
fn hosts_that_all_lack_quotes_are_counted() {
    let hosts = lines(|number| format!("*.t{number}.example = \"web\"\n"));
    all_are_counted(&format!("[routes.dmz.hosts]\n{hosts}"), "a host name stands in quotes");
}

#[test]
fn headers_that_are_all_written_twice_are_counted() {
    let upstreams = lines(|number| format!("[upstream.u{number}]\nservers = [\"10.0.0.1:443\"]\n"));
    all_are_counted(&format!("[routes.dmz]\ndefault = \"web\"\n{upstreams}{upstreams}"), "[upstream.u1] is written twice");
}

#[test]
fn hosts_that_all_name_unknown_upstreams_are_counted() {
    let upstreams = fewer(|number| format!("[upstream.u{number}]\nservers = [\"10.0.0.1:443\"]\n"));
    let hosts = fewer(|number| format!("\"t{number}.example\" = \"w{number}\"\n"));
    so_many_are_counted(FEWER, &format!("{upstreams}[routes.dmz.hosts]\n{hosts}"), "no upstream is named \"w1\"");
}

#[test]
fn tests_that_all_expect_what_is_unknown_are_counted() {
    let tests = fewer(|number| format!("{{ sni = \"t{number}.example\", expect = \"nothing{number}\" }},\n"));
    let hosts = fewer(|number| format!("\"t{number}.example\" = \"web\"\n"));
    let map = format!("[routes.dmz]\ntests = [\n{tests}]\n[routes.dmz.hosts]\n{hosts}");
    so_many_are_counted(FEWER, &map, "\"nothing1\" is no upstream, no address and no entry of [routes.dmz]");
}

#[test]
fn a_line_of_nothing_but_slips_is_told_of_in_its_beginning() {
    let list: String = (0..MANY).map(|number| format!("\"a{number}\" \"b\" ")).collect();
    let said = check(&format!("[routes.dmz]\nhosts_files = [{list}]\n"));
    assert!(said.err.ends_with("routes.toml: 20 errors: not usable\n") && said.err.contains("a comma is missing"), "{}", said.err);
}
