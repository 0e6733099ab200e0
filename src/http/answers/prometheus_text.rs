//! Prometheus' text format, version 0.0.4: families of samples, each under its HELP and TYPE.
//!
//! A sample can only be written together with the words that explain it, once for each name, and a
//! value that is not known is left out with them. Names, labels and help are the program's own
//! (`&'static str`), so nothing that a client sends can become a label; the values of an info come from
//! the user's options and are escaped.
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::feed::stats::Histogram;
use std::fmt::{self, Display, Formatter, Write};

/// The media type of what [`Exposition::finish`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text being written.
#[derive(Debug)]
pub struct Exposition {
    help: &'static str,
    text: String,
}

/// What tells samples of one name apart. Empty for the only one.
#[derive(Debug, Clone, Default)]
pub struct Labels(String);

impl Exposition {
    /// An empty text. `help` has a line for each name: the name, a blank and the words that explain it.
    pub fn new(help: &'static str) -> Exposition {
        let text = String::new();
        Exposition { help, text }
    }

    /// A number that only rises, if its name ends in `_total`; else one that rises and falls.
    pub fn put(&mut self, name: &'static str, value: impl Display) {
        self.put_all(name, [(Labels::default(), value)]);
    }

    /// The same; nothing when it is not known.
    pub fn put_known(&mut self, name: &'static str, value: Option<impl Display>) {
        self.put_all(name, value.map(|value| (Labels::default(), value)));
    }

    /// Numbers as those of `put`, told apart by their labels; nothing when there is none.
    pub fn put_all<V: Display>(
        &mut self,
        name: &'static str,
        samples: impl IntoIterator<Item = (Labels, V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            self.family(name, kind(name));
        }
        for (labels, value) in samples {
            self.line(format_args!("{name}{labels} {value}"));
        }
    }

    /// Always 1, with facts in its labels.
    pub fn put_info(&mut self, name: &'static str, labels: Labels) {
        self.put_all(name, [(labels, 1)]);
    }

    /// Times in seconds, told apart by their labels.
    pub fn put_histograms<'a>(
        &mut self,
        name: &'static str,
        samples: impl IntoIterator<Item = (Labels, &'a Histogram)>,
    ) {
        self.family(name, "histogram");
        for (labels, times) in samples {
            // Read once, so that the count is that of the last bucket.
            let up_to = times.up_to();
            let bounds = Histogram::MILLIS.iter();
            let bounds = bounds.map(|&millis| (f64::from(millis) / 1e3).to_string());
            let bounds = bounds.chain([String::from("+Inf")]);
            let count = up_to.last().copied().unwrap_or_default();
            for (bound, count) in bounds.zip(up_to) {
                let labels = labels.clone().with("le", &bound);
                self.line(format_args!("{name}_bucket{labels} {count}"));
            }
            self.line(format_args!("{name}_sum{labels} {}", times.seconds()));
            self.line(format_args!("{name}_count{labels} {count}"));
        }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str) {
        let mut lines = self.help.lines();
        let help = lines.find(|line| line.split(' ').next() == Some(name));
        debug_assert!(help.is_some_and(|help| !help.contains('\\')), "{name}");
        self.line(format_args!("# HELP {}", help.unwrap_or(name)));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }
}

impl Labels {
    /// These and one more.
    pub fn with(mut self, label: &'static str, value: &str) -> Labels {
        let comma = if self.0.is_empty() { "" } else { "," };
        let value = escaped(value);
        write!(self.0, "{comma}{label}=\"{value}\"").expect("writing to a String cannot fail");
        self
    }
}

impl Display for Labels {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => Ok(()),
            labels => write!(f, "{{{labels}}}"),
        }
    }
}

/// A label's value between quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn kind(name: &str) -> &'static str {
    if name.ends_with("_total") {
        "counter"
    } else {
        "gauge"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_kind_is_written_under_its_help_and_type() {
        let mut text = Exposition::new("a_total As.\nb_total Bs.\nc_seconds Cs.\nd Ds.\ne Es.");
        text.put("a_total", 1_u64 << 60);
        let because = |reason| Labels::default().with("reason", reason);
        text.put_all("b_total", [(because("x"), 1), (because("y"), 2)]);
        text.put("c_seconds", 0.25);
        text.put("d", u8::from(true));
        text.put_all("e", [(Labels::default().with("state", "on"), 0)]);
        assert_eq!(
            text.finish(),
            "# HELP a_total As.\n# TYPE a_total counter\na_total 1152921504606846976\n\
             # HELP b_total Bs.\n# TYPE b_total counter\n\
             b_total{reason=\"x\"} 1\nb_total{reason=\"y\"} 2\n\
             # HELP c_seconds Cs.\n# TYPE c_seconds gauge\nc_seconds 0.25\n\
             # HELP d Ds.\n# TYPE d gauge\nd 1\n\
             # HELP e Es.\n# TYPE e gauge\ne{state=\"on\"} 0\n"
        );
    }

    #[test]
    fn the_values_of_an_info_are_escaped() {
        let mut text = Exposition::new("a_info As.");
        let labels = Labels::default().with("x", "1");
        text.put_info("a_info", labels.with("y", "C:\\ \"ü\",\n}"));
        assert_eq!(
            text.finish(),
            "# HELP a_info As.\n# TYPE a_info gauge\na_info{x=\"1\",y=\"C:\\\\ \\\"ü\\\",\\n}\"} 1\n"
        );
    }

    #[test]
    fn what_is_not_known_is_left_out_with_its_help() {
        let mut text = Exposition::new("a As.\nb Bs.");
        text.put_known("a", None::<f64>);
        text.put_known("b", None::<u8>);
        assert_eq!(text.finish(), "");
    }

    #[test]
    fn a_histogram_is_cumulative_in_seconds() {
        let times = Histogram::default();
        times.add(Duration::from_micros(1500));
        times.add(Duration::from_secs(2));
        let mut text = Exposition::new("a_seconds As.");
        text.put_histograms("a_seconds", [(Labels::default(), &times)]);
        let text = text.finish();
        let expected = "# HELP a_seconds As.\n# TYPE a_seconds histogram\n\
            a_seconds_bucket{le=\"0.001\"} 0\na_seconds_bucket{le=\"0.002\"} 1\n";
        assert!(text.starts_with(expected), "{text}");
        let expected = "a_seconds_bucket{le=\"0.5\"} 1\na_seconds_bucket{le=\"+Inf\"} 2\n\
            a_seconds_sum 2.0015\na_seconds_count 2\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
