//! Host names, addresses, networks and ranges: what may stand for iLOs.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// iLOs that one configuration may have.
pub(super) const ILOS_MAX: usize = 100_000;
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
const ENTRY_BYTES_MAX: usize = 1024;
const RANGE_DIGITS_MAX: usize = 9;
/// Bytes of an interface's name (Linux `IFNAMSIZ`, without its end).
const INTERFACE_BYTES_MAX: usize = 15;

/// All hosts that one entry of a fleet stands for, each by name, address or network.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    if text.len() > ENTRY_BYTES_MAX {
        return Err(format!("it is longer than {ENTRY_BYTES_MAX} bytes"));
    }
    if text.contains('/') {
        return addresses(text);
    }
    // An IPv6 address in brackets, as it stands in a URL.
    let text =
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|it| it.contains(':')).unwrap_or(text);
    if !text.contains(['[', ']']) {
        return host(text).map(|host| vec![host]);
    }
    let mut names = vec![String::new()];
    for piece in pieces(text)? {
        let written = piece.written()?;
        if names.len().saturating_mul(written.len()) > ILOS_MAX {
            return Err(format!("it stands for more than {ILOS_MAX} iLOs"));
        }
        names = names.iter().flat_map(|name| written.iter().map(move |part| format!("{name}{part}"))).collect();
    }
    names.iter().map(|name| host(name).map_err(|why| format!("`{name}`: {why}"))).collect()
}

/// A part of a name with ranges.
enum Piece<'a> {
    Plain(&'a str),
    Range(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('[') {
        let (range, after) = after.split_once(']').ok_or("a `[` has no `]`")?;
        pieces.extend([Piece::Plain(plain), Piece::Range(range)]);
        rest = after;
    }
    pieces.push(Piece::Plain(rest));
    Ok(pieces)
}

impl Piece<'_> {
    fn written(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Plain(plain) => Ok(vec![(*plain).to_owned()]),
            Self::Range(range) => {
                let parts: Result<Vec<_>, _> = range.split(',').map(|part| numbers(range, part)).collect();
                let written = parts?.concat();
                if written.len() > ILOS_MAX {
                    Err(format!("it stands for more than {ILOS_MAX} iLOs"))
                } else {
                    Ok(written)
                }
            }
        }
    }
}

/// The numbers of `01-42`, as wide as the first is written.
fn numbers(range: &str, part: &str) -> Result<Vec<String>, String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let is_number =
        |text: &str| (1..=RANGE_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return Err(format!("`[{range}]` is no range; expected `[01-42]` or `[1,3,5]`"));
    }
    if last.len() > first.len() && last.starts_with('0') || last.len() < first.len() {
        return Err(format!("`[{range}]` does not tell how wide its numbers are; write both ends with as many digits"));
    }
    let ends = (first.parse::<usize>(), last.parse::<usize>());
    match ends {
        (Ok(first), Ok(last)) if first > last => Err(format!("the range `[{range}]` runs backwards")),
        (Ok(first), Ok(last)) if last - first >= ILOS_MAX => Err(format!("it stands for more than {ILOS_MAX} iLOs")),
        (Ok(from), Ok(to)) => Ok((from..=to).map(|number| format!("{number:0width$}", width = first.len())).collect()),
        _ => Err(format!("`[{range}]` is no range")),
    }
}

/// The host addresses of a network.
fn addresses(text: &str) -> Result<Vec<String>, String> {
    let network = network(text)?;
    let bits = u32::from(network.max_prefix_len() - network.prefix_len());
    if bits > 16 {
        return Err(format!("a network of /{} has too many addresses to be a list of iLOs", network.prefix_len()));
    }
    // The first address of an IPv6 network stands for its routers (RFC 4291, 2.6.1), except where there are only two (RFC 6164).
    let routers = matches!(network, IpNet::V6(_)) && bits > 1;
    let hosts = network.hosts().skip(usize::from(routers));
    hosts.map(|address| host(&address.to_string())).collect()
}

/// An address or a network. An address alone is a network of one.
pub fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| "expected the form `192.0.2.7` or `192.0.2.0/24`")?;
    if network.addr() != network.network() {
        return Err(format!("{} lies inside a network; did you mean `{}`?", network.addr(), network.trunc()));
    }
    Ok(network)
}

