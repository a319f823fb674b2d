//! What is known of a map before any session: where its text may come from, and when.

use super::{MapValue, Part};
use crate::template::Piece;
use crate::variables::{Text, Variable};

/// What a map's text is made of, through other maps as well.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::variables) struct Nature {
    /// Some of the text may be the client's own words. A value that the operator wrote is not, whoever has it chosen.
    pub(in crate::variables) sent_by_client: bool,
    /// Clients have a say in what the text is, be it only which of those that are written.
    pub(in crate::variables) led_by_client: bool,
    /// Some of the client's own words may have a slash in them.
    pub(in crate::variables) may_hold_slash: bool,
    pub(in crate::variables) known_late: bool,
    pub(in crate::variables) of_ended_tls: bool,
    pub(in crate::variables) read_from_first_bytes: bool,
    pub(in crate::variables) of_route: bool,
    pub(in crate::variables) of_upstream: bool,
    pub(in crate::variables) tells_server_address: bool,
    /// Whether a variable in it goes with the clock.
    pub(super) tells_time: bool,
    /// How many maps stand on each other.
    pub(super) depth: usize,
}

impl Nature {
    /// The nature of a map over this text with these values.
    pub(super) fn of_map<'v>(of: &Text, values: impl Iterator<Item = &'v MapValue>) -> Self {
        let key = of.variables().fold(Self::default(), |all, variable| all.and(Self::of_variable(variable)));
        let (mut value, mut has_groups) = (Self::default(), false);
        for piece in values.flat_map(MapValue::pieces) {
            match piece {
                Piece::Text(_) => {}
                Piece::Variable(Part::Group(_)) => has_groups = true,
                Piece::Variable(Part::Variable(variable)) => value = value.and(Self::of_variable(variable)),
            }
        }
        Self {
            sent_by_client: value.sent_by_client || has_groups && key.sent_by_client,
            may_hold_slash: value.may_hold_slash || has_groups && key.may_hold_slash,
            depth: key.depth.max(value.depth) + 1,
            ..key.and(value)
        }
    }

    fn of_variable(variable: &Variable) -> Self {
        if let Variable::Map(map) = variable {
            // What it has said once it goes on to say.
            return Self { tells_time: false, ..map.nature };
        }
        Self {
            sent_by_client: variable.is_sent_by_client(),
            led_by_client: variable.is_sent_by_client(),
            may_hold_slash: variable.may_hold_slash(),
            known_late: variable.is_known_late(),
            of_ended_tls: variable.is_of_ended_tls(),
            read_from_first_bytes: variable.is_read_from_first_bytes(),
            of_route: variable.is_of_route(),
            of_upstream: variable.is_of_upstream(),
            tells_server_address: variable.tells_server_address(),
            tells_time: matches!(variable, Variable::Msec | Variable::TimeLocal | Variable::TimeIso8601),
            depth: 0,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            sent_by_client: self.sent_by_client || other.sent_by_client,
            led_by_client: self.led_by_client || other.led_by_client,
            may_hold_slash: self.may_hold_slash || other.may_hold_slash,
            known_late: self.known_late || other.known_late,
            of_ended_tls: self.of_ended_tls || other.of_ended_tls,
            read_from_first_bytes: self.read_from_first_bytes || other.read_from_first_bytes,
            of_route: self.of_route || other.of_route,
            of_upstream: self.of_upstream || other.of_upstream,
            tells_server_address: self.tells_server_address || other.tells_server_address,
            tells_time: self.tells_time || other.tells_time,
            depth: self.depth.max(other.depth),
        }
    }
}
