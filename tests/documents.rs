//! Every configuration in the project's own documents is whole, and loads.

use std::fs;
use std::path::Path;

use rcgen::SanType;
use vestibule::config;
use vestibule::snapshot::Snapshot;

use crate::harness::{Authority, compile};

#[test]
fn every_sample_configuration_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples: Vec<_> = ["README.md", "docs/configuration.md"].iter().flat_map(|file| samples(&root.join(file))).collect();
    assert!(samples.len() >= 2, "the documents have samples");
    for sample in &samples {
        let folder = tempfile::tempdir().unwrap();
        make_certificates(sample, folder.path());
        make_lists(sample, folder.path());
        let file = folder.path().join("routes.toml");
        fs::write(&file, sample).unwrap();
        let found = config::load(&file, &[], []).map_or_else(|wrong| wrong, |loaded| Snapshot::check(loaded).diagnostics);
        assert!(found.is_empty(), "{found}\n{sample}");
    }
}

#[test]
fn the_example_at_the_top_loads() {
    compile(include_str!("../routes.toml"));
}

#[test]
fn the_reference_names_every_variable() {
    let reference = include_str!("../docs/configuration.md");
    for name in vestibule::variables::NAMES {
        assert!(reference.contains(&format!("${name}")), "${name} is not in docs/configuration.md");
    }
}

/// Makes what a sample says lies under `certs/`: authorities where it says `ca`, else certificates with their keys, the first for
/// all hosts of the sample, each other for a host of its own.
fn make_certificates(sample: &str, folder: &Path) {
    let authority = Authority::new();
    let hosts = sample.lines().filter_map(|line| line.strip_prefix('"')?.split_once("\" =")).map(|(host, _)| host);
    let hosts: Vec<_> =
        hosts.filter(|host| !host.ends_with(".*")).map(|host| SanType::DnsName(host.trim_start_matches('.').try_into().unwrap())).collect();
    let mut made = 0;
    for line in sample.lines().filter(|line| line.contains("\"certs/")) {
        for file in line.split('"').filter(|text| text.starts_with("certs/") && text.ends_with(".pem")) {
            let file = folder.join(file.replace('*', "first"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            if line.trim_start().starts_with("ca ") {
                fs::copy(authority.file(), file).unwrap();
                continue;
            }
            let first = made == 0;
            let issued = authority.issue_with(&format!("other{made}.example"), |params| {
                if first {
                    params.subject_alt_names.extend(hosts.iter().cloned());
                }
            });
            fs::copy(issued.key, file.with_extension("key")).unwrap();
            fs::copy(issued.chain, file).unwrap();
            made += 1;
        }
    }
}

/// Makes the lists that a sample names, with nothing in them but a comment.
fn make_lists(sample: &str, folder: &Path) {
    for file in sample.split('"').filter(|text| text.ends_with(".map") || text.ends_with(".txt")) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "# nothing yet\n").unwrap();
    }
}

/// The blocks of a document that are TOML.
fn samples(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}
