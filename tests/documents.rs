//! Every configuration in the project's own documents is whole, and loads.

use std::fs;
use std::path::Path;

use crate::harness::compile;

#[test]
fn every_sample_configuration_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples: Vec<_> = ["README.md", "docs/configuration.md"].iter().flat_map(|file| samples(&root.join(file))).collect();
    assert!(samples.len() >= 2, "the documents have samples");
    for sample in &samples {
        compile(sample);
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

/// The blocks of a document that are TOML.
fn samples(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}
