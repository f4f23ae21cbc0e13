//! The command line.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum, value_parser};
use clap_complete::shells;
use clap_mangen::Man;
use http::StatusCode;
use ilo_sim::{BasicAuth, Personality, SessionSpec, UpdateState};

/// Simulates HPE iLO management processors, and a few other Redfish services, on loopback addresses.
///
/// Each one is served over HTTPS with a session table, a clock and a certificate of its own. When all of
/// them listen, one line for each is printed (address and port, name, certificate fingerprint), then
/// `ready`. They run until the program is ended by a signal.
#[derive(Debug, Parser)]
#[command(name = "ilo-sim", version, after_help = after_help())]
pub(crate) struct Args {
    /// Where the iLOs are: loopback addresses and ranges of them, as in 127.0.1.1-20,127.0.2.1
    #[arg(long, value_name = "ADDRESSES", value_parser = addresses)]
    pub(crate) ilos: Addresses,

    /// The port of each; 0 picks free ones. HPE's own client can only log out of port 443
    #[arg(long, default_value_t = 443)]
    pub(crate) port: u16,

    /// Who may log in: lines of USERNAME:PASSWORD[:administrator|operator|readonly]; # begins a comment. After the
    /// role, `,directory` makes it a user of the directory, `,must-change-password` one who can do nothing before
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: PathBuf,

    /// Which firmware they behave like, by a name from the list below; where there are several, the iLOs take turns
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values_t = [Personality::default()])]
    pub(crate) personality: Vec<Personality>,

    /// Sessions that an iLO holds before it refuses a login
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Sessions")]
    pub(crate) limit: usize,

    /// Sessions of one `UserTag` above which a login of that kind is refused, as in REST=8; may be given again
    #[arg(long, value_name = "TAG=N", value_parser = kind_limit, help_heading = "Sessions")]
    pub(crate) kind_limit: Vec<(String, usize)>,

    /// Minutes until an idle session ends, 0 to 120; 0 means never
    #[arg(long, value_name = "MIN", default_value_t = 30, value_parser = value_parser!(u32).range(0..=120))]
    #[arg(help_heading = "Sessions")]
    pub(crate) timeout: u32,

    /// A session that is there from the start, as in SSH:alice@192.0.2.9 or 'Remote Console+media:bob@192.0.2.8'; may
    /// be given again. The tag is any `UserTag`; +media attaches virtual media, +dangling lists what cannot be read
    #[arg(long, value_name = "TAG:OWNER@ADDRESS", value_parser = session, help_heading = "Sessions")]
    pub(crate) session: Vec<SessionSpec>,

    /// The `UserTag` of logins by POST, where it is not to be that of the firmware
    #[arg(long, value_name = "TAG", help_heading = "Sessions")]
    pub(crate) rest_tag: Option<String>,

    /// Leaves the session of every N-th request with Basic authentication behind
    #[arg(long, value_name = "N", help_heading = "Sessions")]
    pub(crate) basic_leaves_every: Option<NonZeroU32>,

    /// `HTTPBasicAuth` of firmware that has it: enabled, unadvertised or disabled
    #[arg(long, value_name = "HOW", default_value = "unadvertised", value_parser = basic_auth, help_heading = "Login")]
    pub(crate) basic_auth: BasicAuth,

    /// Asks users of the directory for this passcode as well, on firmware with two-factor authentication
    #[arg(long, value_name = "PASSCODE", help_heading = "Login")]
    pub(crate) two_factor: Option<String>,

    /// The status of a refused password; no public source tells that of an iLO
    #[arg(long, value_name = "STATUS", default_value = "401", help_heading = "Login")]
    pub(crate) wrong_password_status: StatusCode,

    /// The status of a login when the table is full; no public source tells that of an iLO
    #[arg(long, value_name = "STATUS", default_value = "503", help_heading = "Login")]
    pub(crate) full_status: StatusCode,

    /// Seconds that the iLOs' clocks are ahead of the host's; negative when they are behind
    #[arg(long, value_name = "S", default_value_t = 0, allow_negative_numbers = true, help_heading = "World")]
    pub(crate) clock_offset: i64,

    /// The iLOs' time zone in minutes east of Greenwich
    #[arg(long, value_name = "MIN", default_value_t = 0, allow_negative_numbers = true, help_heading = "World")]
    #[arg(value_parser = value_parser!(i16).range(-840..=840))]
    pub(crate) utc_offset: i16,

    /// The URL of the `OneView` that the service roots name as their manager
    #[arg(long, value_name = "URL", help_heading = "World")]
    pub(crate) managed_by: Option<String>,

    /// A host application with an account, on iLO 7; may be given again
    #[arg(long, value_name = "NAME", help_heading = "World")]
    pub(crate) app_account: Vec<String>,

    /// What the update service does: idle, uploading, verifying, writing, updating, complete or error
    #[arg(long, value_name = "STATE", default_value = "idle", value_parser = update_state, help_heading = "World")]
    pub(crate) update_state: UpdateState,

    /// Refuses everything but the update service while firmware is written
    #[arg(long, help_heading = "World")]
    pub(crate) busy_while_flashing: bool,

    /// Shows clients that connect from FROM as ADDRESS; may be given again
    #[arg(long, value_name = "FROM=ADDRESS", value_parser = seen_as, help_heading = "World")]
    pub(crate) seen_as: Vec<SeenAs>,

    /// Shows certificates for the iLOs' addresses, issued by an authority of the site, whose own is written to FILE as
    /// PEM; else each shows one that the factory might have made, which no client can check
    #[arg(long, value_name = "FILE", help_heading = "World")]
    pub(crate) site_authority: Option<PathBuf>,

    /// Where chance begins: session ids and tokens follow from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Writes each request as a line of JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// Writes the manual page to standard output, and ends
    #[arg(long, exclusive = true)]
    man: bool,

    /// Writes completions for bash, zsh or fish to standard output, and ends
    #[arg(long, value_name = "SHELL", exclusive = true, hide_possible_values = true)]
    completions: Option<Shell>,
}

