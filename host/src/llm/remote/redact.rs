//! Redact: takes secrets out of what a server says before anybody sees it. Servers and gateways repeat the request's
//! headers when they are puzzled, in errors and in replies, and what is said here is stored, shown and sent on as history.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;

use super::RemoteConfig;

const MASK: &str = "[redacted]";
/// Bytes from which on a secret is looked for in replies. Local servers get keys such as `ollama`, and a reply may use the word.
const MIN_IN_REPLY: usize = 12;
/// Bytes from which on a header's value or a part of a URL is taken for a secret.
const MIN_UNNAMED: usize = 8;

/// The secrets of one server.
pub(super) struct Secrets(Vec<zeroize::Zeroizing<String>>);

impl Secrets {
    /// The key, the values of further headers, and what a base URL may hold: a password, a query.
    pub(super) fn of(config: &RemoteConfig, url: &Url) -> Secrets {
        let mut all: Vec<String> = config.key.iter().map(|key| key.expose().to_owned()).collect();
        let headers = config.headers.iter().map(|(_, value)| value.expose().to_owned());
        let mut unnamed: Vec<String> = headers.collect();
        unnamed.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        if let Some(password) = url.password() {
            unnamed.push(password.to_owned());
            unnamed.push(BASE64_STANDARD.encode(format!("{}:{password}", url.username())));
        }
        // A header such as `Bearer sk-…` is repeated without its first word, too.
        let words: Vec<String> = unnamed.iter().flat_map(|text| text.split(' ')).map(str::to_owned).collect();
        unnamed.extend(words);
        all.extend(unnamed.into_iter().filter(|text| text.len() >= MIN_UNNAMED));
        all.retain(|secret| !secret.is_empty());
        // The longest first, so that nothing of it is left when another one is its part.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all.dedup();
        Secrets(all.into_iter().map(zeroize::Zeroizing::new).collect())
    }

    /// An error's text without any of them.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }

    /// A reply's text without those that no text has by chance.
    pub(super) fn hide_in_reply(&self, text: &str) -> String {
        self.in_replies().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }

    /// Bytes at the end of a reply's text that may be the beginning of a secret.
    pub(super) fn held_back(&self, text: &str) -> usize {
        let beginning = |secret: &str| {
            let most = (secret.len() - 1).min(text.len());
            (1..=most).rev().find(|&length| text.as_bytes().ends_with(&secret.as_bytes()[..length])).unwrap_or(0)
        };
        self.in_replies().map(beginning).max().unwrap_or(0)
    }

    fn in_replies(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|secret| secret.as_str()).filter(|secret| secret.len() >= MIN_IN_REPLY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Secret;
    use crate::llm::remote::Protocol;

    fn secrets(base_url: &str) -> Secrets {
        let config = RemoteConfig {
            key: Some(Secret::new("sk-0123456789".into())),
            headers: vec![
                ("x-gateway".into(), Secret::new("Bearer gateway-0123456789".into())),
                ("x-title".into(), Secret::new("short".into())),
            ],
            ..RemoteConfig::new(Protocol::Chat, "m")
        };
        Secrets::of(&config, &Url::parse(base_url).unwrap())
    }

    #[test]
    fn whatever_is_secret_in_a_request_is_hidden() {
        let secrets = secrets("http://me:pass-0123456789@h/v1?k=query-0123456789&v=2024");
        let said = "sk-0123456789 Bearer gateway-0123456789, gateway-0123456789 pass-0123456789 query-0123456789 \
                    bWU6cGFzcy0wMTIzNDU2Nzg5 short 2024";
        let shown = "[redacted] [redacted], [redacted] [redacted] [redacted] [redacted] short 2024";
        assert_eq!((secrets.hide(said), secrets.hide_in_reply(said)), (shown.into(), shown.into()));
    }

    #[test]
    fn the_beginning_of_a_secret_is_held_back_and_nothing_else() {
        let secrets = secrets("http://h/v1");
        for (text, held) in [("", 0), ("a s", 1), ("a sk-01", 5), ("sk-012345678", 12), ("sk-0x", 0), ("über sk", 2)] {
            assert_eq!(secrets.held_back(text), held, "{text}");
        }
    }
}
