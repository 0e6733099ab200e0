//! Access control: who may look. Asked before anything else is done with a request.
//!
//! With a password or a token, a request must bring one of them (`secrets`, `credentials`).
//! Without both everybody on the network may look, but no page from elsewhere through a browser
//! that is in this network (`host_check`). `/healthz` is for everybody: it shows no picture.
//!
//! A wrong password or token is answered with a 401, however often it is tried, and logged with its
//! peer a few times a minute. Nothing here bounds how fast somebody guesses: a long password does, which
//! is why a short one is warned of, and a token must be long.

mod credentials;
mod host_check;
mod secret;
mod secret_source;
mod secrets;

use crate::{
    config::{AccessConfig, HostPattern},
    error::Error,
    http::{
        query::Query,
        request::{Method, Request},
        response::Response,
    },
    system::log_limit::LogLimiter,
};
use host_check::RefusedNames;
use log::{info, warn};
use secrets::{Secrets, Verdict};
use std::net::IpAddr;

/// Lines a minute about wrong passwords and tokens.
const LINES: u32 = 4;

/// The address that asks for nothing.
const OPEN_PATH: &str = "/healthz";

/// Who may look.
#[derive(Debug)]
pub struct AccessControl {
    keys: Secrets,
    /// Log lines about wrong passwords and tokens.
    wrong_lines: LogLimiter,
    allow_hosts: Vec<HostPattern>,
    refused_names: RefusedNames,
}

impl AccessControl {
    /// Reads the password and the token, where there are any.
    pub fn open(config: &AccessConfig) -> Result<AccessControl, Error> {
        Ok(AccessControl {
            keys: Secrets::read(config)?,
            wrong_lines: LogLimiter::per_minute(LINES),
            allow_hosts: config.allow_hosts.clone(),
            refused_names: RefusedNames::default(),
        })
    }

    /// True when a password is asked for.
    pub fn has_password(&self) -> bool {
        self.keys.has_password()
    }

    /// Says who may look, at a server that listens on `ip`; `None` is a Unix socket.
    pub fn announce(&self, ip: Option<IpAddr>) {
        let is_public = ip.is_some_and(|ip| !ip.to_canonical().is_loopback());
        match (self.keys.has_password(), self.keys.has_token()) {
            (true, true) => info!("a password is asked for; the token lets look, too"),
            (true, false) => info!("a password is asked for"),
            (false, true) => info!("a token is asked for"),
            (false, false) if is_public => {
                warn!("everybody on the network can watch: --password-file asks for a password");
            }
            (false, false) => {}
        }
    }

    /// Reads the files of the password and the token again. What cannot be read stays as it was
    /// and is said in the log; who is watching goes on.
    pub fn reload(&self) {
        self.keys.reload();
    }

    /// Lets a request for the address `path` pass, or gives the answer that refuses it.
    pub fn check(&self, request: &Request, path: &str) -> Result<(), Response> {
        if path == OPEN_PATH {
            return Ok(());
        }
        if !self.keys.has_password() && !self.keys.has_token() {
            return host_check::check(request, &self.allow_hosts, &self.refused_names);
        }
        let only_looks = matches!(request.method, Method::Get | Method::Head);
        match self.keys.judge(request, only_looks) {
            Verdict::Password => Ok(()),
            Verdict::Token if only_looks => Ok(()),
            Verdict::Token => {
                let line = "the token lets look only; changing something needs the password\n";
                Err(Response::text(403, line))
            }
            Verdict::Nothing => Err(self.challenge()),
            Verdict::Wrong => {
                if let Some(suppressed) = self.wrong_lines.permit() {
                    let peer = request.peer.ip();
                    let peer = peer.map_or("unix".to_owned(), |ip| ip.to_string());
                    warn!("wrong password or token peer={peer}{suppressed}");
                }
                Err(self.challenge())
            }
        }
    }

    /// The token in `query` when it is the right one: pages pass it on.
    pub fn token_in(&self, query: &Query) -> Option<String> {
        let given = query.get("token")?;
        self.keys.is_token(&given).then(|| given.into_owned())
    }

