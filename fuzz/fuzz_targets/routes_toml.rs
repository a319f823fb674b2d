//! Whatever stands in `routes.toml`, nothing panics; what reads without errors prints and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::config::{Config, Paint, parse};

fuzz_target!(|text: &str| {
    match parse("routes.toml", text, &[], []) {
        Err(diagnostics) => assert!(diagnostics.has_errors() && !diagnostics.render(Paint::Plain).is_empty()),
        Ok(loaded) if loaded.diagnostics.is_empty() => assert_eq!(read(&print(&loaded.config)), loaded.config),
        Ok(loaded) => assert!(!loaded.diagnostics.render(Paint::Colours).is_empty()),
    }
});

fn print(config: &Config) -> String {
    toml::to_string(config).expect("a configuration has only what TOML can say")
}

fn read(text: &str) -> Config {
    let loaded = parse("printed.toml", text, &[], []).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    loaded.config
}
