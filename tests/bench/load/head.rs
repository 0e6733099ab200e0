//! What a stream's response head must say, and how times are written in a part's.

/// Checks the response head; the delimiter line it announces, and whether chunks follow.
pub fn read_stream_head(head: &str, takes_chunks: bool) -> Result<(String, bool), String> {
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("answered {status:?}"));
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let coding = header("transfer-encoding");
    let is_chunked = takes_chunks && coding == Some("chunked");
    if let Some(coding) = coding.filter(|_| !is_chunked) {
        return Err(format!("a stream in transfer encoding {coding:?}"));
    }
    let kind = header("content-type").unwrap_or_default();
    let boundary = kind
        .split_once("boundary=")
        .map(|(_, name)| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty() && kind.starts_with("multipart/x-mixed-replace"))
        .ok_or_else(|| format!("not a stream: content type {kind:?}"))?;
    // Some servers put the dashes into the announced name as well, and mean one pair.
    let name = boundary.strip_prefix("--").unwrap_or(boundary);
    Ok((format!("--{name}"), is_chunked))
}

/// `seconds.micros`, with any number of decimals.
pub fn parse_micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(6)
        .collect();
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + digits.parse::<u64>().ok()?)
}
