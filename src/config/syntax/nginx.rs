//! Lines of nginx's configuration in a file that is TOML otherwise, as they are written here.

use super::super::habits;
use super::Slip;
use super::line::Line;
use super::slips::is_bare;

/// Whether a line begins a block, as nginx has them.
pub(super) fn is_block(line: &Line<'_>) -> bool {
    let (_, statement) = line.statement();
    statement.strip_suffix('{').is_some_and(|words| block(words).is_some())
}

/// Whether a line is nothing but the end of a block.
pub(super) fn is_end_of_block(line: &Line<'_>) -> bool {
    matches!(line.statement().1, "}" | "};")
}

/// What a line of nginx's is here.
pub(super) fn slip(line: &Line<'_>) -> Option<Slip> {
    let (start, statement) = line.statement();
    let span = start..start + statement.len();
    if is_end_of_block(line) {
        return Some(Slip::new(span, "nothing is open that this could close", "leave it out: a table ends where the next [header] stands"));
    }
    let ours = match (statement.strip_suffix('{'), statement.strip_suffix(';')) {
        (Some(words), _) => block(words)?,
        (_, Some(words)) => directive(words.trim_end())?,
        _ => return None,
    };
    Some(Slip::new(span, "this is a line of nginx's configuration", ours))
}

/// The header that the beginning of a block is here.
fn block(words: &str) -> Option<String> {
    let words: Vec<_> = words.split_whitespace().collect();
    Some(match words[..] {
        ["stream" | "http" | "events"] => "leave it out, and the `}` of its end".into(),
        ["upstream", name] if is_bare(name) => format!("[upstream.{name}]"),
        ["server"] => "[listener.NAME]".into(),
        ["map", of, variable] if of.starts_with('$') => {
            let name = variable.strip_prefix('$').filter(|name| is_bare(name))?;
            if NAMES.contains(&of) { format!("[routes.{name}.hosts]") } else { format!("[map.{name}], with of = {of:?}") }
        }
        _ => return None,
    })
}

/// The key that a directive is here.
fn directive(written: &str) -> Option<String> {
    // What has quotes or brackets is read as the value that it may be.
    if written.contains(['"', '\'', '{', '[', ';', '#']) {
        return None;
    }
    let words: Vec<_> = written.split_whitespace().collect();
    Some(match words[..] {
        ["server", address, ..] => {
            let parameters = written.trim_start_matches("server").trim_start();
            format!("servers = [{}]", habits::server(parameters).unwrap_or_else(|| format!("{address:?}")))
        }
        ["listen", address, ..] => habits::listen(written.trim_start_matches("listen").trim_start()).unwrap_or_else(|| {
            let address = address.parse::<u16>().map_or_else(|_| address.to_owned(), |port| format!(":{port}"));
            format!("listen = {address:?}")
        }),
        ["least_conn"] => "balance = \"least_conn\"".into(),
        ["random"] => "balance = \"random\"".into(),
        ["random", "two", ..] => "balance = \"random_two\"".into(),
        ["ip_hash"] => "balance = \"hash\", hash_key = \"$remote_addr\"".into(),
        ["hash", key, "consistent"] => format!("balance = \"consistent_hash\", hash_key = {key:?}"),
        ["hash", key] => format!("balance = \"hash\", hash_key = {key:?}"),
        ["include", path] => format!("include = [{path:?}]"),
        ["proxy_pass", variable] if variable.starts_with('$') => format!("routes = {:?}", &variable[1..]),
        ["proxy_pass", upstream] => format!("upstream = {upstream:?}"),
        _ => return None,
    })
}

/// The variables of nginx that hold the name a client asks for.
const NAMES: [&str; 2] = ["$ssl_preread_server_name", "$ssl_server_name"];
