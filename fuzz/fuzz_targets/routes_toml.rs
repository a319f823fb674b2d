//! Whatever stands in `routes.toml`, nothing panics, neither when it is read nor when it is compiled; what reads without
//! errors prints and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::config::{Config, Loaded, Paint, parse};
use vestibule::snapshot::Snapshot;

fuzz_target!(|text: &str| {
    // What a text includes lies on the machine that happens to run this.
    if text.contains("include") {
        return;
    }
    match parse("routes.toml", text, &[], []) {
        Err(diagnostics) => assert!(diagnostics.has_errors() && !diagnostics.render(Paint::Plain).is_empty()),
        Ok(loaded) => {
            if loaded.diagnostics.is_empty() {
                assert_eq!(read(&print(&loaded.config)), loaded.config);
            }
            compile(loaded);
        }
    }
});

/// Either something can run or something is said to be wrong, in both colours.
fn compile(loaded: Loaded) {
    let compiled = Snapshot::check(loaded);
    assert_ne!(compiled.snapshot.is_some(), compiled.diagnostics.has_errors());
    assert_eq!(compiled.diagnostics.is_empty(), compiled.diagnostics.render(Paint::Colours).is_empty());
}

fn print(config: &Config) -> String {
    toml::to_string(config).expect("a configuration has only what TOML can say")
}

fn read(text: &str) -> Config {
    let loaded = parse("printed.toml", text, &[], []).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    loaded.config
}