    fn challenge(&self) -> Response {
        let (challenge, line) = if self.keys.has_password() {
            (
                "Basic realm=\"camfeed\", charset=\"UTF-8\"",
                "a password is asked for here\n",
            )
        } else {
            (
                "Bearer realm=\"camfeed\"",
                "a token is asked for here: put ?token=… behind the address\n",
            )
        };
        Response::text(401, line).with("WWW-Authenticate", challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn access(password: Option<&str>, token: Option<&str>) -> AccessControl {
        AccessControl {
            keys: Secrets::of(password, token),
            wrong_lines: LogLimiter::per_minute(LINES),
            allow_hosts: Vec::new(),
            refused_names: RefusedNames::default(),
        }
    }

    /// 0 when it passes.
    fn status(access: &AccessControl, ask: &Request) -> u16 {
        access
            .check(ask, &ask.target.path)
            .map_or_else(|refusal| refusal.status(), |()| 0)
    }

    #[test]
    fn who_may_look_and_who_may_change() {
        let (password, token) = (Some("ann:sesame"), Some(TOKEN));
        let right = Some("Basic YW5uOnNlc2FtZQ==");
        let wrong = Some("Basic YW5uOnNlc2Ft");
        let bearer = Some("Bearer 0123456789abcdef");
        let (good, bad) = ("x=1&token=0123456789abcdef", "token=0123456789abcdeX");
        for (password, token, authorization, query, look, change) in [
            (None, None, None, "", 0, 0),
            (None, None, wrong, bad, 0, 0),
            (password, None, None, "", 401, 401),
            (password, None, None, good, 401, 401),
            (password, None, right, "", 0, 0),
            (password, None, right, bad, 0, 0),
            (password, None, wrong, "", 401, 401),
            (password, None, bearer, "", 401, 401),
            (password, token, None, "", 401, 401),
            (password, token, None, good, 0, 403),
            (password, token, bearer, "", 0, 403),
            (password, token, None, bad, 401, 401),
            (password, token, wrong, good, 0, 401),
            (password, token, right, bad, 0, 0),
            (None, token, None, "", 401, 401),
            (None, token, None, good, 0, 403),
            (None, token, right, "", 401, 401),
            (None, token, right, good, 0, 403),
        ] {
            for (method, expected) in [("GET", look), ("POST", change)] {
                let mut ask = Request::example(&format!("/controls?{query}"), authorization);
                ask.method = method.parse().expect(method);
                let access = access(password, token);
                assert_eq!(status(&access, &ask), expected, "{access:?} {ask:?}");
                ask.target.path = "/healthz".to_owned();
                assert_eq!(status(&access, &ask), 0);
            }
        }
    }

    #[test]
    fn the_refusal_says_what_to_bring() {
        let ask = Request::example("/", None);
        for (password, token, challenge, word) in [
            (
                Some("x"),
                None,
                "Basic realm=\"camfeed\", charset=\"UTF-8\"",
                "password",
            ),
            (
                Some("x"),
                Some(TOKEN),
                "Basic realm=\"camfeed\", charset=\"UTF-8\"",
                "password",
            ),
            (None, Some(TOKEN), "Bearer realm=\"camfeed\"", "?token="),
        ] {
            let refusal = access(password, token)
                .check(&ask, "/")
                .expect_err("refused");
            let head = String::from_utf8(refusal.head(false, false, None)).expect("text");
            let expected = format!("\r\nWWW-Authenticate: {challenge}\r\n");
            assert!(head.contains(&expected), "{head}");
            let line = String::from_utf8_lossy(refusal.body());
            assert!(line.contains(word), "{line}");
        }
    }

    #[test]
    fn a_right_password_is_let_in_after_any_number_of_wrong_ones() {
        let access = access(Some("sesame"), Some(TOKEN));
        let with = |authorization| Request::example("/", Some(authorization));
        let right_token = Request::example("/?token=0123456789abcdef", None);
        for _ in 0..50 {
            assert_eq!(status(&access, &with("Basic YW5uOnNlc2Ft")), 401);
            assert_eq!(status(&access, &with("Basic YW5uOnNlc2FtZQ==")), 0);
            assert_eq!(status(&access, &right_token), 0);
        }
        assert!(
            access.wrong_lines.permit().is_none(),
            "its lines are used up"
        );
    }

    #[test]
    fn a_name_from_elsewhere_is_refused_only_without_a_password() {
        let mut ask = Request::example("/", None);
        ask.set_hosts(&["evil.example"]);
        assert_eq!(status(&access(None, None), &ask), 421);
        assert_eq!(status(&access(Some("sesame"), None), &ask), 401);
        ask.target.path = "/healthz".to_owned();
        assert_eq!(status(&access(None, None), &ask), 0);
    }

    #[test]
    fn only_the_right_token_is_passed_on() {
        let access = access(None, Some(TOKEN));
        let of = |query| access.token_in(&Query::new(query));
        assert_eq!(of("a=1&token=0123456789abcdef").as_deref(), Some(TOKEN));
        assert_eq!(of("token=0123456789abcdeX"), None);
        assert_eq!(of(""), None);
    }
}