/// Shells that completions are written for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What the command line asks for.
pub(crate) enum Asked {
    /// Simulated iLOs.
    World(Box<Args>),
    /// A page or a script, made from this command line.
    Text(Vec<u8>),
}

impl Asked {
    /// Reads the command line of this process. Who asks for a text names no iLOs.
    pub(crate) fn of(argv: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Args::command();
        let mut matches = command.try_get_matches_from_mut(argv)?;
        let mut text = Vec::new();
        if matches.get_flag("man") {
            let source = format!("ilo-sim {}", env!("CARGO_PKG_VERSION"));
            // A page is as old as the program. What is quite empty would leave its place to the next.
            Man::new(command).date(" ").source(source).manual("ilo-reaper manual").render(&mut text)?;
        } else if let Some(shell) = matches.get_one("completions") {
            match shell {
                Shell::Bash => clap_complete::generate(shells::Bash, &mut command, "ilo-sim", &mut text),
                Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, "ilo-sim", &mut text),
                Shell::Fish => clap_complete::generate(shells::Fish, &mut command, "ilo-sim", &mut text),
            }
        } else {
            return Args::from_arg_matches_mut(&mut matches).map(|args| Self::World(Box::new(args)));
        }
        Ok(Self::Text(text))
    }
}

const EXAMPLES: &str = "\
Examples:
  ilo-sim --ilos 127.0.1.1-20 --accounts accounts.txt
  ilo-sim --ilos 127.0.1.1-6 --accounts accounts.txt --personality ilo4-2.55,ilo5-3.11,ilo7-1.17
  ilo-sim --ilos 127.0.0.1 --port 0 --accounts accounts.txt --limit 4 --log -
  curl -ku admin:secret 'https://127.0.1.1/redfish/v1/SessionService/Sessions/?$expand=.'";

fn after_help() -> String {
    let mut help = "Personalities:\n".to_owned();
    for personality in Personality::ALL {
        // A String takes whatever is written to it.
        let _infallible = writeln!(help, "  {:<11}{}", personality.name(), personality.about());
    }
    help + "\n" + EXAMPLES
}

/// A limit of one kind. A tag may hold `=` only if somebody invents one that does.
fn kind_limit(text: &str) -> Result<(String, usize), String> {
    let (tag, limit) = text.rsplit_once('=').ok_or("there is no '=' in it")?;
    let limit = limit.parse().map_err(|_| format!("'{limit}' is not a number"))?;
    Ok((tag.to_owned(), limit))
}

fn session(text: &str) -> Result<SessionSpec, String> {
    let (kind, rest) = text.split_once(':').ok_or("there is no ':' between tag and owner")?;
    let (owner, origin) = rest.rsplit_once('@').ok_or("there is no '@' between owner and address")?;
    let origin = origin.parse().map_err(|_| format!("'{origin}' is not an IP address"))?;
    let mut words = kind.split('+');
    let mut session = SessionSpec::tagged(owner, origin, words.next().unwrap_or_default());
    for word in words {
        match word {
            "media" => session.virtual_media = true,
            "dangling" => session.dangling = true,
            _ => return Err(format!("'+{word}' is neither +media nor +dangling")),
        }
    }
    Ok(session)
}

