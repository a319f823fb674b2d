//! Listening on a unix socket: the file that stands for it, who may connect to it, and the one that a dead process left.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// Binds and listens. A socket file that nobody listens on any more is left over from a process that died, and is replaced.
/// Nobody who is not to connect can at any moment: the permissions are those of `mode` before there is a file.
pub(super) fn bind_unix(path: &Path, backlog: i32, mode: Option<u32>) -> io::Result<OwnedFd> {
    // Two that start at once must not take each other for dead between the look and the listening.
    let _alone = Alone::in_folder_of(path);
    if is_dead(path) {
        std::fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(mode) = mode {
        // The file gets the socket's own permissions, less what the umask takes (unix_bind_bsd of the kernel).
        set_mode(&socket, mode)?;
    }
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(mode) = mode {
        // What the umask took is given back. Nobody can connect before there is somebody to accept.
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode))?;
    }
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Sets the permissions of a socket that has no file yet.
fn set_mode(socket: &Socket, mode: u32) -> io::Result<()> {
    File::from(OwnedFd::from(socket.try_clone()?)).set_permissions(PermissionsExt::from_mode(mode))
}

/// Whether a socket file stands there on which nobody listens.
fn is_dead(path: &Path) -> bool {
    let is_socket = || std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket() && refuses(path).is_ok_and(|refuses| refuses)
}

/// Whether nobody accepts there. One whose queue is full is alive, and is not waited for.
fn refuses(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let connected = socket.connect(&SockAddr::unix(path)?);
    Ok(matches!(connected, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused))
}

/// A lock on a folder, which vestibules have while they bind there; it ends with the descriptor.
struct Alone {
    _folder: File,
}

impl Alone {
    /// Nothing if the folder cannot be opened, or somebody has its lock for too long: then it goes without.
    fn in_folder_of(path: &Path) -> Option<Self> {
        let folder = File::open(path.parent()?).ok()?;
        for _ in 0..TURNS {
            match folder.try_lock() {
                Ok(()) => return Some(Self { _folder: folder }),
                Err(_) => sleep(TURN),
            }
        }
        None
    }
}

/// How often a folder's lock is tried.
const TURNS: u32 = 100;
/// How long it is waited in between.
const TURN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn permissions(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_mode_is_the_one_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o660, 0o666, 0o777] {
            let path = folder.path().join(format!("{mode:o}"));
            let _socket = bind_unix(&path, 16, Some(mode)).unwrap();
            assert_eq!(permissions(&path), mode);
            assert!(UnixStream::connect(&path).is_ok());
        }
    }

    #[test]
    fn the_file_has_no_wider_mode_at_its_birth() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        set_mode(&socket, 0o600).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        assert_eq!(permissions(&path), 0o600, "this kernel does not give the file the socket's own mode");
    }

    #[test]
    fn of_two_that_start_at_once_one_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        // What a process left that died.
        drop(UnixListener::bind(&path).unwrap());
        std::thread::scope(|scope| {
            let first = Alone::in_folder_of(&path).unwrap();
            let second = scope.spawn(|| bind_unix(&path, 16, None));
            // Time for one that does not wait its turn to take the dead socket's place.
            sleep(5 * TURN);
            std::fs::remove_file(&path).unwrap();
            let _live = UnixListener::bind(&path).unwrap();
            drop(first);
            let error = second.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "the first one is alive by then");
            UnixStream::connect(&path).unwrap();
        });
    }

    #[test]
    fn one_whose_queue_is_full_is_alive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let _busy = bind_unix(&path, 1, None).unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            if socket.connect(&SockAddr::unix(&path).unwrap()).is_err() {
                break;
            }
            waiting.push(socket);
        }
        assert!(!waiting.is_empty());
        assert!(!is_dead(&path));
    }
}
