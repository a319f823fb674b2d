//! A datagram of somebody unknown: who is let in, and what a session begins with.

use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::session::DatagramSession;
use super::{Datagrams, only_target};
use crate::gateway::capacity::{FLOW, Permit};
use crate::gateway::live::Live;
use crate::gateway::proxied::note;
use crate::gateway::refusal::Refusal;
use crate::gateway::worker::{Phase, Worker};
use crate::net::Run;
use crate::proxy_protocol::Header;
use crate::session::udp_table::{Flow, FlowId};
use crate::session::{CloseReason, Peer, Protocol, Session};
use crate::snapshot::{Action, Listener};
use crate::variables::{Text, render};

impl Datagrams {
    /// Begins the session of a flow, for the first datagram of a run. If there is to be none, this settles what the
    /// datagram is worth.
    pub(super) fn admit(&mut self, flow: Flow, run: Run<'_>, header: Option<Header>, worker: &Rc<Worker>) -> Option<FlowId> {
        if worker.phase() != Phase::Running {
            return None;
        }
        // Asked before anything is written down: strangers who find no room must not fill the logs.
        let door = &self.doors[flow.socket as usize];
        if !self.has_room(flow.socket) {
            door.complain_of_want_of_room(worker.ledger());
            return None;
        }
        let Some(hops) = self.hops.after(flow.client, flow.local.unwrap_or(door.socket.local().ip())) else {
            door.complain_of_loop(worker.ledger());
            return None;
        };
        let listener = door.listener.clone();
        let mut live = self.described(flow, &listener, worker);
        live.bytes_received = run.clone().take(1).bytes().len() as u64;
        match note_header(header, &listener, &mut live).and_then(|()| self.let_in(flow, &listener, &mut live)) {
            Ok(permit) => self.start(flow, listener, live, permit, hops, worker),
            Err(Refusal { reason, detail }) => {
                live.end(reason, detail);
                None
            }
        }
    }

    /// The facts of a session that is about to begin.
    pub(super) fn described(&self, flow: Flow, listener: &Listener, worker: &Worker) -> Live {
        let bound = self.doors[flow.socket as usize].socket.local();
        let local = Peer::Ip((flow.local.unwrap_or(bound.ip()), bound.port()).into());
        let (number, client) = (worker.ledger().number(), Peer::Ip(flow.client));
        let session = Session::new(number, listener.name.clone(), client, local, Instant::now(), SystemTime::now());
        Live::new(Session { protocol: Protocol::Udp, ..session }, worker.ledger().clone())
    }

    /// Asks who may come in. Who is answered by a text is so here, and has no session.
    fn let_in(&mut self, flow: Flow, listener: &Listener, live: &mut Live) -> Result<Permit<FLOW>, Refusal> {
        live.admit(&listener.admission)?;
        let target = only_target(listener).ok_or(CloseReason::NoRoute)?;
        live.admit(&target.admission)?;
        match &target.action {
            Action::Forward(_) => self.permit(flow.socket).ok_or_else(|| CloseReason::LimitReached.into()),
            Action::Respond(text) => Err(self.respond(flow, text, live).into()),
            Action::Reject(alert) => Err(CloseReason::Rejected(*alert).into()),
            Action::Show => Err(CloseReason::NoRoute.into()),
        }
    }

    fn respond(&mut self, flow: Flow, text: &Text, session: &mut Session) -> CloseReason {
        let mut answer = Vec::new();
        render(text, session, &mut answer);
        session.bytes_sent = answer.len() as u64;
        self.doors[flow.socket as usize].send(Run::single(&answer), flow.client, flow.local);
        CloseReason::Responded
    }

    /// Puts a session into the table and sends it on its way. It may have ended by the time this returns.
    fn start(
        &mut self,
        flow: Flow,
        listener: Arc<Listener>,
        live: Live,
        permit: Permit<FLOW>,
        hops: u8,
        worker: &Rc<Worker>,
    ) -> Option<FlowId> {
        let limits = only_target(&listener)?.limits.datagrams;
        let session = DatagramSession::new(live, listener, flow, limits, permit, hops, worker);
        let idle_timeout = u64::try_from(limits.idle_timeout.as_millis()).unwrap_or(u64::MAX);
        let id = self.table.admit(flow, Box::new(session), idle_timeout, self.now()).ok()?;
        if let Some(session) = self.table.get_mut(id) {
            session.be_told_by(self.crowd.waker(id.to_u64()));
        }
        self.go_on(id);
        self.table.get_mut(id).map(|_| id)
    }
}

/// Notes whom a proxy speaks for.
fn note_header(header: Option<Header>, listener: &Listener, session: &mut Session) -> Result<(), Refusal> {
    match header.zip(listener.proxy.as_ref()) {
        Some((header, rule)) => Ok(note(header, rule, session)?),
        None => Ok(()),
    }
}
