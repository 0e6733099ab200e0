//! The password and the token: what they must look like, and what a request's credentials are
//! worth.
//!
//! Reading again replaces them. What cannot be read or is no good leaves the one before in force.

use crate::{
    config::AccessConfig,
    error::Error,
    http::{
        auth::{
            credentials,
            secret::{MAX_SECRET_BYTES, Secret},
            secret_source::{Names, SecretSource},
        },
        request::Request,
    },
};
use log::{error, info, warn};
use parking_lot::RwLock;
use std::{env, path::Path};

/// Shortest token. It stands in addresses, which are copied more often than typed.
const SHORTEST_TOKEN: usize = 16;

/// A password shorter than this is soon guessed, and nothing slows a guesser.
const SHORT_PASSWORD: usize = 8;

const PASSWORD: Names = Names {
    option: "--password-file",
    credential: "password",
    variable: "CAMFEED_PASSWORD",
};

const TOKEN: Names = Names {
    option: "--token-file",
    credential: "token",
    variable: "CAMFEED_TOKEN",
};

/// What lets a request in.
#[derive(Debug)]
pub struct Secrets {
    password: Option<Key<Password>>,
    token: Option<Key<Token>>,
}

/// What a request's credentials are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Password,
    /// The token is right.
    Token,
    /// Something was tried, and it is wrong.
    Wrong,
    /// Nothing was tried.
    Nothing,
}

/// A secret and where it comes from.
#[derive(Debug)]
struct Key<T> {
    source: SecretSource,
    /// Held to compare a guess with it, or to put another there.
    current: RwLock<T>,
}

/// A password, with or without a user's name.
#[derive(Debug)]
struct Password {
    secret: Secret,
    /// The secret is `user:password`; otherwise any name is taken.
    has_user: bool,
    is_short: bool,
}

#[derive(Debug)]
struct Token(Secret);

impl Secrets {
    /// Reads what options, systemd's credentials or the environment give.
    pub fn read(config: &AccessConfig) -> Result<Secrets, Error> {
        Ok(Secrets {
            password: Key::read(&PASSWORD, config.password_file.as_deref())?,
            token: Key::read(&TOKEN, config.token_file.as_deref())?,
        })
    }

    /// Reads the files again.
    pub fn reload(&self) {
        self.password.iter().for_each(Key::reload);
        self.token.iter().for_each(Key::reload);
    }

    /// True when a password lets in.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// True when a token lets in.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// True when `given` is the token.
    pub fn is_token(&self, given: &str) -> bool {
        let key = self.token.as_ref();
        key.is_some_and(|key| key.current.read().0.is(given.as_bytes()))
    }

    /// What the credentials of `request` are worth. Those nobody asks for are not looked at: they may
    /// be meant for a proxy.
    pub fn judge(&self, request: &Request, only_looks: bool) -> Verdict {
        let password = self.password.as_ref();
        let password =
            password.and_then(|key| Some(key.current.read().is(&credentials::basic(request)?)));
        let token = credentials::token(request).filter(|_| self.has_token());
        match (password, token.map(|token| self.is_token(&token))) {
            (Some(true), _) => Verdict::Password,
            // Who has the token shall not guess the password unnoticed.
            (Some(false), _) if !only_looks => Verdict::Wrong,
            (_, Some(true)) => Verdict::Token,
            (None, None) => Verdict::Nothing,
            _ => Verdict::Wrong,
        }
    }
}

impl<T: Parse> Key<T> {
    fn read(names: &Names, file: Option<&Path>) -> Result<Option<Key<T>>, Error> {
        let source = SecretSource::find(names, file, &|name: &str| env::var_os(name))?;
        let key = |source| {
            let current = RwLock::new(T::read(&source)?);
            Ok(Key { source, current })
        };
        source.map(key).transpose()
    }

    fn reload(&self) {
        if !self.source.is_file() {
            return;
        }
        match T::read(&self.source) {
            Ok(secret) => {
                *self.current.write() = secret;
                info!("read again: {}", self.source);
            }
            Err(error) => error!("{error}; what was read before stays in force"),
        }
    }
}

/// A secret that is made of a line.
trait Parse: Sized {
    fn parse(line: &[u8]) -> Result<Self, String>;

    fn read(source: &SecretSource) -> Result<Self, Error> {
        source.read(Self::parse)
    }
}

