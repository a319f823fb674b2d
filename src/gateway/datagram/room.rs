//! Who makes room when there are as many sessions as there may be: only those that have seen no answer, the oldest first, for
//! newcomers over UDP and for connections alike.

use std::sync::Arc;

use super::door::Door;
use super::{Datagrams, ROOM};
use crate::gateway::capacity::{CONNECTION, Capacity, FLOW, Permit};
use crate::session::CloseReason;
use crate::snapshot::Listener;

impl Datagrams {
    /// Is asked for room from now on whenever a connection of any worker waits for it.
    pub(in crate::gateway) fn relieves(&self, whole: &Capacity) {
        whole.is_relieved_by(self.crowd.clone(), ROOM);
    }

    /// Ends sessions until there is room for a connection of a listener, as far as there are any that make room.
    pub(in crate::gateway) fn make_room_for_connection(&mut self, listener: &Arc<Listener>, capacity: &Capacity) {
        while !capacity.has_room(CONNECTION) && self.evict(capacity.full().is_part().then_some(listener)).is_some() {}
    }

    /// The same for all that wait for room anywhere.
    pub(super) fn make_room_for_waiting(&mut self) {
        for index in 0..self.doors.len() {
            let Door { listener, capacity, .. } = &self.doors[index];
            let (listener, capacity) = (listener.clone(), capacity.clone());
            while capacity.wants_room() && self.evict(capacity.full().is_part().then_some(&listener)).is_some() {}
        }
    }

    /// Whether there is room for a newcomer, or somebody would make it.
    pub(super) fn has_room(&self, socket: u32) -> bool {
        let door = &self.doors[socket as usize];
        let is_part = door.capacity.full().is_part();
        let has_room = !door.capacity.is_waited_for() && door.capacity.has_room(FLOW);
        has_room || self.table.can_make_room(|other| !is_part || self.is_of_listener(other, socket))
    }

    /// The right to one more session of a socket's listener. Where others wait for room, a newcomer takes it only from one
    /// of its own listener that makes room.
    pub(super) fn permit(&mut self, socket: u32) -> Option<Permit<FLOW>> {
        let Door { listener, capacity, .. } = &self.doors[socket as usize];
        let (listener, capacity) = (listener.clone(), capacity.clone());
        if capacity.is_waited_for() {
            return self.evict(Some(&listener));
        }
        loop {
            if let Some(permit) = capacity.try_take() {
                return Some(permit);
            }
            drop(self.evict(capacity.full().is_part().then_some(&listener))?);
        }
    }

    /// Ends the session that makes room for another, of this listener or of any, and returns its right to be one; none if
    /// nobody has to.
    fn evict(&mut self, of: Option<&Arc<Listener>>) -> Option<Permit<FLOW>> {
        let Self { doors, table, .. } = self;
        let gone = table.make_room(|socket| of.is_none_or(|listener| Arc::ptr_eq(&doors[socket as usize].listener, listener)))?;
        Some(gone.end(CloseReason::Evicted, None))
    }

    fn is_of_listener(&self, other: u32, socket: u32) -> bool {
        Arc::ptr_eq(&self.doors[other as usize].listener, &self.doors[socket as usize].listener)
    }
}
