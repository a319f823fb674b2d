//! What time alone changes of a profile at work.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::load;
use super::site::Site;
use crate::tls::settings::{CertificateFiles, ServerSettings};
use crate::tls::{Files, Reread, Seen, Tls};

#[test]
fn an_ocsp_answer_that_ends_under_a_running_gateway_is_not_sent_any_more() {
    let data = |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(file);
    let stapled = CertificateFiles { chain: data("stapled.pem"), key: None, password_file: None, ocsp: Some(data("stapled.ocsp")) };
    let profile = ServerSettings { certificates: vec![stapled], ..Site::new().profile("public") };
    let files = Files::of_server(&profile);
    let seen = Seen::of(&files);
    let terminator = Arc::new(load(profile));
    let reread = Reread::new("[terminate.public]", Tls::Server(terminator.clone()), files, seen);
    let (now, then) = (SystemTime::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(200 * 365 * 86_400));
    let is_sent = || terminator.certificates().without_ended_staples(then).is_some();
    reread.remind(now);
    assert!(is_sent());
    reread.remind(then);
    assert!(!is_sent());
}
