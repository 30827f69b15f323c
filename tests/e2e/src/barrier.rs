//! A barrier within the proxy: so many calls of a caller pass, and the next waits until the caller is dead.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::held;

/// Whom it stops, and when.
#[derive(Clone, Default)]
pub struct Barrier(Arc<Mutex<Option<Post>>>);

struct Post {
    caller: &'static str,
    left: usize,
    reached: bool,
}

impl Barrier {
    /// Lets so many further calls of a caller through; the next ones wait, and come to nothing once the
    /// barrier is lifted.
    pub fn set(&self, caller: &'static str, calls: usize) {
        *self.post() = Some(Post {
            caller,
            left: calls,
            reached: false,
        });
    }

    /// Whether a call waits.
    pub fn is_reached(&self) -> bool {
        self.post().as_ref().is_some_and(|it| it.reached)
    }

    /// Takes it away.
    pub fn lift(&self) {
        *self.post() = None;
    }

    /// Waits, where this caller has come to it; says whether it had.
    pub fn stops(&self, caller: Option<&str>) -> bool {
        {
            let mut post = self.post();
            let Some(post) = post.as_mut().filter(|it| Some(it.caller) == caller) else {
                return false;
            };
            if post.left > 0 {
                post.left -= 1;
                return false;
            }
            post.reached = true;
        }
        while self.is_reached() {
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn post(&self) -> MutexGuard<'_, Option<Post>> {
        held(&self.0)
    }
}
