//! The file as a whole, and what concerns the process.

use super::super::lint::LintLevel;
use super::super::process::{LogFormat, LogLevel, Watch};
use super::super::words as kinds;
use super::shape::Shape::{Duration, Either, List, Named, OneOrMany, Size, Switch, Template, Text, Whole, Words};
use super::shape::Without::{Nothing, Required, Value};
use super::shape::{Entry, Shape, Table, key, words};
use super::{listeners, routing, shape, tls, upstreams};

pub(super) const FILE: Table = Table::new(
    &kinds::FILE,
    &[&[
        key(
            "include",
            List(&Either(&[Text, Shape::Table(&INCLUDE)])),
            Nothing,
            "More files of the same form: paths and globs, relative to this file.",
        )
        .such_as(&["[\"routes.d/*.toml\"]", "[{ files = \"teams/pay/*.toml\", hosts = [\"*.pay.example\"] }]"]),
        key(
            "lints",
            Named(&Words(words::<LintLevel>)),
            Nothing,
            "Which warnings are wanted: their names, and \"allow\", \"warn\" or \"deny\".",
        ),
        key("process", Shape::Table(&PROCESS), Nothing, "The process as a whole."),
        key("log", Shape::Table(&LOG), Nothing, "What the gateway says of itself (error_log)."),
        key(
            "access_log",
            Named(&Shape::Table(&ACCESS_LOG)),
            Nothing,
            "One line for each session, in as many logs as you like (access_log).",
        ),
        key(
            "resolver",
            Shape::Table(&RESOLVER),
            Nothing,
            "Who is asked for names; absent is the system's resolv.conf and hosts file (resolver).",
        ),
        key(
            "networks",
            Named(&Either(&[List(&Text), Shape::Table(&NETWORK)])),
            Nothing,
            "Names for address ranges, usable wherever ranges stand: a list, or a file with one range a line.",
        )
        .such_as(&["{ office = [\"10.0.0.0/8\", \"fd00::/8\"] }", "{ blocked = { file = \"lists/blocked.txt\" } }"]),
        key("defaults", Shape::Table(&listeners::DEFAULTS), Nothing, "What listeners, upstreams and TLS profiles start from."),
        key(
            "listener",
            Named(&Shape::Table(&listeners::LISTENER)),
            Nothing,
            "Where connections come in: [listener.NAME] (server, listen).",
        ),
        key("routes", Named(&Shape::Table(&routing::ROUTES)), Nothing, "Maps of host names to targets: [routes.NAME] (map)."),
        key("limit", Named(&Shape::Table(&routing::LIMIT)), Nothing, "How many may come: [limit.NAME] (limit_conn_zone)."),
        key(
            "map",
            Named(&Shape::Table(&routing::MAP)),
            Nothing,
            "Variables of your own: [map.NAME] defines $NAME (map, geo, split_clients).",
        ),
        key("terminate", Named(&Shape::Table(&tls::TERMINATE)), Nothing, "Profiles under which TLS ends here: [terminate.NAME]."),
        key("upstream", Named(&Shape::Table(&upstreams::UPSTREAM)), Nothing, "Groups of servers: [upstream.NAME] (upstream)."),
    ]],
);

const INCLUDE: Table = Table::new(
    &kinds::INCLUDE,
    &[&[
        key(
            "files",
            OneOrMany(&Text),
            Required,
            "Paths and globs, relative to this file. A glob may match nothing, a plain name must exist.",
        ),
        key("hosts", List(&Text), Nothing, "The host names that these files may define, besides upstreams of their own, and nothing else."),
    ]],
);

const PROCESS: Table = Table::new(
    &kinds::PROCESS,
    &[&[
        key("workers", COUNT, Value("\"auto\""), "Threads on the data path; \"auto\" is one per core (worker_processes)."),
        key(
            "max_connections",
            COUNT,
            Value("\"auto\""),
            "Sessions at once, TCP and UDP together; \"auto\" is what the descriptor limit allows (worker_connections).",
        ),
        key("shutdown_timeout", Duration, Value("\"30s\""), "How long open sessions may go on after SIGTERM (worker_shutdown_timeout)."),
        key("watch", Words(words::<Watch>), Value("\"certificates\""), "Which files are read anew by themselves when they change."),
    ]],
);

const COUNT: Shape = Either(&[Whole(1, MOST), Words(|| vec!["auto"])]);

const LOG: Table = Table::new(
    &kinds::LOG,
    &[&[
        key("level", Words(words::<LogLevel>), Value("\"info\""), "The least important thing that is still written."),
        key("format", Words(words::<LogFormat>), Value("\"text\""), "How a line looks: for people or for programs."),
        key("file", Text, Value("\"-\""), "Where it is said: \"-\" is stderr; a path; \"syslog:\" or \"syslog://host:port\".")
            .such_as(&["\"/var/log/vestibule/gateway.log\"", "\"syslog:\""]),
    ]],
);

const ACCESS_LOG: Table = Table::new(
    &kinds::ACCESS_LOG,
    &[&[
        key(
            "file",
            Text,
            Value("\"-\""),
            "Where lines go: \"-\" is stdout; a path, which may hold variables; \"syslog:\" or \"syslog://host:port\".",
        )
        .such_as(&["\"/var/log/vestibule/access.log\"", "\"syslog://10.0.0.9:514\""]),
        key(
            "format",
            Template(&["text", "json"]),
            Value("\"text\""),
            "How a line looks: \"text\", \"json\" with every field, or a template (log_format).",
        )
        .such_as(&["\"json\"", "\"$remote_addr $route $status\""]),
        key("if", Text, Nothing, "A template with a variable: a session has no line where it is empty or \"0\" (if=)."),
        key(
            "buffer",
            Size(1),
            Nothing,
            "Lines are gathered until there are so many bytes; absent writes each at once. At most 64 MiB (buffer=).",
        ),
        key(
            "flush",
            Duration,
            Value("\"1s\""),
            "With buffer or gzip: lines are written so long after the first of them at the latest (flush=).",
        ),
        key(
            "gzip",
            Either(&[Switch, Whole(1, 9)]),
            Value("false"),
            "Lines are compressed: true is level 1; 1 is the fastest, 9 the smallest (gzip=).",
        ),
    ]],
);

pub(super) const RESOLVER: Table = Table::new(&kinds::RESOLVER, &[RESOLVING]);

const RESOLVING: &[Entry] = &[
    key("nameservers", List(&Text), shape::Without::Words("the system's"), "IP addresses, with a port if it is not 53.")
        .such_as(&["[\"127.0.0.1:53\"]"]),
    key("valid", Duration, shape::Without::Words("the records' TTL"), "How long an answer is good, whatever its TTL says (valid=)."),
    key("timeout", Duration, Value("\"5s\""), "For one look-up, whichever name servers it takes (resolver_timeout)."),
    key("ipv6", Switch, Value("true"), "Whether IPv6 addresses are asked for (ipv6=)."),
];

const NETWORK: Table =
    Table::new(&kinds::NETWORK, &[&[key("file", Text, Required, "A file with one range or address a line; # begins a comment.")]]);

/// The most that a count may be.
pub(super) const MOST: i64 = 0xffff_ffff;
