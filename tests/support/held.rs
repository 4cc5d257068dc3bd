//! Connections that are held by somebody, until the test lets go of them or fails.

use std::sync::mpsc::{Sender, channel};

use leadgen::store::{Store, StoreError};

/// Lets the held connections go when it is dropped.
pub struct Held {
    gates: Vec<Sender<()>>,
    holders: tokio::task::JoinSet<()>,
}

impl Held {
    /// Takes so many connections of a pool as readers; returns once all of them are held.
    pub async fn readers(store: &Store, connections: usize) -> Self {
        let (at_work, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let mut held = Self {
            gates: Vec::new(),
            holders: tokio::task::JoinSet::new(),
        };
        for _ in 0..connections {
            let (gate, closed) = channel::<()>();
            let (store, at_work) = (store.clone(), at_work.clone());
            held.gates.push(gate);
            held.holders.spawn(async move {
                let outcome = store
                    .read(move |_| {
                        at_work.send(()).unwrap();
                        let _until_the_gate_is_gone = closed.recv();
                        Ok::<_, StoreError>(())
                    })
                    .await;
                outcome.unwrap();
            });
        }
        for _ in 0..connections {
            begun.recv().await.unwrap();
        }
        held
    }

    /// Lets go and waits until the connections are back.
    pub async fn release(mut self) {
        self.gates.clear();
        while let Some(done) = self.holders.join_next().await {
            done.unwrap();
        }
    }
}
