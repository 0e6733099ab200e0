//! What every answer is made from: the camera, who watches, who may look, and the options.

use crate::{
    config::{FrameAncestors, Origin},
    feed::{cameras::Cameras, viewers::Viewers},
    http::{
        address_cache::AddressCache,
        auth::AccessControl,
        net::{listener::Listener, open_connections::OpenConnections},
        waiter_limit::WaiterLimit,
    },
    system::machine::LatestHealth,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Shared by all client threads; handlers read it.
#[derive(Debug)]
pub struct App {
    /// Whose frames are served.
    pub cameras: Arc<Cameras>,
    /// Who watches.
    pub viewers: Arc<Viewers>,
    /// Who may look.
    pub access: Arc<AccessControl>,
    /// What is listened on.
    pub listening: Arc<Listener>,
    /// By which addresses that is reached.
    pub addresses: AddressCache,
    /// The machine's.
    pub health: Arc<LatestHealth>,
    /// The open connections.
    pub connections: Arc<OpenConnections>,
    /// Who may wait for a picture.
    pub waiters: WaiterLimit,
    /// Whose pages may read the answers.
    pub allow_origin: Option<Origin>,
    /// Who may show the page in a frame.
    pub frame_ancestors: FrameAncestors,
    /// A client that takes no byte for so long has stalled.
    pub client_timeout: Duration,
    /// When serving began.
    pub started: Instant,
}
