//! Stories of the real program: its process, its signals, its files, and HTTPS to simulated iLOs on loopback,
//! in real time.
//!
//! Nothing here waits for a while. A story waits for a fact: an event that the program told, a request that
//! a simulated iLO got. Where nothing is to happen, it waits for some more visits and looks.
//!
//! | module | what it is |
//! | --- | --- |
//! | `site` | simulated iLOs, and a folder with configuration, password and state |
//! | `program` | the process, what it says, how it ends |
//! | `bell` | how a story waits |
//! | `life` | start, stop, kill, signals, a second one, outputs that nobody reads |
//! | `listener` | metrics and status over HTTP |
//! | `reload` | SIGHUP, with a good configuration and a bad one |
//! | `trust` | certificates and redirects |
//! | `door` | our login, and answers that are lost, foreign or endless |
//! | `state` | a state that was lost; secrets in outputs and files |
//! | `manager` | what the service manager is told |
//! | `control` | what is asked of the daemon that runs |
//! | `commands` | what commands print, and how they exit |
//! | `pages` | manual pages and completions |
//! | `demo` | the demo, as a program |

mod bell;
mod commands;
mod control;
#[cfg(feature = "demo")]
mod demo;
mod door;
mod life;
mod listener;
mod manager;
mod pages;
mod program;
mod reload;
mod site;
mod state;
mod trust;
