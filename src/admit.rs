//! Who may come in: access lists and limits. Pure: no socket, no clock of its own.
