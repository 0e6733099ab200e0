//! Prometheus' text format, version 0.0.4: families of samples, each under its HELP and TYPE.
//!
//! A sample can only be written together with the words that explain it, once for each name, and a
//! value that is not known is left out with them. Names, labels and help are the program's own
//! (`&'static str`), so nothing needs escaping and nothing that a client sends can become a label.
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::feed::stats::Histogram;
use std::fmt::{Display, Write};

/// The media type of what [`Exposition::finish`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text being written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// A number that only rises; its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.family(name, "counter", help).sample(name, value);
    }

    /// Numbers that only rise, one for each value of `label`.
    pub fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[(&'static str, u64)],
    ) {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.family(name, "counter", help)
            .labelled(name, label, values);
    }

    /// A number that rises and falls.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(name, "gauge", help).sample(name, value);
    }

    /// The same; nothing when it is not known.
    pub fn gauge_if_known(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: Option<impl Display>,
    ) {
        if let Some(value) = value {
            self.gauge(name, help, value);
        }
    }

    /// 1 for true and 0 for false; nothing when it is not known.
    pub fn flag(&mut self, name: &'static str, help: &'static str, value: impl Into<Option<bool>>) {
        self.gauge_if_known(name, help, value.into().map(u8::from));
    }

    /// Numbers that rise and fall, one for each value of `label`.
    pub fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[(&'static str, u64)],
    ) {
        self.family(name, "gauge", help)
            .labelled(name, label, values);
    }

    /// Times in seconds.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, times: &Histogram) {
        // Read once, so that the count is that of the last bucket.
        let up_to = times.up_to();
        let bounds = Histogram::MILLIS.iter();
        let bounds = bounds.map(|&millis| (f64::from(millis) / 1e3).to_string());
        let bounds = bounds.chain([String::from("+Inf")]);
        let count = up_to.last().copied().unwrap_or_default();
        let family = self.family(name, "histogram", help);
        for (bound, count) in bounds.zip(up_to) {
            family.sample(format_args!("{name}_bucket{{le=\"{bound}\"}}"), count);
        }
        family.sample(format_args!("{name}_sum"), times.seconds());
        family.sample(format_args!("{name}_count"), count);
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &'static str) -> &mut Exposition {
        debug_assert!(!help.contains(['\\', '\n']), "{help}");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        self
    }

    fn labelled(&mut self, name: &str, label: &'static str, values: &[(&'static str, u64)]) {
        for (value, number) in values {
            debug_assert!(!value.contains(['\\', '\n', '"']), "{value}");
            self.sample(format_args!("{name}{{{label}=\"{value}\"}}"), number);
        }
    }

    fn sample(&mut self, series: impl Display, value: impl Display) {
        self.line(format_args!("{series} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_kind_is_written_under_its_help_and_type() {
        let mut text = Exposition::default();
        text.counter("a_total", "As.", 1_u64 << 60);
        text.counters("b_total", "Bs.", "reason", &[("x", 1), ("y", 2)]);
        text.gauge("c_seconds", "Cs.", 0.25);
        text.flag("d", "Ds.", true);
        text.gauges("e", "Es.", "state", &[("on", 0)]);
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
    fn what_is_not_known_is_left_out_with_its_help() {
        let mut text = Exposition::default();
        text.gauge_if_known("a", "As.", None::<f64>);
        text.flag("b", "Bs.", None);
        assert_eq!(text.finish(), "");
    }

    #[test]
    fn a_histogram_is_cumulative_in_seconds() {
        let times = Histogram::default();
        times.add(Duration::from_micros(1500));
        times.add(Duration::from_secs(2));
        let mut text = Exposition::default();
        text.histogram("a_seconds", "As.", &times);
        let text = text.finish();
        let expected = "# HELP a_seconds As.\n# TYPE a_seconds histogram\n\
            a_seconds_bucket{le=\"0.001\"} 0\na_seconds_bucket{le=\"0.002\"} 1\n";
        assert!(text.starts_with(expected), "{text}");
        let expected = "a_seconds_bucket{le=\"0.5\"} 1\na_seconds_bucket{le=\"+Inf\"} 2\n\
            a_seconds_sum 2.0015\na_seconds_count 2\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
