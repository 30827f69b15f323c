//! Many calls at once, within bounds.

use std::collections::VecDeque;
use std::future::Future;

use tokio::task::JoinSet;

/// Works through items, at most `at_once` under way; results in the order of the items.
///
/// # Panics
/// Where the work on an item panics, as it would by itself.
pub async fn each<T, R, F, Fut>(items: Vec<T>, at_once: usize, work: F) -> Vec<R>
where
    R: Send + 'static,
    F: Fn(T) -> Fut,
    Fut: Future<Output = R> + Send + 'static,
{
    let mut queue: VecDeque<_> = items.into_iter().enumerate().collect();
    let mut running = JoinSet::new();
    let mut done = Vec::with_capacity(queue.len());
    loop {
        while running.len() < at_once.max(1) {
            let Some((place, item)) = queue.pop_front() else {
                break;
            };
            let work = work(item);
            running.spawn(async move { (place, work.await) });
        }
        match running.join_next().await {
            Some(Ok(one)) => done.push(one),
            Some(Err(problem)) => {
                // Nobody cancels these tasks while they are awaited here.
                if let Ok(panic) = problem.try_into_panic() {
                    std::panic::resume_unwind(panic)
                }
            }
            None => break,
        }
    }
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn results_keep_their_order_and_bounds_are_kept() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = each((0..50_u64).collect(), 4, |number| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..(50 - number) {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                number * 2
            }
        })
        .await;
        assert_eq!(done, (0..50).map(|number| number * 2).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 4);
    }
}
