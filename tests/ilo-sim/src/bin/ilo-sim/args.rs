//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::path::PathBuf;

use clap::{Parser, value_parser};

/// Simulates HPE iLO 5 management processors on loopback addresses.
///
/// Each one is served over HTTPS with a session table, a clock and a certificate of its own. When all of
/// them listen, one line for each is printed (address and port, name, certificate fingerprint), then
/// `ready`. They run until the program is ended by a signal.
#[derive(Debug, Parser)]
#[command(name = "ilo-sim", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the iLOs are: loopback addresses and ranges of them, as in 127.0.1.1-20,127.0.2.1
    #[arg(long, value_name = "ADDRESSES", value_parser = addresses)]
    pub(crate) ilos: Addresses,

    /// The port of each; 0 picks free ones. HPE's own client can only log out of port 443
    #[arg(long, default_value_t = 443)]
    pub(crate) port: u16,

    /// Who may log in: lines of USERNAME:PASSWORD[:administrator|operator|readonly]; # begins a comment
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: PathBuf,

    /// Sessions that an iLO holds before it refuses a login
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,

    /// Minutes until an idle session ends, 0 to 120; 0 means never
    #[arg(long, value_name = "MIN", default_value_t = 30, value_parser = value_parser!(u32).range(0..=120))]
    pub(crate) timeout: u32,

    /// Shows clients that connect from FROM as ADDRESS; may be given again
    #[arg(long, value_name = "FROM=ADDRESS", value_parser = seen_as)]
    pub(crate) seen_as: Vec<SeenAs>,

    /// Seconds that the iLOs' clocks are ahead of the host's; negative when they are behind
    #[arg(long, value_name = "S", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) clock_offset: i64,

    /// Where chance begins: session ids and tokens follow from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Writes each request as a line of JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  ilo-sim --ilos 127.0.1.1-20 --accounts accounts.txt
  ilo-sim --ilos 127.0.0.1 --port 0 --accounts accounts.txt --limit 4 --log -
  curl -ku admin:secret 'https://127.0.1.1/redfish/v1/SessionService/Sessions/?$expand=.'";

/// Loopback addresses, at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<IpAddr>);

impl Deref for Addresses {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        &self.0
    }
}

fn addresses(text: &str) -> Result<Addresses, String> {
    let mut all = Vec::new();
    for part in text.split(',') {
        for address in range(part.trim())? {
            if !address.is_loopback() {
                return Err(format!("{address} is not a loopback address, and simulated iLOs stay on their machine"));
            }
            if all.contains(&address) {
                return Err(format!("{address} is named twice"));
            }
            all.push(address);
        }
    }
    Ok(Addresses(all))
}

/// One address, or the IPv4 addresses from one to another last number.
fn range(text: &str) -> Result<Vec<IpAddr>, String> {
    let (first, last) = text.split_once('-').map_or((text, None), |(first, last)| (first, Some(last)));
    let first: IpAddr = first.parse().map_err(|_| format!("'{first}' is not an IP address"))?;
    let (first, last) = match (first, last) {
        (one, None) => return Ok(vec![one]),
        (IpAddr::V4(first), Some(last)) => (first.octets(), last),
        (IpAddr::V6(_), Some(_)) => return Err(format!("'{text}': a range is of IPv4 addresses")),
    };
    let last: u8 =
        last.parse().map_err(|_| format!("'{text}': a range ends with a number up to 255, as in 127.0.1.1-20"))?;
    let [a, b, c, from] = first;
    if last < from {
        return Err(format!("'{text}': the range ends before it begins"));
    }
    Ok((from..=last).map(|d| Ipv4Addr::new(a, b, c, d).into()).collect())
}

/// A client's address, and the one it is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenAs {
    pub(crate) from: IpAddr,
    pub(crate) shown: IpAddr,
}

fn seen_as(text: &str) -> Result<SeenAs, String> {
    let (from, shown) = text.split_once('=').ok_or("there is no '=' in it")?;
    let address = |text: &str| text.parse().map_err(|_| format!("'{text}' is not an IP address"));
    Ok(SeenAs { from: address(from)?, shown: address(shown)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn ranges_and_lists_become_addresses() {
        let named: Vec<_> = addresses("127.0.1.9-11, ::1").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(named, ["127.0.1.9", "127.0.1.10", "127.0.1.11", "::1"]);
        assert_eq!(addresses("127.0.1.0-255").unwrap().len(), 256);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let why = |text| addresses(text).unwrap_err();
        assert!(why("192.0.2.1").contains("not a loopback address"));
        assert!(why("127.0.1.20-1").contains("ends before it begins"));
        assert!(why("127.0.1.1-300").contains("up to 255"));
        assert!(why("127.0.1.1-2,127.0.1.2").contains("named twice"));
        assert!(why("::1-2").contains("IPv4"));
        assert!(why("").contains("'' is not an IP address"));
    }
}
