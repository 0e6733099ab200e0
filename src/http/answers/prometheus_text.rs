//! Prometheus' text format, version 0.0.4: families of samples, each under its HELP and TYPE.
//!
//! A sample can only be written together with the words that explain it, once for each name, and a
//! value that is not known is left out with them. Names, labels and help are the program's own
//! (`&'static str`), so nothing that a client sends can become a label; the values of labels may come from
//! the user's options and are escaped.
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::feed::stats::Histogram;
use std::fmt::Display;

/// The media type of what [`Exposition::finish`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text being written.
#[derive(Debug)]
pub struct Exposition {
    help: &'static str,
    /// What all samples have that are put now.
    labels: Vec<String>,
    families: Vec<Family>,
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    kind: &'static str,
    /// Their lines; without any the family is left out.
    samples: String,
}

impl Exposition {
    /// An empty text. `help` has a line for each name: the name, a blank and the words that explain it.
    pub fn new(help: &'static str) -> Exposition {
        Exposition {
            help,
            labels: Vec::new(),
            families: Vec::new(),
        }
    }

    /// From now on samples have `label` before their own; `None` ends that. Samples of one name stand together
    /// whenever they are put.
    pub fn label_all(&mut self, label: Option<(&'static str, &str)>) {
        self.labels = label.into_iter().map(written).collect();
    }

    /// A number that only rises, if its name ends in `_total`; else one that rises and falls.
    pub fn put(&mut self, name: &'static str, value: impl Display) {
        self.put_known(name, Some(value));
    }

    /// The same; nothing when it is not known.
    pub fn put_known(&mut self, name: &'static str, value: Option<impl Display>) {
        let family = self.family(name, kind(name));
        if let Some(value) = value {
            self.sample(family, "", &[], value);
        }
    }

    /// Numbers as those of `put`, one for each value of `label`.
    pub fn put_each(
        &mut self,
        name: &'static str,
        label: &'static str,
        values: &[(&'static str, u64)],
    ) {
        let family = self.family(name, kind(name));
        for (value, number) in values {
            self.sample(family, "", &[(label, value)], number);
        }
    }

    /// Always 1, with facts in its labels.
    pub fn put_info(&mut self, name: &'static str, labels: &[(&'static str, &str)]) {
        let family = self.family(name, kind(name));
        self.sample(family, "", labels, 1);
    }

    /// Times in seconds.
    pub fn put_histogram(&mut self, name: &'static str, times: &Histogram) {
        // Read once, so that the count is that of the last bucket.
        let up_to = times.up_to();
        let bounds = Histogram::MILLIS.iter();
        let bounds = bounds.map(|&millis| (f64::from(millis) / 1e3).to_string());
        let bounds = bounds.chain([String::from("+Inf")]);
        let count = up_to.last().copied().unwrap_or_default();
        let family = self.family(name, "histogram");
        for (bound, count) in bounds.zip(up_to) {
            self.sample(family, "_bucket", &[("le", &bound)], count);
        }
        self.sample(family, "_sum", &[], times.seconds());
        self.sample(family, "_count", &[], count);
    }

    /// The whole text.
    pub fn finish(self) -> String {
        let mut text = String::new();
        for Family {
            name,
            kind,
            samples,
        } in &self.families
        {
            if !samples.is_empty() {
                let mut lines = self.help.lines();
                let help = lines.find(|line| line.split(' ').next() == Some(name));
                debug_assert!(help.is_some_and(|help| !help.contains('\\')), "{name}");
                let help = help.unwrap_or(name);
                text += &format!("# HELP {help}\n# TYPE {name} {kind}\n{samples}");
            }
        }
        text
    }

    /// The index of the family of that name.
    fn family(&mut self, name: &'static str, kind: &'static str) -> usize {
        let mut families = self.families.iter();
        families
            .position(|one| one.name == name)
            .unwrap_or_else(|| {
                let samples = String::new();
                self.families.push(Family {
                    name,
                    kind,
                    samples,
                });
                self.families.len() - 1
            })
    }

    fn sample(
        &mut self,
        family: usize,
        suffix: &str,
        labels: &[(&'static str, &str)],
        value: impl Display,
    ) {
        let Family { name, samples, .. } = &mut self.families[family];
        let own = labels.iter().copied().map(written);
        let labels: Vec<_> = self.labels.iter().cloned().chain(own).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        *samples += &format!("{name}{suffix}{labels} {value}\n");
    }
}

fn written((label, value): (&'static str, &str)) -> String {
    format!("{label}=\"{}\"", escaped(value))
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
        text.put_each("b_total", "reason", &[("x", 1), ("y", 2)]);
        text.put("c_seconds", 0.25);
        text.put("d", u8::from(true));
        text.put_each("e", "state", &[("on", 0)]);
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
        text.put_info("a_info", &[("x", "1"), ("y", "C:\\ \"ü\",\n}")]);
        assert_eq!(
            text.finish(),
            "# HELP a_info As.\n# TYPE a_info gauge\na_info{x=\"1\",y=\"C:\\\\ \\\"ü\\\",\\n}\"} 1\n"
        );
    }

    #[test]
    fn samples_of_one_name_stand_together_with_the_label_of_each() {
        let mut text = Exposition::new("a As.\nb Bs.\nc Cs.");
        for (camera, age) in [("x", None), ("\"", Some(2))] {
            text.label_all(Some(("camera", camera)));
            text.put_known("a", age);
            text.put_each("b", "state", &[("on", 1)]);
        }
        text.label_all(None);
        text.put("c", 3);
        assert_eq!(
            text.finish(),
            "# HELP a As.\n# TYPE a gauge\na{camera=\"\\\"\"} 2\n\
             # HELP b Bs.\n# TYPE b gauge\nb{camera=\"x\",state=\"on\"} 1\n\
             b{camera=\"\\\"\",state=\"on\"} 1\n\
             # HELP c Cs.\n# TYPE c gauge\nc 3\n"
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
        text.put_histogram("a_seconds", &times);
        let text = text.finish();
        let expected = "# HELP a_seconds As.\n# TYPE a_seconds histogram\n\
            a_seconds_bucket{le=\"0.001\"} 0\na_seconds_bucket{le=\"0.002\"} 1\n";
        assert!(text.starts_with(expected), "{text}");
        let expected = "a_seconds_bucket{le=\"0.5\"} 1\na_seconds_bucket{le=\"+Inf\"} 2\n\
            a_seconds_sum 2.0015\na_seconds_count 2\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
