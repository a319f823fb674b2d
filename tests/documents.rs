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
        for Sample { file, text } in sample {
            make_certificates(text, folder.path());
            make_lists(text, folder.path());
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let sets = ["lints.missing-log-folder=allow".to_owned()];
        let loaded = config::load(&folder.path().join("routes.toml"), &sets, ENVIRONMENT.map(|(name, value)| (name.into(), value.into())));
        let is_read = |loaded: &config::Loaded| assert!(loaded.files.files.len() >= sample.len(), "{sample:?}: each file is included");
        let found = loaded.inspect(is_read).map_or_else(|wrong| wrong, |loaded| Snapshot::check(loaded).diagnostics);
        assert!(found.is_empty(), "{found}\n{sample:?}");
    }
}

#[test]
fn a_sample_has_several_files() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    assert!(samples(&document).iter().any(|sample| sample.len() > 2));
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

/// Makes the lists that a sample names, each with one line.
fn make_lists(sample: &str, folder: &Path) {
    for file in sample.split('"').filter(|text| text.ends_with(".map") || text.ends_with(".txt")) {
        let line = if file.ends_with(".map") { "listed.example 192.0.2.1:443\n" } else { "192.0.2.0/24\n" };
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, line).unwrap();
    }
}

/// One file of a sample.
#[derive(Debug)]
struct Sample {
    file: String,
    text: String,
}

/// The blocks of a document that are TOML; one that begins with `# NAME.toml` is a file of that name beside the block before.
fn samples(document: &Path) -> Vec<Vec<Sample>> {
    let text = fs::read_to_string(document).unwrap();
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    for block in text.split("```toml\n").skip(1) {
        let text = block.split("\n```").next().unwrap().to_owned();
        let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).filter(|name| name.ends_with(".toml"));
        let file = name.unwrap_or("routes.toml").to_owned();
        match samples.last_mut() {
            Some(sample) if file != "routes.toml" => sample.push(Sample { file, text }),
            _ => samples.push(vec![Sample { file, text }]),
        }
    }
    samples
}

/// What the samples take from the environment.
const ENVIRONMENT: [(&str, &str); 1] = [("VIP", "127.0.0.1")];
