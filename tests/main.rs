//! What a user could notice, one module per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test that panics has failed, as it should")]

mod harness;

mod admission; // who is let in, by rules and limits
mod against; // what a change of the configuration does to names
mod agreement; // what is told of a client is what becomes of it
mod announced; // whom a connection is from, as servers hear it
mod backpressure; // who does not read costs nothing and loses nothing
mod balancing; // which server, and how often
mod broken_config; // everything that is wrong, at once, with its place
mod carried_over; // from one gateway to the next
mod certificates; // which of them, and what is said of them
mod certificates_change; // under a running gateway, for good or for bad
mod certs; // certificates for development
mod check; // the command line: what is typed, what is seen, which status
mod client_auth; // clients that show a certificate
mod demo; // the example, as a new user meets it
mod dmz; // a configuration that people run today
mod documents; // what the documents show works
mod endings; // a FIN stays a FIN, a reset a reset, and a death is noticed
mod examples; // files to begin with, whole, beside the same in nginx
mod explain; // all that there is to say of where a connection goes
mod failover; // a server that is gone is not noticed
mod fallback; // who stands in when no server of an upstream is left
mod forward; // where a client's name may lead
mod forward_names; // and what DNS says of it
mod idle_memory; // a silent session costs next to nothing
mod inheritance; // what is written once holds for all
mod layering; // the modules of the library use lower ones only
mod limits; // at a limit the next client waits, and is served at once
mod lints; // what may be meant and mostly is not
mod lints_of_lists; // the same of hosts that stand in lists
mod listeners; // how and where it listens
mod lists; // lists that programs write: hosts, and ranges of addresses
mod loads; // which server, by what each has to do
mod log; // one line for each session, which nobody can forge
mod log_files; // and where it goes
mod maintenance; // elsewhere for the time being
mod many_slips; // thousands of them are told like a few
mod map_tests; // what a map must do, asked wherever it is read
mod maps; // variables of the user's own, and what they decide
mod moved_over; // another one, where TLS ends
mod mutations; // a slip is told, or seen by a lint or a test
mod names; // servers that DNS finds
mod passthrough; // what is forwarded is what came
mod peers; // real clients, real servers
mod plain_tcp; // nothing is looked at, and nobody is waited for
mod proxied; // whom a connection is from, as a header says
mod rates; // so many bytes a second
mod reencrypt; // TLS towards servers
mod refusals; // what a refused client hears
mod resumption; // a client's TLS goes on within its profile and name, and nowhere else
mod route; // the explanation, and that traffic goes the same way
mod routing; // which entry wins
mod schema; // what editors are told is what is read
mod services; // servers that SRV records find
mod services_behind; // databases, SSH and plain ports, as people run them today
mod several_files; // one configuration, whoever wrote its parts
mod show; // the upstreams on a port of their own
mod silence; // what is done about a server that falls silent
mod slips; // what is written and has no effect, or one that nobody wants
mod slow_client; // one deadline and one cap for the hello
mod source; // the address that servers see
mod statuses; // nginx's number for each end
mod stopping; // how the gateway ends, and how it says that it cannot begin
mod storm; // a minute with servers that refuse, hang and fall
mod syslog; // or to whom
mod terminate; // TLS ends here, and plaintext goes on
mod tls_bulk; // much, slow and silent, where TLS ends in between
mod tls_endings; // the same where TLS ends in between
mod tls_handshake; // with whom TLS begins, and what the others hear
mod told; // each change once in the gateway's own log
mod udp; // datagrams go both ways as they were sent, each client's by themselves
mod udp_pace; // how fast they go, and whom they are from
mod udp_rooms; // how many sessions there may be, and what is left when they are gone
mod udp_sessions; // when they begin and end, and what they say of their server
