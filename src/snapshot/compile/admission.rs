//! `access` and `limits` of listeners, of `[defaults]`, and of targets. What cannot be read of them takes with it what they
//! belong to: without it, others would be let in.

use super::Compiler;
use super::access::Families;
use super::limits::Counts;
use crate::config::{self, Config, Key, Listening, path_to};
use crate::snapshot::Admission;

/// What listeners take over that do not say it themselves.
pub(super) struct Inherited(Option<Admission>);

impl Compiler {
    pub(super) fn inherited_admission(&mut self, config: &Config) -> Inherited {
        let Listening { access, limits, .. } = &config.defaults.listening;
        let access = self.access(&path_to!["defaults", "access"], access.as_deref().unwrap_or_default(), self.families);
        let limits = self.limits(&path_to!["defaults", "limits"], limits.as_deref().unwrap_or_default(), Counts::AtAccept);
        Inherited(access.zip(limits).map(|(access, limits)| Admission { access, limits }))
    }

    pub(super) fn listener_admission(&mut self, name: &str, written: &config::Listener, inherited: &Inherited) -> Option<Admission> {
        let Listening { access, limits, .. } = &written.listening;
        let access = match access {
            Some(access) => self.access(&path_to!["listener", name, "access"], access, Families::of(written)),
            None => inherited.0.as_ref().map(|above| above.access.clone()),
        };
        let limits = match limits {
            Some(limits) => self.limits(&path_to!["listener", name, "limits"], limits, Counts::AtAccept),
            None => inherited.0.as_ref().map(|above| above.limits.clone()),
        };
        access.zip(limits).map(|(access, limits)| Admission { access, limits })
    }

    pub(super) fn target_admission(&mut self, path: &[Key], written: &config::Target) -> Option<Admission> {
        let at = |key: &str| [path, &path_to![key]].concat();
        let access = self.access(&at("access"), &written.access, self.families);
        let limits = self.limits(&at("limits"), &written.limits, Counts::AtTarget);
        access.zip(limits).map(|(access, limits)| Admission { access, limits })
    }
}
