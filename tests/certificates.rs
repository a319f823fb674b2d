//! What the log says of certificates at the start.

use crate::harness::Process;

const GATE: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"\"\n[terminate.public]\ncertificates = ";

fn gate(files: &[&str]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");
    format!("{GATE}{:?}\n", files.iter().map(|file| format!("{folder}/{file}")).collect::<Vec<_>>())
}

/// The line that says this.
fn line(log: &str, words: &str) -> String {
    log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}")).to_owned()
}

#[tokio::test]
async fn the_log_says_of_each_certificate_for_how_many_days_it_is_good() {
    let process = Process::start(&gate(&["good.pem", "v1.pem"])).await;
    process.says("v1.test is good for").await;
    let log = process.log();
    let good = line(&log, "good.pem for good.test, *.good.test is good for ");
    assert!(good.contains("the ECDSA certificate") && good.ends_with(" days profile=\"public\"") && good.contains("INFO"), "{good}");
    let days: u64 = good.split("is good for ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(days > 10_000, "up to the end of 2099: {good}");
    let old = line(&log, "v1.pem for v1.test is good for ");
    assert!(old.contains("the RSA certificate"), "{old}");
}

#[tokio::test]
async fn the_log_warns_of_a_certificate_that_has_ended_or_not_begun() {
    let process = Process::start(&gate(&["expired.pem", "early.pem"])).await;
    process.says("early.test is not good before 2098-01-01 00:00 UTC").await;
    let expired = line(&process.log(), "expired.test has expired on 2021-01-01 00:00 UTC");
    assert!(expired.contains("WARN"), "{expired}");
}