impl Password {
    /// True when `given`, a name, a colon and a password, lets in.
    fn is(&self, given: &[u8]) -> bool {
        if self.has_user {
            return self.secret.is(given);
        }
        let mut halves = given.splitn(2, |&byte| byte == b':');
        halves.nth(1).is_some_and(|guess| self.secret.is(guess))
    }
}

impl Parse for Password {
    /// `user:password`, or only `password`; `:password` when it has colons itself.
    fn parse(line: &[u8]) -> Result<Password, String> {
        let colon = line.iter().position(|&byte| byte == b':');
        let password = colon.map_or(line, |at| &line[at + 1..]);
        if password.is_empty() {
            return Err("the password in it is empty".to_owned());
        }
        let has_user = colon.is_some_and(|at| at > 0);
        let secret = Secret::new(if has_user { line } else { password });
        Ok(Password {
            secret: secret.ok_or_else(too_long)?,
            has_user,
            is_short: password.len() < SHORT_PASSWORD,
        })
    }

    fn read(source: &SecretSource) -> Result<Password, Error> {
        let password = source.read(Password::parse)?;
        if password.is_short {
            warn!("the password of {source} is shorter than {SHORT_PASSWORD} and soon guessed");
        }
        Ok(password)
    }
}

impl Parse for Token {
    fn parse(line: &[u8]) -> Result<Token, String> {
        let is_plain = line
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(byte));
        if line.len() < SHORTEST_TOKEN || !is_plain {
            return Err(format!(
                "a token is {SHORTEST_TOKEN} or more of A-Z a-z 0-9 . _ ~ - \
                 (`openssl rand -hex 16` makes one)"
            ));
        }
        Secret::new(line).map(Token).ok_or_else(too_long)
    }
}

fn too_long() -> String {
    format!("it is longer than {MAX_SECRET_BYTES} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Secrets {
        /// These, as if read from the environment.
        pub fn of(password: Option<&str>, token: Option<&str>) -> Secrets {
            fn key<T: Parse>(line: &str) -> Key<T> {
                Key {
                    source: SecretSource::Variable("TEST"),
                    current: RwLock::new(T::parse(line.as_bytes()).expect("good")),
                }
            }
            Secrets {
                password: password.map(key),
                token: token.map(key),
            }
        }
    }

    #[test]
    fn a_password_lets_in_with_its_user_or_with_any() {
        for (line, given, lets_in) in [
            ("ann:secret", "ann:secret", true),
            ("ann:secret", "bob:secret", false),
            ("ann:secret", ":secret", false),
            ("ann:secret", "ann:secret2", false),
            ("ann:se:cret", "ann:se:cret", true),
            ("secret", "ann:secret", true),
            ("secret", ":secret", true),
            ("secret", "ann:secre", false),
            ("secret", "ann:bob:secret", false),
            ("secret", "secret:", false),
            (":se:cret", "ann:se:cret", true),
            (":se:cret", "ann:cret", false),
            ("m\u{fc}ll:\u{e9}\u{e8}", "m\u{fc}ll:\u{e9}\u{e8}", true),
        ] {
            let password = Password::parse(line.as_bytes()).expect(line);
            assert_eq!(password.is(given.as_bytes()), lets_in, "{line} {given}");
        }
        let long = "a".repeat(MAX_SECRET_BYTES + 1);
        for (line, reason) in [
            ("ann:", "is empty"),
            (":", "is empty"),
            (&long, "longer than 256"),
        ] {
            let refused = Password::parse(line.as_bytes()).expect_err(line);
            assert!(refused.contains(reason), "{line}: {refused}");
        }
    }

    #[test]
    fn a_token_is_long_and_plain() {
        for good in ["0123456789abcdef", "AZaz09._~-AZaz09"] {
            assert!(Token::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for wrong in [
            "0123456789abcde",
            "0123456789abcdef!",
            "0123456789 abcdef",
            "0123456789abcd\u{e9}f",
        ] {
            let refused = Token::parse(wrong.as_bytes()).expect_err(wrong);
            assert!(refused.contains("openssl rand -hex 16"), "{refused}");
            assert!(!refused.contains(wrong), "{refused}");
        }
    }

    #[test]
    fn nothing_of_the_keys_is_shown() {
        let keys = Secrets::of(Some("ann:sesame"), Some("0123456789abcdef"));
        let shown = format!("{keys:?}");
        for hidden in ["ann", "sesame", "0123456789abcdef", "115"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
