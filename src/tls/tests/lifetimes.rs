//! How long and in which ways a session may be resumed.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::time::Duration;

use super::peer::{Outcome, Peer};
use super::site::{Person, Site};
use super::{load, loaded};
use crate::tls::clock::Moment;
use crate::tls::clock::test::pass;
use crate::tls::settings::{Finding, Part, ServerSettings, Tickets};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const TIMEOUT: Duration = Duration::from_secs(300);
const HALF: Duration = Duration::from_secs(149);

/// Profiles that keep sessions in one way alone.
fn ways(site: &Site) -> Vec<ServerSettings> {
    let by_id = site.profile("public");
    let own_keys = ServerSettings { session_cache: 0, tickets: Tickets::OwnKeys, ..by_id.clone() };
    let key_file = ServerSettings { tickets: Tickets::KeyFiles(vec![site.key_file("ticket.key", 1)]), ..own_keys.clone() };
    vec![by_id, own_keys, key_file]
}

fn in_each_way(test: impl Fn(&Site, ServerSettings, &'static SupportedProtocolVersion)) {
    let site = Site::new();
    for version in VERSIONS {
        ways(&site).into_iter().for_each(|profile| test(&site, profile, version));
    }
}

#[test]
fn a_session_is_not_resumed_once_its_time_has_passed() {
    in_each_way(|site, profile, version| {
        let terminator = load(profile);
        let client = Peer::new(site, version, None);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        pass(TIMEOUT);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    });
}

#[test]
fn resuming_again_and_again_does_not_make_a_session_live_longer() {
    in_each_way(|site, profile, version| {
        let terminator = load(profile);
        let client = Peer::new(site, version, None);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        for _ in 0..2 {
            pass(HALF);
            assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
        }
        pass(Duration::from_secs(3));
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        // And that one has a whole life before it.
        pass(HALF);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
    });
}

#[test]
fn a_session_ends_with_the_certificate_that_the_client_showed() {
    in_each_way(|site, mut profile, version| {
        profile.client_auth = Some(site.asking(true));
        let terminator = load(profile);
        let client = Peer::new(site, version, Some(site.sign(&Person::new("a client").for_another(HALF))));
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
        pass(HALF + Duration::from_secs(2));
        let Outcome::Refused(why) = client.meet(&terminator, Some("a.test")) else { panic!("{version:?}: it got in") };
        assert!(why.contains(" has expired on "), "{why}");
    });
}

#[test]
fn a_session_ends_with_the_list_that_did_not_speak_against_it() {
    in_each_way(|site, mut profile, version| {
        // Of these, one ends before the session would.
        let lists = [site.revoke(&[], 2100), site.revoke_nobody_for("short.pem", HALF)];
        profile.client_auth = Some(crate::tls::ClientAuthSettings { crls: lists.into(), ..site.asking(true) });
        let terminator = load(profile);
        let client = Peer::new(site, version, Some(site.sign(&Person::new("a client"))));
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
        pass(HALF + Duration::from_secs(2));
        assert_ne!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
    });
}

#[test]
fn without_cache_and_tickets_nothing_is_resumed() {
    let site = Site::new();
    for version in VERSIONS {
        let terminator = load(ServerSettings { session_cache: 0, ..site.profile("public") });
        let client = Peer::new(&site, version, None);
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
        assert!(client.memory.is_empty(), "{version:?}: it was promised something");
        assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    }
}

#[test]
fn with_both_a_client_without_tickets_resumes_by_its_id() {
    let site = Site::new();
    let terminator = load(ServerSettings { tickets: Tickets::OwnKeys, ..site.profile("public") });
    let client = Peer::new(&site, &TLS12, None).by_id();
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
}

#[test]
fn what_clients_are_remembered_by_goes_on_in_the_next_snapshot() {
    let site = Site::new();
    for version in VERSIONS {
        for profile in ways(&site) {
            let first = load(profile.clone());
            let client = Peer::new(&site, version, None);
            assert_eq!(client.meet(&first, Some("a.test")), Outcome::Full);
            let second = loaded(profile, Some(&first), &[]);
            assert_eq!(client.meet(&second, Some("a.test")), Outcome::Resumed);
        }
    }
}

#[test]
fn a_cache_of_another_size_or_time_begins_anew() {
    let site = Site::new();
    let changes: [fn(&mut ServerSettings); 2] = [|profile| profile.session_cache *= 2, |profile| profile.session_timeout /= 2];
    for change in changes {
        let first = load(site.profile("public"));
        let client = Peer::new(&site, &TLS13, None);
        assert_eq!(client.meet(&first, Some("a.test")), Outcome::Full);
        let mut profile = site.profile("public");
        change(&mut profile);
        assert_eq!(client.meet(&loaded(profile, Some(&first), &[]), Some("a.test")), Outcome::Full);
    }
}

#[test]
fn own_keys_change_by_themselves_and_open_what_is_still_good() {
    let site = Site::new();
    let day = Duration::from_secs(24 * 60 * 60);
    let profile = ServerSettings { session_timeout: 2 * day, session_cache: 0, tickets: Tickets::OwnKeys, ..site.profile("public") };
    let terminator = load(profile);
    // A client before the change, and one behind it.
    let clients = [Peer::new(&site, &TLS13, None), Peer::new(&site, &TLS13, None)];
    assert_eq!(clients[0].meet(&terminator, Some("a.test")), Outcome::Full);
    let keys = || terminator.resumption.own_keys().at(Moment::now());
    let before = keys();
    pass(day);
    assert_eq!(clients[1].meet(&terminator, Some("a.test")), Outcome::Full);
    let after = keys();
    assert_eq!((before.len(), after.len()), (1, 2));
    assert!(after[1].secret().is_same(before[0].secret()) && !after[0].secret().is_same(before[0].secret()));
    assert_eq!(clients[0].meet(&terminator, Some("a.test")), Outcome::Resumed);
    // What nobody needs any more is forgotten.
    pass(3 * day);
    assert_eq!(clients[1].meet(&terminator, Some("a.test")), Outcome::Full);
    assert!(keys().iter().all(|key| !after.iter().any(|gone| gone.secret().is_same(key.secret()))));
}

#[test]
fn two_gateways_with_the_same_files_resume_each_others_sessions() {
    let site = Site::new();
    let (old, new) = (site.key_file("old.key", 1), site.key_file("new.key", 2));
    let fleet = |keys: &[&std::path::PathBuf]| {
        let tickets = Tickets::KeyFiles(keys.iter().map(|key| key.to_path_buf()).collect());
        load(ServerSettings { session_cache: 0, tickets, ..site.profile("public") })
    };
    for version in VERSIONS {
        // The files of one are already changed round, those of the other are not.
        let (one, other, stranger) = (fleet(&[&old, &new]), fleet(&[&new, &old]), fleet(&[&site.key_file("third.key", 3)]));
        let client = Peer::new(&site, version, None);
        assert_eq!(client.meet(&one, Some("a.test")), Outcome::Full);
        assert_eq!(client.meet(&other, Some("a.test")), Outcome::Resumed);
        assert_eq!(client.meet(&one, Some("a.test")), Outcome::Resumed);
        assert_eq!(client.meet(&stranger, Some("a.test")), Outcome::Full);
    }
}

#[test]
fn a_new_key_file_is_taken_up_when_the_files_are_read_anew() {
    let site = Site::new();
    let file = site.key_file("ticket.key", 1);
    let terminator = load(ServerSettings { session_cache: 0, tickets: Tickets::KeyFiles(vec![file]), ..site.profile("public") });
    let client = Peer::new(&site, &TLS13, None);
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    site.key_file("ticket.key", 2);
    assert_eq!(terminator.reload(), []);
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
}

#[test]
fn a_broken_key_file_keeps_the_keys_that_there_were() {
    let site = Site::new();
    let file = site.key_file("ticket.key", 1);
    let terminator = load(ServerSettings { session_cache: 0, tickets: Tickets::KeyFiles(vec![file]), ..site.profile("public") });
    let client = Peer::new(&site, &TLS13, None);
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
    site.write("ticket.key", b"short");
    assert!(terminator.reload().iter().any(Finding::is_error));
    assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Resumed);
}

