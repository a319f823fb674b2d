//! Which warnings are wanted: `[lints]`.

use super::values::words;

words! {
    /// What becomes of a lint.
    LintLevel, "what becomes of a lint", {
        /// Nothing is said.
        Allow = "allow",
        /// It is said.
        Warn = "warn",
        /// It is an error.
        Deny = "deny",
    }
}
