//! Why an address cannot be listened on: one sentence with the way out, for the mistakes that are made at a first start.

use std::io;
use std::os::unix::fs::FileTypeExt;

use crate::address::ListenAddress;

pub(super) fn explain(error: &io::Error, address: &ListenAddress, interface: Option<&str>) -> String {
    match (error.raw_os_error(), interface) {
        (Some(libc::ENODEV), Some(interface)) => {
            format!("this machine has no network interface {interface:?} (`ip link` lists those it has)")
        }
        (Some(libc::EPERM), Some(_)) => "`interface` needs root or CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW)".into(),
        (Some(libc::EADDRINUSE), _) => in_the_way(address),
        (Some(libc::EACCES), _) => match address {
            ListenAddress::Ip(ip) => format!(
                "ports below 1024 need root or CAP_NET_BIND_SERVICE (sudo setcap cap_net_bind_service=+ep vestibule), or choose a port such as {}",
                u32::from(ip.port()) + 8000
            ),
            ListenAddress::Unix(path) => format!("this user may not create {}", path.display()),
        },
        (Some(libc::EADDRNOTAVAIL), _) => {
            "this machine has no such address (`ip address` lists those it has); with `free_bind = true` it may come later".into()
        }
        (Some(libc::EAFNOSUPPORT), _) => "this machine has no IPv6; write \"0.0.0.0:PORT\"".into(),
        (Some(libc::EMFILE), _) => {
            "the descriptor limit is reached; raise it (`ulimit -n`, LimitNOFILE=), or set fewer workers: each has a socket of its own"
                .into()
        }
        (Some(libc::ENOENT), _) => "its folder does not exist".into(),
        _ => error.to_string(),
    }
}

/// What has the address already. The kernel has one error for whatever stands at a unix socket's path.
fn in_the_way(address: &ListenAddress) -> String {
    let found = match address {
        ListenAddress::Unix(path) => std::fs::symlink_metadata(path).ok().map(|file| file.file_type()),
        ListenAddress::Ip(_) => None,
    };
    match found {
        Some(kind) if kind.is_dir() => "there is a folder; choose a path in it, or another one".into(),
        Some(kind) if !kind.is_socket() => "there is a file that is no socket; remove it, or choose another path".into(),
        _ => format!("another process listens there ({})", finder(address)),
    }
}

fn finder(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Ip(ip) => format!("`ss -ltunp 'sport = :{}'` shows which; stop it, or choose another port", ip.port()),
        ListenAddress::Unix(path) => format!("`ss -lxp src {}` shows which; stop it, or choose another path", path.display()),
    }
}
