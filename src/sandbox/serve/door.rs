//! Where a peer is dialled: a port that stays its own, listened on or not.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::connection::Link;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddrV4,
    /// Bound and never listening: while the peer is lost its connections are refused, and nobody
    /// else is given the port.
    _reservation: TcpSocket,
    listener: Option<TcpListener>,
    pub(super) link: watch::Sender<Link>,
}

impl Door {
    /// Takes a port, one of its own if that of `address` is 0, and listens on it.
    pub(super) fn open(address: SocketAddrV4) -> io::Result<Self> {
        let reservation = bind(address)?;
        let SocketAddr::V4(address) = reservation.local_addr()? else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut door = Self {
            address,
            _reservation: reservation,
            listener: None,
            link: watch::Sender::new(Link::default()),
        };
        door.listen(true)?;
        Ok(door)
    }

    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub(super) fn listener(&self) -> Option<&TcpListener> {
        self.listener.as_ref()
    }

    /// Begins to listen, or has connections refused, from this moment on.
    pub(super) fn listen(&mut self, listening: bool) -> io::Result<()> {
        self.listener = if listening {
            Some(bind(self.address)?.listen(BACKLOG)?)
        } else {
            None
        };
        Ok(())
    }
}

/// Two sockets of one port get along as long as only one of them listens.
fn bind(address: SocketAddrV4) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address.into())?;
    Ok(socket)
}