fn basic_auth(text: &str) -> Result<BasicAuth, String> {
    let all = [BasicAuth::Enabled, BasicAuth::Unadvertised, BasicAuth::Disabled];
    let named = all.into_iter().find(|how| how.name().eq_ignore_ascii_case(text));
    named.ok_or_else(|| format!("'{text}' is not enabled, unadvertised or disabled"))
}

fn update_state(text: &str) -> Result<UpdateState, String> {
    let named = UpdateState::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(text));
    named.ok_or_else(|| format!("'{text}' is not a state of the update service"))
}

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
        Args::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Args, String> {
        let always = ["ilo-sim", "--ilos", "127.0.0.1", "--accounts", "accounts.txt"];
        Args::try_parse_from(always.into_iter().chain(line.split_whitespace())).map_err(|why| why.to_string())
    }

    #[test]
    fn texts_are_made_without_ilos_and_from_the_command_line_as_it_is() {
        let text = |line: &str| match Asked::of(line.split(' ').map(OsString::from)) {
            Ok(Asked::Text(text)) => String::from_utf8(text).unwrap(),
            Ok(Asked::World(_)) => panic!("a world"),
            Err(why) => panic!("{why}"),
        };
        for line in
            ["ilo-sim --man", "ilo-sim --completions bash", "ilo-sim --completions zsh", "ilo-sim --completions fish"]
        {
            let text = text(line).replace("\\-", "-");
            for arg in Args::command().get_arguments().filter_map(clap::Arg::get_long) {
                assert!(text.contains(arg), "{line} does not know --{arg}");
            }
        }
        for (line, word) in
            [("ilo-sim --man --seed 1", "--man"), ("ilo-sim --completions csh", "csh"), ("ilo-sim", "--ilos")]
        {
            let why = Asked::of(line.split(' ').map(OsString::from)).err().unwrap().to_string();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn without_a_word_about_it_they_are_what_they_always_were() {
        let (args, spec) = (parse("").unwrap(), ilo_sim::Spec::new("ilo-1"));
        assert_eq!(args.personality, [spec.personality]);
        assert_eq!(
            (args.limit, args.timeout, args.basic_auth),
            (spec.limit, spec.session_timeout_min, spec.basic_auth)
        );
        assert_eq!(args.wrong_password_status, spec.wrong_password_status);
        assert_eq!((args.full_status, args.update_state), (spec.table_full_status, UpdateState::Idle));
    }

    #[test]
    fn personalities_are_a_list_and_the_help_knows_each() {
        let args = parse("--personality ilo4-2.55,openbmc").unwrap();
        assert_eq!(args.personality, [Personality::Ilo4V255, Personality::OpenBmc]);
        assert!(parse("--personality ilo3").unwrap_err().contains("there are ilo4-2.30"));
        let help = after_help();
        assert!(Personality::ALL.iter().all(|personality| help.contains(personality.name())), "{help}");
    }

    #[test]
    fn a_session_from_the_start_has_a_tag_an_owner_and_an_address() {
        let there = session("Remote Console+media:bob@2001:db8::8").unwrap();
        assert_eq!((there.tag.as_str(), there.owner.as_str()), ("Remote Console", "bob"));
        assert_eq!(
            (there.origin.to_string().as_str(), there.virtual_media, there.dangling),
            ("2001:db8::8", true, false)
        );
        assert!(session("REST+dangling:a@192.0.2.9").unwrap().dangling);
        let why = |text| session(text).unwrap_err();
        assert_eq!(why("REST"), "there is no ':' between tag and owner");
        assert_eq!(why("REST:a"), "there is no '@' between owner and address");
        assert_eq!(why("REST:a@b"), "'b' is not an IP address");
        assert_eq!(why("REST+x:a@192.0.2.9"), "'+x' is neither +media nor +dangling");
    }

    #[test]
    fn choices_are_words_and_numbers() {
        let args = parse("--kind-limit REST=8 --basic-auth Disabled --update-state writing --utc-offset -300").unwrap();
        assert_eq!(args.kind_limit, [("REST".to_owned(), 8)]);
        assert_eq!((args.basic_auth, args.update_state), (BasicAuth::Disabled, UpdateState::Writing));
        assert_eq!(args.utc_offset, -300);
        for wrong in ["--kind-limit REST", "--kind-limit REST=x", "--basic-auth no", "--update-state x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
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
