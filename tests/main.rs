//! What a user could notice, one file for each behaviour.

mod broken_config;
