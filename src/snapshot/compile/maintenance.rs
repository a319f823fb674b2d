//! Targets that are in `maintenance`, so that none is forgotten.

use super::Compiler;
use crate::config::{Config, path_to};

impl Compiler {
    /// Tells of each target whose sessions go elsewhere for the time being.
    pub(super) fn check_maintenance(&mut self, config: &Config) {
        for (name, routes) in &config.routes {
            for (entry, target) in routes.targets_with_paths() {
                let Some(other) = &target.maintenance else { continue };
                let path = [&path_to!["routes", name][..], &entry, &path_to!["maintenance"]].concat();
                if self.lost_maintenance.contains(&path) {
                    continue;
                }
                let place = self.places.key(&path);
                let problem = format!("new sessions go to {other:?} in place of what this target says");
                self.diagnostics.warning("maintenance", place, problem).help("take the line out when it is over");
            }
        }
    }
}
