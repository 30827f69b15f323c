//! Whether promotions can go on for ever: a search of its own, depth first, for cycles.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use stateright::Model;

use super::world::{Setup, World};

/// A state on the search's path, with the successors that are still to be looked at.
struct Visit {
    key: u64,
    next: Vec<(u8, World)>,
    /// Most promotions that are sent from here on, as far as is known.
    promotions: u8,
    /// How many of them the step to this state itself sent.
    sent: u8,
}

/// The most promotions (and delete markers) that any path sends, `None` where a path comes back
/// to a state it has left: every budget only shrinks, so nothing but promotions can go in a circle.
pub fn promotions_on_any_path(setup: &Setup) -> Option<u8> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    // `None` while the state is on the path.
    let mut seen: HashMap<u64, Option<u8>> = HashMap::new();
    let mut path = Vec::new();
    let visit = |world: &World, sent| Visit {
        key: hasher.hash_one(world),
        next: successors(setup, world),
        promotions: 0,
        sent,
    };
    for start in setup.init_states() {
        let first = visit(&start, 0);
        seen.insert(first.key, None);
        path.push(first);
    }
    while let Some(top) = path.last_mut() {
        let Some((sent, world)) = top.next.pop() else {
            let done = path.pop()?;
            seen.insert(done.key, Some(done.promotions));
            let Some(above) = path.last_mut() else {
                return Some(done.promotions);
            };
            above.promotions = above.promotions.max(done.promotions + done.sent);
            continue;
        };
        match seen.get(&hasher.hash_one(&world)) {
            Some(None) => return None,
            Some(Some(known)) => top.promotions = top.promotions.max(known + sent),
            None => {
                let below = visit(&world, sent);
                seen.insert(below.key, None);
                path.push(below);
            }
        }
    }
    None
}

fn successors(setup: &Setup, world: &World) -> Vec<(u8, World)> {
    let sent = |world: &World| world.flights.iter().filter(|one| one.promotion).count();
    let before = sent(world);
    setup
        .next_states(world)
        .into_iter()
        .map(|next| (u8::from(sent(&next) > before), next))
        .collect()
}
