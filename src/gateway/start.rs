//! From a snapshot to a running gateway: limits, logs, sockets, names, threads, in this order. What can fail fails
//! before the first connection is accepted.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};

use super::certificates::Certificates;
use super::forwards::Forwards;
use super::live::{Capacity, Ledger};
use super::memory::give_back;
use super::worker::{self, Accepted, Assignment, Phase, Shared};
use super::{Gateway, SocketFile, StartError};
use crate::address::ListenAddress;
use crate::admit::Limit;
use crate::log::{AccessLog, AccessLogSettings};
use crate::net::{BindError, ListenOptions, bind, bind_udp, local, may_be_transparent};
use crate::session::{Peer, Protocol};
use crate::snapshot::{Listener, Snapshot};
use crate::upstream::Resolver;

impl Gateway {
    /// Binds everything that the snapshot listens on, and serves.
    ///
    /// # Errors
    /// When an address is taken or forbidden, a log cannot be opened, or the machine lacks what it takes. Nothing
    /// was accepted then.
    pub fn start(snapshot: &Snapshot) -> Result<Self, StartError> {
        let workers = snapshot.process.workers.unwrap_or_else(cores);
        // Before anything is opened: many workers have many sockets.
        let limit = raise_descriptor_limit();
        if snapshot.is_transparent {
            may_be_transparent().map_err(StartError::Transparent)?;
        }
        let logs = snapshot.access_logs.iter().map(AccessLog::open).collect::<Result<Vec<_>, _>>()?;
        let mut sockets = bind_all(snapshot, workers)?;
        let files = sockets.iter_mut().filter_map(|listening| listening.file.take()).collect();
        let name = |listening: &Listening| (listening.listener.name.clone(), listening.address.clone(), listening.protocol);
        let bound = sockets.iter().map(name).collect();
        let capacity = capacity(snapshot, limit, workers, sockets.iter().map(|listening| listening.sockets.len()).sum())?;
        let control = control_runtime().map_err(StartError::Thread)?;
        let resolver = Resolver::new(control.handle().clone());
        resolver.follow(snapshot.every_pool.iter().map(|pool| (&*pool.resolver, &pool.upstream)))?;
        let shared = Arc::new(Shared {
            capacity,
            ledger: Arc::new(Ledger::new(logs, snapshot.listeners.iter().map(|listener| listener.name.clone()))),
            pools: snapshot.pools.clone(),
            forwards: Forwards::new(resolver.on_demand(&snapshot.resolver)?),
            hops: Arc::default(),
            tells_server_address: snapshot.tells_server_address(),
        });
        let (phase, told) = watch::channel(Phase::Running);
        let ledger = shared.ledger.clone();
        control.spawn(async move { ledger.summarise().await });
        control.spawn(give_back(shared.clone()));
        let certificates = Certificates::new(&snapshot.rereads, &snapshot.quiet);
        if snapshot.process.watches_certificates {
            control.spawn(certificates.clone().follow());
        }
        if !snapshot.limits.is_empty() {
            control.spawn(forget_idle(snapshot.limits.values().map(|keyed| keyed.limit.clone()).collect()));
        }
        let threads = start_workers(&shared, workers, sockets, &told).map_err(StartError::Thread)?;
        Ok(Self {
            phase,
            shared,
            certificates,
            bound,
            shutdown_timeout: snapshot.process.shutdown_timeout,
            threads,
            control: Some(control),
            _files: files,
        })
    }
}

/// One address of a listener, bound.
struct Listening {
    listener: Arc<Listener>,
    protocol: Protocol,
    address: ListenAddress,
    sockets: Vec<OwnedFd>,
    file: Option<SocketFile>,
}

fn bind_all(snapshot: &Snapshot, workers: usize) -> Result<Vec<Listening>, StartError> {
    let mut bound = Vec::new();
    for listener in &snapshot.listeners {
        for address in &listener.addresses {
            let options = listen_options(snapshot, listener, address, workers);
            let to_error = |source| StartError::Bind { listener: listener.name.clone(), source };
            let sockets = match bind_each(listener, address, &options) {
                Err(error) if listener.can_do_without(address, &error.source) => {
                    tracing::info!(listener = &*listener.name, "this machine has no IPv6: {address} is left out");
                    continue;
                }
                sockets => sockets.map_err(to_error)?,
            };
            for (protocol, sockets) in sockets {
                let address = real_address(address, &sockets);
                let file = match &address {
                    ListenAddress::Unix(path) => Some(SocketFile::new(path.clone())),
                    ListenAddress::Ip(_) => None,
                };
                bound.push(Listening { listener: listener.clone(), protocol, address, sockets, file });
            }
        }
    }
    Ok(bound)
}

