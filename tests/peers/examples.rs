//! nginx takes what stands beside each example.

use std::fs;
use std::process::Command;

use regex::Regex;

use super::is_installed;
use crate::examples::stage::Stage;
use crate::examples::{NAMES, files};

#[test]
fn nginx_accepts_what_stands_beside_each_example() {
    if !is_installed("nginx") {
        return;
    }
    let listen = Regex::new(r"listen (?:[^ ;]*:)?\d+([ ;])").unwrap();
    for name in NAMES {
        let stage = Stage::of(name);
        let text = fs::read_to_string(stage.path("nginx.conf")).unwrap();
        let text = text.replace("include /etc/nginx/modules-enabled/*.conf;", "load_module modules/ngx_stream_module.so;");
        let text = text.replace("unix:/run/nginx/", &format!("unix:{}/", stage.path("").display()));
        // That a port is taken nginx forgives while it only tests, but not that it is not allowed to bind it.
        let mut port = 20_000;
        let text = listen.replace_all(&text, |found: &regex::Captures<'_>| {
            port += 1;
            format!("listen 127.0.0.1:{port}{}", &found[1])
        });
        assert!(port > 20_000, "{name}: it listens");
        fs::write(stage.path("nginx.conf"), &*text).unwrap();

        let pid = format!("pid {};", stage.path("nginx.pid").display());
        let tested = Command::new("nginx").arg("-t").arg("-c").arg(stage.path("nginx.conf")).args(["-e", "stderr", "-g", &pid]).output();
        let tested = tested.unwrap();
        let said = String::from_utf8_lossy(&tested.stderr);
        assert!(tested.status.success() && !said.contains("[warn]"), "{name}: {said}");
    }
}

#[test]
fn every_example_has_its_nginx_beside_it() {
    for name in NAMES {
        assert_eq!(files(&crate::examples::examples().join(name), &["conf"]).iter().filter(|file| file.ends_with("nginx.conf")).count(), 1);
    }
}
