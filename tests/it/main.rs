//! Stories: given a table of sessions, when the daemon ran, then these went and these stayed.