/// The sockets of an address, by what is spoken there. With port 0 it is one port for all protocols, so another one is
/// looked for when the first is taken by one of them.
fn bind_each(listener: &Listener, address: &ListenAddress, options: &ListenOptions) -> Result<Vec<(Protocol, Vec<OwnedFd>)>, BindError> {
    let mut tries = if address.port() == Some(0) { PORTS_TRIED } else { 1 };
    loop {
        tries -= 1;
        let (mut bound, mut address) = (Vec::new(), address.clone());
        let all = listener.protocols.iter().try_for_each(|&protocol| {
            let sockets = match (&address, protocol) {
                (ListenAddress::Ip(ip), Protocol::Udp) => bind_udp(*ip, options),
                _ => bind(&address, options),
            }?;
            address = real_address(&address, &sockets);
            bound.push((protocol, sockets));
            Ok(())
        });
        match all {
            Ok(()) => return Ok(bound),
            Err(_) if tries > 0 && !bound.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
}

fn listen_options(snapshot: &Snapshot, listener: &Listener, address: &ListenAddress, workers: usize) -> ListenOptions {
    let binding = &listener.binding;
    ListenOptions {
        sockets: if binding.reuse_port && matches!(address, ListenAddress::Ip(_)) { workers } else { 1 },
        backlog: binding.backlog,
        ipv6_only: binding.ipv6_only,
        defer_accept: binding.defer_accept,
        shares_port: snapshot.shares_port(address),
        keepalive: binding.keepalive,
        receive_buffer: binding.receive_buffer,
        send_buffer: binding.send_buffer,
        mode: binding.mode,
        free_bind: binding.free_bind,
        interface: binding.interface.clone(),
    }
}

fn real_address(written: &ListenAddress, sockets: &[OwnedFd]) -> ListenAddress {
    match sockets.first().map(local) {
        Some(Ok(Peer::Ip(address))) => ListenAddress::Ip(address),
        _ => written.clone(),
    }
}

fn start_workers(
    shared: &Arc<Shared>,
    workers: usize,
    sockets: Vec<Listening>,
    told: &watch::Receiver<Phase>,
) -> std::io::Result<Vec<thread::JoinHandle<()>>> {
    let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    let mut assignments = assign(&shared.capacity, workers, sockets, &outboxes);
    drop(outboxes);
    let mut threads = Vec::new();
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let (shared, told, assigned) = (shared.clone(), told.clone(), std::mem::take(&mut assignments[index]));
        let work = move || {
            if let Err(error) = worker::run(shared, assigned, inbox, told) {
                tracing::error!("worker {index} ended: {error}");
            }
        };
        threads.push(thread::Builder::new().name(format!("worker-{index}")).spawn(work)?);
    }
    Ok(threads)
}

/// Gives each worker its socket of every address; an address with a single one goes to each worker in turn, and
/// what is accepted there is handed round.
fn assign(
    whole: &Arc<Capacity>,
    workers: usize,
    sockets: Vec<Listening>,
    outboxes: &[mpsc::UnboundedSender<Accepted>],
) -> Vec<Vec<Assignment>> {
    let mut capacities = BTreeMap::new();
    let mut assignments: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    let mut turn = 0;
    for Listening { listener, protocol, sockets, .. } in sockets {
        let single = sockets.len() == 1 && workers > 1;
        let capacity = || listener.max_connections.map_or_else(|| whole.clone(), |most| whole.part(most));
        let capacity = capacities.entry(listener.name.clone()).or_insert_with(capacity).clone();
        for (index, socket) in sockets.into_iter().enumerate() {
            let (worker, hand_to) = if single { (turn % workers, outboxes.to_vec()) } else { (index, Vec::new()) };
            assignments[worker].push(Assignment { listener: listener.clone(), socket, capacity: capacity.clone(), hand_to, protocol });
        }
        turn += usize::from(single);
    }
    assignments
}

/// Has the limits forget, now and then, what they need not know any more, so that a flood of keys leaves nothing behind.
async fn forget_idle(limits: Vec<Arc<Limit>>) {
    loop {
        tokio::time::sleep(FORGET).await;
        for limit in &limits {
            limit.forget_idle(Instant::now());
        }
    }
}

/// How many sessions there may be. A connection takes two descriptors and a session of datagrams one, and some are kept for
/// everything else. So does each listening socket: its own, and that of a client which waits for its turn.
fn capacity(snapshot: &Snapshot, limit: u64, workers: usize, listening: usize) -> Result<Arc<Capacity>, StartError> {
    let logs: u64 = snapshot.access_logs.iter().map(AccessLogSettings::descriptors).sum();
    let kept = RESERVED_DESCRIPTORS + logs + WORKERS_DESCRIPTORS * workers as u64 + 2 * listening as u64;
    let spare = usize::try_from(limit.saturating_sub(kept)).unwrap_or(usize::MAX);
    let has_connections = snapshot.listeners.iter().any(|listener| listener.protocols.contains(&Protocol::Tcp));
    let fits = if has_connections { spare / 2 } else { spare };
    if fits == 0 {
        return Err(StartError::Descriptors { limit });
    }
    let wanted = snapshot.process.max_connections;
    if let Some(wanted) = wanted.filter(|&wanted| wanted > fits) {
        tracing::warn!("max_connections = {wanted} needs more descriptors than the limit of {limit} has: {fits} it is");
    }
    Ok(Capacity::new(wanted.unwrap_or(usize::MAX), spare))
}

/// Raises the soft limit to the hard one, which needs no privilege.
fn raise_descriptor_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

fn control_runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("control").enable_all().build()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// For the resolver, the gateway's own log, the control thread's runtime, and whatever an operator needs to look in.
const RESERVED_DESCRIPTORS: u64 = 64;
/// How many ports are tried where any will do.
const PORTS_TRIED: usize = 20;
/// How often limits forget.
const FORGET: Duration = Duration::from_secs(10);
/// For a worker's runtime and its epoll set.
const WORKERS_DESCRIPTORS: u64 = 6;
