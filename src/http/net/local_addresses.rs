//! The addresses by which other machines reach this one: those of its interfaces, as the kernel tells them.

use std::{
    ffi::CStr,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    ptr,
};

/// Addresses that are told, at most: a machine with more has them for purposes of its own.
const MOST: usize = 4;

/// Bridges of containers and virtual machines on this machine, which nobody else reaches.
const INTERNAL: [&str; 5] = ["docker", "podman", "veth", "virbr", "cni"];

/// An address of an interface.
#[derive(Debug, Clone)]
struct InterfaceAddress {
    name: String,
    /// `IFF_UP` and the like.
    flags: u32,
    ip: IpAddr,
}

/// The addresses of this machine, best first: the one its traffic goes out by, then others; IPv4 before
/// IPv6, unless the caller does not want those.
pub fn local_addresses(wants_v4: bool, wants_v6: bool) -> Vec<IpAddr> {
    let routed = [routed(Ipv4Addr::UNSPECIFIED), routed(Ipv6Addr::UNSPECIFIED)];
    let routed: Vec<IpAddr> = routed.into_iter().flatten().collect();
    let mut found = best_first(&routed, &interface_addresses());
    found.retain(|ip| if ip.is_ipv4() { wants_v4 } else { wants_v6 });
    found.truncate(MOST);
    found
}

/// The `routed` addresses and those of all `interfaces` that others reach.
fn best_first(routed: &[IpAddr], interfaces: &[InterfaceAddress]) -> Vec<IpAddr> {
    let others = interfaces.iter().filter(|one| one.is_for_others());
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in routed.iter().copied().chain(others.map(|one| one.ip)) {
        if is_for_others(ip) && !found.contains(&ip) {
            found.push(ip);
        }
    }
    found.sort_by_key(|ip| ip.is_ipv6());
    found
}

impl InterfaceAddress {
    /// True for an interface that is up and leads out of this machine.
    fn is_for_others(&self) -> bool {
        let has = |flag| self.flags & flag as u32 != 0;
        has(libc::IFF_UP)
            && has(libc::IFF_RUNNING)
            && !has(libc::IFF_LOOPBACK)
            && !INTERNAL.iter().any(|start| self.name.starts_with(start))
    }
}

/// True for an address that other machines may reach.
fn is_for_others(ip: IpAddr) -> bool {
    let is_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !is_local && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
}

/// The address by which a packet to the internet would leave. Connecting a UDP socket sends nothing; it
/// asks the kernel.
fn routed(any: impl Into<IpAddr>) -> Option<IpAddr> {
    let any = any.into();
    // Addresses of the documentation, which are nobody's.
    let somewhere: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((somewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// All addresses of all interfaces; none where the kernel does not say.
#[expect(unsafe_code, reason = "no safe wrapper lists interfaces")]
fn interface_addresses() -> Vec<InterfaceAddress> {
    let mut found = Vec::new();
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: it writes to `first` the beginning of a list, which is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return found;
    }
    let mut next = first;
    // SAFETY: each entry is one of the list, or null behind the last.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: the address is null, or one of its family, and the name ends with a zero byte.
        let (ip, name) = unsafe { (ip_at(entry.ifa_addr), CStr::from_ptr(entry.ifa_name)) };
        found.extend(ip.map(|ip| InterfaceAddress {
            name: name.to_string_lossy().into_owned(),
            flags: entry.ifa_flags,
            ip,
        }));
        next = entry.ifa_next;
    }
    // SAFETY: it is the list from above, and nothing borrows from it any more.
    unsafe { libc::freeifaddrs(first) };
    found
}

/// The IP address at `address`; `None` of another family.
///
/// # Safety
///
/// `address` is null, or points to a socket address as long as its family's.
#[expect(unsafe_code, reason = "the family says what it points to")]
unsafe fn ip_at(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: as the caller says.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let number = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(number.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let number = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(number.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: i32 = libc::IFF_UP | libc::IFF_RUNNING;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_best_is_what_the_traffic_goes_out_by_and_nobody_is_told_of_inner_ones() {
        let all = [
            ("lo", UP | libc::IFF_LOOPBACK, "127.0.0.1"),
            ("lo", UP | libc::IFF_LOOPBACK, "10.9.9.9"),
            ("eth0", UP, "fd00::2"),
            ("eth0", UP, "fe80::1"),
            ("eth0", UP, "192.168.1.2"),
            ("eth0", UP, "169.254.3.4"),
            ("eth1", 0, "192.168.2.2"),
            ("eth2", libc::IFF_UP, "192.168.3.2"),
            ("wlan0", UP, "192.168.4.2"),
            ("wlan0", UP, "2001:db8::4"),
            ("docker0", UP, "172.17.0.1"),
            ("virbr0", UP, "192.168.122.1"),
        ];
        let all = all.map(|(name, flags, text)| InterfaceAddress {
            name: name.to_owned(),
            flags: flags as u32,
            ip: ip(text),
        });
        for (routed, expected) in [
            (
                &["192.168.4.2", "2001:db8::4"][..],
                &["192.168.4.2", "192.168.1.2", "2001:db8::4", "fd00::2"][..],
            ),
            (
                &[],
                &["192.168.1.2", "192.168.4.2", "fd00::2", "2001:db8::4"],
            ),
            (
                &["127.0.0.1", "::1"],
                &["192.168.1.2", "192.168.4.2", "fd00::2", "2001:db8::4"],
            ),
        ] {
            let routed: Vec<_> = routed.iter().map(|text| ip(text)).collect();
            let found: Vec<_> = best_first(&routed, &all)
                .iter()
                .map(IpAddr::to_string)
                .collect();
            assert_eq!(found, expected, "{routed:?}");
        }
        // Where the kernel lists nothing.
        assert_eq!(best_first(&[ip("10.0.0.2")], &[]), [ip("10.0.0.2")]);
    }

    #[test]
    fn the_kernel_tells_every_interface() {
        let found = interface_addresses();
        let own = found
            .iter()
            .find(|one| one.ip == ip("127.0.0.1"))
            .expect("there is one");
        assert_eq!(own.name, "lo");
        assert!(!own.is_for_others());
        let told = local_addresses(true, true);
        assert!(
            told.len() <= MOST && told.iter().all(|&ip| is_for_others(ip)),
            "{told:?}"
        );
        assert!(told.is_sorted_by_key(|ip| ip.is_ipv6()), "{told:?}");
        assert_eq!(local_addresses(false, false), [] as [IpAddr; 0]);
        assert!(local_addresses(true, false).iter().all(IpAddr::is_ipv4));
        assert!(local_addresses(false, true).iter().all(IpAddr::is_ipv6));
    }
}