#[test]
fn key_files_that_are_none_are_told_of_with_their_number() {
    let site = Site::new();
    let (good, open) = (site.key_file("good.key", 1), site.write("open.key", &(0..48).collect::<Vec<_>>()));
    let short = site.write("short.key", b"short");
    let long = site.write("long.key", &[1; 200]);
    let constant = site.write("constant.key", &[0; 48]);
    let absent = site.write("x", b"").with_file_name("absent.key");
    let files = vec![good.clone(), short, open, long, good, constant, absent];
    let mut findings = Vec::new();
    let profile = ServerSettings { tickets: Tickets::KeyFiles(files), ..site.profile("public") };
    assert!(crate::tls::Terminator::load(profile, None, &mut findings).is_none());
    let told: Vec<_> = findings.iter().map(|finding| (finding.part, finding.lint)).collect();
    let expected = [
        (Part::TicketKey(1), None),
        (Part::TicketKey(2), Some("open-ticket-key")),
        (Part::TicketKey(3), None),
        (Part::TicketKey(4), Some("ticket-key-twice")),
        (Part::TicketKey(5), None),
        (Part::TicketKey(6), None),
    ];
    assert_eq!(told, expected, "{findings:#?}");
}

#[test]
fn the_cache_stays_within_its_bytes() {
    let site = Site::new();
    let terminator = load(ServerSettings { session_cache: 100_000, ..site.profile("public") });
    for _ in 0..300 {
        assert_eq!(Peer::new(&site, &TLS12, None).meet(&terminator, Some("a.test")), Outcome::Full);
    }
    let kept = terminator.resumption.weight();
    assert!((50_000..=100_000).contains(&kept), "{kept}");
}

#[test]
fn no_text_tells_what_is_remembered() {
    let site = Site::new();
    let terminator = load(site.profile("public"));
    let before = format!("{terminator:?}");
    assert_eq!(Peer::new(&site, &TLS12, None).meet(&terminator, Some("a.test")), Outcome::Full);
    assert!(terminator.resumption.weight() > 0);
    assert_eq!(format!("{terminator:?}"), before);
}

#[test]
fn a_full_cache_forgets_those_who_have_not_come_for_longest() {
    let site = Site::new();
    for version in VERSIONS {
        let terminator = load(ServerSettings { session_cache: 50_000, ..site.profile("public") });
        let regular = Peer::new(&site, version, None);
        assert_eq!(regular.meet(&terminator, Some("a.test")), Outcome::Full);
        let come = |_| {
            let client = Peer::new(&site, version, None);
            assert_eq!(client.meet(&terminator, Some("a.test")), Outcome::Full);
            assert_eq!(regular.meet(&terminator, Some("a.test")), Outcome::Resumed, "{version:?}");
            // What is too much is dropped by then, and not some time.
            terminator.resumption.weight();
            client
        };
        let clients: Vec<_> = (0..150).map(come).collect();
        for (those, outcome) in [(&clients[140..], Outcome::Resumed), (&clients[..10], Outcome::Full)] {
            assert!(those.iter().all(|client| client.meet(&terminator, Some("a.test")) == outcome), "{version:?}: {outcome:?}");
        }
    }
}
