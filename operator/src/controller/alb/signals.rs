//! What other watches tell this controller.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Something that Knative Ingresses may depend on has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A class: what is served, and how.
    Classes,
    /// A binding for a Knative Service.
    Binding {
        /// The namespace of both.
        namespace: String,
        /// The Knative Service.
        service: String,
    },
    /// A binding that names vswitches.
    Vswitches,
    /// A Service.
    Service {
        /// Its namespace.
        namespace: String,
    },
}

/// The end that tells. Clones share it.
#[derive(Clone, Debug)]
pub struct Signals {
    sender: UnboundedSender<Signal>,
    receiver: Arc<Mutex<Option<UnboundedReceiver<Signal>>>>,
}

impl Default for Signals {
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            sender,
            receiver: Arc::new(Mutex::new(Some(receiver))),
        }
    }
}

impl Signals {
    /// Tells. Where nobody listens any more the process is on its way out.
    pub fn tell(&self, signal: Signal) {
        let _ = self.sender.send(signal);
    }

    /// The end that listens; the first who asks gets it.
    pub fn listen(&self) -> Option<UnboundedReceiver<Signal>> {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
