//! A simulated iLO.