/// An IPv6 address that means something only on one of this host's networks: `fe80::1%eth0`.
fn zoned(address: &str, zone: &str) -> Result<String, String> {
    let address: Ipv6Addr =
        address.parse().map_err(|_| "a `%` names the network of an IPv6 address: `fe80::1%eth0`")?;
    if !address.is_unicast_link_local() {
        return Err(format!("only addresses of one link (fe80::/10) have a zone; write `{address}`"));
    }
    let is_interface = (1..=INTERFACE_BYTES_MAX).contains(&zone.len())
        && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if !is_interface {
        return Err(String::from("after the `%` stands the name of one of this host's network interfaces"));
    }
    Ok(format!("{address}%{zone}"))
}

/// A DNS name or an address that may be an iLO, in its usual spelling.
pub(super) fn host(text: &str) -> Result<String, String> {
    if let Some((address, zone)) = text.split_once('%') {
        return zoned(address, zone);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return if is_nobody(address) {
            Err(String::from("this address belongs to no single machine"))
        } else {
            Ok(address.to_string())
        };
    }
    if text.contains(':') && text.parse::<Ipv6Addr>().is_err() {
        return Err(String::from(
            "expected a host name or an address; a port is written as `{ name: …, address: …, port: … }`",
        ));
    }
    if text.is_empty() || text.len() > HOST_BYTES_MAX {
        return Err(format!("a host name has 1 to {HOST_BYTES_MAX} characters"));
    }
    if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))) {
        return Err(format!("`{}` can't be in a host name", odd.escape_default()));
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > LABEL_BYTES_MAX || label.starts_with('-') || label.ends_with('-') {
            return Err(String::from("between two dots of a host name stand 1 to 63 characters, no `-` first or last"));
        }
    }
    // Name look-ups read `10.1`, `192.0.2.300` and `0x7f.1` as addresses in old forms, and ask somebody else.
    let last = text.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_number {
        return Err(String::from("this looks like an address, but is none"));
    }
    Ok(text.to_owned())
}

fn is_nobody(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// A host with or without a port, as Prometheus writes targets: `host`, `host:443`, `[2001:db8::7]:443`.
pub(super) fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (name, port) = match bracketed {
        Some((address, "")) => (address, None),
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)))
        }
        None => (text, None),
    };
    if bracketed
        .is_some_and(|(address, rest)| address.parse::<Ipv6Addr>().is_err() || !rest.is_empty() && port.is_none())
    {
        return Err(String::from("expected `[IPv6 address]:port`"));
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port @ 1..)) => Some(port),
        Some(_) => return Err(String::from("a port is a number from 1 to 65535")),
    };
    Ok((host(name)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        match expand(text) {
            Ok(hosts) if hosts.len() > 6 => format!("{} … {} ({})", hosts[0], hosts[hosts.len() - 1], hosts.len()),
            Ok(hosts) => hosts.join(" "),
            Err(why) => format!("mistake: {why}"),
        }
    }

    #[test]
    fn entries_stand_for_hosts() {
        for (text, hosts) in [
            ("ilo-1.example.net", "ilo-1.example.net"),
            ("ilo_1", "ilo_1"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::7", "2001:db8::7"),
            ("u[01-03]", "u01 u02 u03"),
            ("u[8-11]", "u8 u9 u10 u11"),
            ("u[098-101]", "u098 u099 u100 u101"),
            ("u[01-100].x", "u01.x … u100.x (100)"),
            ("u[5-5]", "u5"),
            ("u[1,3,07]", "u1 u3 u07"),
            ("u[1-2,4]", "u1 u2 u4"),
            (
                "r[1-2]-u[01-02].example.net",
                "r1-u01.example.net r1-u02.example.net r2-u01.example.net r2-u02.example.net",
            ),
            ("[1-2]a", "1a 2a"),
            ("192.0.2.16/28", "192.0.2.17 … 192.0.2.30 (14)"),
            ("192.0.2.16/30", "192.0.2.17 192.0.2.18"),
            ("192.0.2.16/31", "192.0.2.16 192.0.2.17"),
            ("192.0.2.16/32", "192.0.2.16"),
            ("10.0.0.0/16", "10.0.0.1 … 10.0.255.254 (65534)"),
            ("2001:db8::/126", "2001:db8::1 2001:db8::2 2001:db8::3"),
            ("2001:db8::/127", "2001:db8:: 2001:db8::1"),
            ("2001:db8::5/128", "2001:db8::5"),
        ] {
            assert_eq!(expanded(text), hosts, "{text}");
        }
    }
}
